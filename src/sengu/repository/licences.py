"""Installed packages -> NOTICE's table of third parties' licences; a package under the GPL or AGPL alone is an error."""

import re
from collections.abc import Iterable, Mapping
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import cast

from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError, run_program

LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
COPYLEFT = re.compile(r"\bA?GPL|Affero|(?<!Lesser )(?<!Library )General Public", re.IGNORECASE)
# what a licence file begins with, for packages whose metadata names none
TEXTS = {"Apache License": "Apache-2.0", "MIT License": "MIT", "Permission is hereby granted, free of charge": "MIT"}
HEADING = "## Packages of the environment\n"
# licences that metadata lacks, or that are under the GPL, with the reason why they are allowed
EXPLAINED = {
    "mlcroissant": "Apache-2.0 by its repository, mlcommons/croissant; its package names none; in tests only",
    "grandalf": "GPL-2.0 or EPL-1.0, of which EPL-1.0 is taken; comes with DVC, which draws `dvc dag` with it",
    "pygit2": "GPL-2.0 with an exception for programs that link it; comes with DVC, which reads Git with it",
}


def licence_of(package: Message, texts: Iterable[str] = ()) -> str:
    """The licence that a package names: an SPDX expression, else its own words, else its classifiers, else its licence file.

    Raises SenguError if none of these says anything.
    """
    if expression := package.get("License-Expression"):
        return str(expression)
    words = (package.get("License") or "").strip().partition("\n")[0]
    classifiers = [text.rpartition(" :: ")[2] for text in package.get_all("Classifier") or [] if text.startswith("License :: ")]
    named = [text for text in classifiers if text != "OSI Approved"]
    # some put the whole text into the field
    licence = words if words and len(words) < 60 and words != "UNKNOWN" else " / ".join(named)
    licence = licence or next((name for text in texts for start, name in TEXTS.items() if start in text), "")
    if not licence:
        raise SenguError(f"{package['Name']} names no licence: read it, and add it to EXPLAINED in {Path(__file__).name}")
    return licence


def is_refused(licence: str) -> bool:
    """True if a licence leaves no choice but the GPL or the AGPL."""
    choices = re.split(r" (?:OR|or) | ?[|/] ?", " ".join(licence.split()))
    return all(COPYLEFT.search(choice) and "LGPL" not in choice for choice in choices)


def table(names: Iterable[str]) -> Mapping[str, str]:
    """Package -> licence, sorted, of those that are installed. Raises SenguError for one that is refused."""
    rows = {}
    for name in sorted(names, key=str.lower):
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # of another platform
        if name in EXPLAINED:
            rows[name] = EXPLAINED[name]
            continue
        texts = (
            Path(str(file.locate())).read_text(errors="replace") for file in package.files or () if "LICEN" in file.name.upper()
        )
        rows[name] = licence_of(cast(Message, package.metadata), texts)
        if is_refused(rows[name]):
            raise SenguError(f"{name} is under {rows[name]}: take another package, since Sengu is Apache-2.0")
    return rows


def main(arguments: list[str]) -> None:
    lock, notice = map(Path, arguments)
    rows = table(LOCKED.findall(lock.read_text(encoding="utf-8")))
    before = notice.read_text(encoding="utf-8").partition(HEADING)[0]
    lines = [HEADING, "", *(f"- {name}: {licence}" for name, licence in rows.items()), ""]
    with replaced_file(notice) as partial:
        partial.write_text(before + "\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    run_program(main, "LOCK NOTICE")
