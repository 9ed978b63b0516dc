"""The one long run that many tests look at, how two workers share the tests, and which of them `make check` runs."""

import re
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import preloaded
import pytest
import starting
from hypothesis import settings
from project import ROOT, copy_of_the_project, run

settings.register_profile("sengu", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("sengu")


SHARED = ("rebuilt: Path", "finalised: Path", "staged: Path")  # fixtures that take minutes, and are made once: in this order


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each file is one worker's, and all files that ask for the same shared fixture are the same one's."""
    from xdist.scheduler import LoadFileScheduling  # with several workers only

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return shared(file) or file

    return ByFile(config, log)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """For `make check`: a file whose every test is slow is not even read, as some of them load TensorFlow for it."""
    if config.option.markexpr == "not slow" and collection_path.match("test_*.py"):
        return re.search(r"^pytestmark = .*\bmark\.slow\b", collection_path.read_text(), re.MULTILINE) is not None or None
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks as slow what starts a program or a server, and puts the longest files first, so that both workers end together.

    These are the files that share a fixture, then those with tests that a mark calls slow, then those that start something.
    """
    longest = {item.path for item in items if item.get_closest_marker("slow")}
    long = set()
    for item in items:
        if starting.starts_something(item):
            item.add_marker(pytest.mark.slow("it starts something"))
            long.add(item.path)

    def order(item: pytest.Item) -> tuple[int, bool, bool]:
        name = shared(item.path.relative_to(ROOT).as_posix())
        return SHARED.index(name) if name else len(SHARED), item.path not in longest, item.path not in long

    items.sort(key=order)


def pytest_collection_finish(session: pytest.Session) -> None:
    if any(not mark.args for item in session.items for mark in item.iter_markers("slow")):  # those that train are among them
        preloaded.with_tensorflow()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the tables of the long counts, which a worker cannot."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "table":
                terminalreporter.write_line(f"\n{value}\n")


@cache
def shared(file: str) -> str:
    text = (ROOT / file).read_text()
    return next((fixture for fixture in SHARED if fixture in text), "")


@pytest.fixture(scope="session")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which `dvc repro` has run from nothing, once for all tests; they must not change it."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("rebuilt") / "project")
    (folder / "repro.log").write_text(run(folder, "dvc", "repro"))
    return folder


@pytest.fixture(scope="session")
def staged() -> Iterator[Path]:
    """A folder that other users may enter, in which `staged.run` runs the stages; once for all tests, which leave it as it is."""
    import staged  # loads onnx and more, which few tests need

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield staged.make(folder)
