"""Random harm to a repository: a round of it a twentieth as often as `make soak`, which sets SENGU_SOAK."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from soak.soak import rounds, table

ROUNDS = 200 if os.environ.get("SENGU_SOAK") else 10
SEED = int(os.environ.get("SENGU_SOAK_SEED", "20"))


@pytest.mark.slow
@pytest.mark.soak
def test_every_round_ends_in_the_same_hashes_or_names_its_error(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    count = int(os.environ.get("SENGU_SOAK_ROUNDS", ROUNDS))
    results = list(rounds(tmp_path / "project", count, SEED))
    record_property("table", f"seed {SEED}, {count} rounds\n\n{table(results)}")  # which docs/reliability.md shows
    assert len(results) == count
