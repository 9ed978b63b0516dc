"""The one long run that many tests look at."""

from pathlib import Path

import pytest
from project import copy_of_the_project, run


@pytest.fixture(scope="session")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which `dvc repro` has run from nothing, once for all tests; they must not change it."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("rebuilt") / "project")
    (folder / "repro.log").write_text(run(folder, "dvc", "repro"))
    return folder
