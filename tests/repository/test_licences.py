"""No package under the GPL or AGPL alone comes in, and NOTICE names the licence of each."""

from email.message import Message
from typing import Any

import pytest
from project import ROOT

from sengu.base.errors import SenguError
from sengu.repository import licences


def package(**fields: Any) -> Message:
    message = Message()
    for name, value in {"Name": "one", **fields}.items():
        for text in value if isinstance(value, list) else [value]:
            message[name.replace("_", "-")] = text
    return message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"License_Expression": "MIT"}, "MIT"),
        ({"License": "BSD-3-Clause"}, "BSD-3-Clause"),
        ({"License": "Copyright (c) 2020 by many people, all of whom wanted to be named here" * 2}, ""),
        ({"Classifier": ["License :: OSI Approved", "License :: OSI Approved :: MIT License"]}, "MIT License"),
    ],
)
def test_the_licence_is_read_where_a_package_names_it(fields: dict[str, Any], expected: str) -> None:
    if expected:
        assert licences.licence_of(package(**fields)) == expected
    else:
        with pytest.raises(SenguError, match="one names no licence"):
            licences.licence_of(package(**fields))
        assert licences.licence_of(package(**fields), ["Apache License\n Version 2.0"]) == "Apache-2.0"


@pytest.mark.parametrize(
    "licence", ["GPL-3.0-or-later", "AGPL-3.0", "GNU General Public License v2 (GPLv2)", "GNU Affero General Public License v3"]
)
def test_the_gpl_alone_is_refused(licence: str) -> None:
    assert licences.is_refused(licence)


@pytest.mark.parametrize(
    "licence", ["MIT", "EPL-2.0 OR GPL-2.0-or-later", "GNU Lesser General Public License v3 (LGPLv3)", "LGPL-2.1-or-later"]
)
def test_a_choice_and_the_lesser_gpl_are_not(licence: str) -> None:
    assert not licences.is_refused(licence)


def test_notice_names_every_package_of_the_lock_file() -> None:
    names = licences.LOCKED.findall((ROOT / "requirements.txt").read_text())
    listed = (ROOT / "NOTICE").read_text().partition(licences.HEADING)[2]
    assert len(names) > 100
    assert [f"- {name}: {licence}" for name, licence in licences.table(names).items()] == listed.strip().splitlines()
