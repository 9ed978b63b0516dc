"""A twentieth of `make soak`."""

import os
from pathlib import Path

import pytest
from soak.soak import rounds, table

ROUNDS = int(os.environ.get("SENGU_SOAK_ROUNDS", "10"))
SEED = int(os.environ.get("SENGU_SOAK_SEED", "20"))


@pytest.mark.slow
def test_every_round_ends_in_the_same_hashes_or_names_its_error(tmp_path: Path) -> None:
    results = list(rounds(tmp_path / "project", ROUNDS, SEED))
    print(table(results))
    assert len(results) == ROUNDS
