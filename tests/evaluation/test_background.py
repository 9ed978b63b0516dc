import json
import shutil
from pathlib import Path

import pytest
from project import ROOT

from sengu.base import tables
from sengu.base.tables import versions
from sengu.evaluation import background


def test_groups_that_hold_several_labels_are_said_the_first_of_them_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    ids = [f"{number:040x}.jpg" for number in range(12)]
    labels = [tables.Label(name, row % 2) for row, name in enumerate(ids)]
    (tmp_path / versions.METADATA).write_text(json.dumps({}))
    tables.write(tmp_path / versions.LABELS, tables.frame(labels, tables.Label), tables.Label)
    version = versions.Version("v1", [], ["cats", "dogs"], 12, {"0": 6, "1": 6})
    pairs = [tables.Duplicate(name, ids[row - row % 2]) for row, name in enumerate(ids[:10])]
    said = background.of_dataset(tmp_path, version, {}, tables.frame(pairs, tables.Duplicate)).warnings
    assert [line.partition(":")[0] for line in said] == [
        *(f"near-duplicate group {ids[row]} holds 1 of 6 cats, 1 of 6 dogs" for row in (0, 2, 4)),
        "And 2 more groups of near-duplicates hold several labels, or much of a class.",
    ]
    assert background.of_dataset(tmp_path, version, {}, tables.empty(tables.Duplicate)).warnings == []
