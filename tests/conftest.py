"""The one long run that many tests look at."""

from pathlib import Path

import pytest
from project import copy_of_the_project, run


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker of pytest-xdist runs all that looks at the long run; of the other tests, each file is one worker's."""
    for item in items:
        long_run = "rebuilt" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("rebuilt" if long_run else str(item.path)))


@pytest.fixture(scope="session")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which `dvc repro` has run from nothing, once for all tests; they must not change it."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("rebuilt") / "project")
    (folder / "repro.log").write_text(run(folder, "dvc", "repro"))
    return folder
