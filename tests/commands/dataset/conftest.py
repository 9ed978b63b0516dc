"""A project with versions: v1, its part B, which is final, C, and their merge D."""

from pathlib import Path

import pytest
import versioned
from project import run

WORDS = ("--purpose", "tests", "--description", "a part")


@pytest.fixture(scope="session")
def finalised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once for all tests of versions; they must not change it, but copies of it (versioned.copied)."""
    folder = versioned.make(tmp_path_factory.mktemp("versions") / "project")
    run(folder, "sengu", "dataset", "create", "B", "--from", "v1", "--where", "site == 'camera'", *WORDS)
    run(folder, "sengu", "dataset", "create", "C", "--from", "v1", "--where", "site == 'scanner'", *WORDS)
    run(folder, "sengu", "dataset", "create", "D", "--from", "B", "--from", "C", *WORDS)
    run(folder, "dvc", "repro", "--quiet", "datasets/dvc.yaml")
    versioned.commit(folder, "versions")
    run(folder, "dvc", "push", "--quiet")
    run(folder, "sengu", "dataset", "finalize", "B")
    run(folder, "git", "gc", "--quiet")
    return folder
