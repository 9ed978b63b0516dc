"""A project with versions: v1, its part B, which is final, C, and their merge D."""

from pathlib import Path

import pytest
import versioned


@pytest.fixture(scope="session")
def finalised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once for all tests of versions; they must not change it, but copies of it (versioned.copied)."""
    return versioned.make_final(tmp_path_factory.mktemp("versions") / "project")
