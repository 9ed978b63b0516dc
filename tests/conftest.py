"""The one long run that many tests look at, and how two workers share the tests."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from project import ROOT, copy_of_the_project, run

settings.register_profile("sengu", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("sengu")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each file is one worker's, and all files that ask for `rebuilt` are the same one's, so that it is built once."""
    from xdist.scheduler import LoadFileScheduling  # with several workers only

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "rebuilt" if asks_for_rebuilt(file) else file

    return ByFile(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the tables of the long counts, which a worker cannot."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "table":
                terminalreporter.write_line(f"\n{value}\n")


@cache
def asks_for_rebuilt(file: str) -> bool:
    return "rebuilt: Path" in (ROOT / file).read_text()


@pytest.fixture(scope="session")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which `dvc repro` has run from nothing, once for all tests; they must not change it."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("rebuilt") / "project")
    (folder / "repro.log").write_text(run(folder, "dvc", "repro"))
    return folder
