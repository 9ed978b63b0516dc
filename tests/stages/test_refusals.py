"""Every stage on a full disk, with too many open files and with a folder that may not be written: one line with a file's name.

The stages run in the order of the pipeline, on a few pictures and a tiny network, and then again with something refused.
"""

import os
import re
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from staged import ORDER, STAGES, outputs, run, run_until

from sengu.base.errors import one_line

pytestmark = pytest.mark.slow

NOBODY = 65534
CACHED = ("objects", "duplicates", "prepare", "features", "embed")  # write what they know to .sengu, and then their output


@pytest.fixture(autouse=True)
def project(staged: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(staged)
    return staged


def message(name: str, refuse: Callable[[], None], allow: Callable[[], None]) -> str:
    """What a stage says that is refused something while it runs."""
    with pytest.raises(SystemExit) as ended, one_line(outputs(name)[-1]):
        refuse()
        try:
            run(name)
        finally:
            allow()
    return str(ended.value)


def limited(name: str, limit: int, value: int) -> str:
    before = resource.getrlimit(limit)
    return message(name, lambda: resource.setrlimit(limit, (value, before[1])), lambda: resource.setrlimit(limit, before))


def read_only(name: str, folder: Path) -> str:
    """The stage run by somebody who may write everywhere but beside its outputs."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    for output in outputs(name):
        output.parent.mkdir(parents=True, exist_ok=True)
        output.parent.chmod(0o555)
    as_another = os.geteuid() == 0  # root may write everywhere
    try:
        return message(
            name,
            lambda: os.seteuid(NOBODY) if as_another else None,
            lambda: os.seteuid(0) if as_another else None,
        )
    finally:
        for output in outputs(name):
            output.parent.chmod(0o777)


@contextmanager
def set_aside(name: str) -> Iterator[None]:
    """Within, the stage has no output yet."""
    places = [(output, output.with_name(f"{output.name}.aside")) for output in outputs(name) if output.exists()]
    for output, aside in places:
        output.rename(aside)
    try:
        yield
    finally:
        for output, aside in places:
            shutil.rmtree(output) if output.is_dir() else output.unlink(missing_ok=True)
            aside.rename(output)


@pytest.mark.parametrize("name", ORDER)
def test_what_the_system_refuses_is_one_line_with_the_name_of_a_file(project: Path, name: str) -> None:
    run_until(name)
    if name != "crawl":
        run(name)  # which also loads whatever could not be loaded below
    with set_aside(name):
        text = limited(name, resource.RLIMIT_NOFILE, 3)
        assert re.fullmatch(r"error: \S+: Too many open files: `ulimit -n \d+` allows more", text), text
        text = read_only(name, project)
        assert re.fullmatch(r"error: \S+: Permission denied", text), text
        assert any(str(output.parent) in text for output in outputs(name)), text
        if name == "crawl":
            return
        # a limit on the size of files gives the error of a full disk, at the same places
        text = limited(name, resource.RLIMIT_FSIZE, 0)
        assert re.fullmatch(r"error: \S+: File too large", text), text
        places = [output.name for output in outputs(name)] + [f"error: {tempfile.gettempdir()}/"]
        assert any(place in text for place in places), text
        if name in CACHED:
            shutil.rmtree(".sengu")
            text = limited(name, resource.RLIMIT_FSIZE, 0)
            assert re.fullmatch(r"error: \S+: File too large", text), text


def test_every_stage_is_tried() -> None:
    assert set(ORDER) == set(STAGES)
