"""Models of two versions on the test pictures that both have, on literal tables."""

from pathlib import Path

import pandas as pd
import pytest

from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.commands.dataset import compare
from sengu.repository.git import git


def predictions(**rows: str) -> pd.DataFrame:
    """Object ids by letter, each with its actual and predicted class as two letters."""
    return pd.DataFrame(
        [(f"{name * 40}.png", pair[0], pair[1]) for name, pair in rows.items()], columns=["objectId", "actual", "predicted"]
    )


def test_models_are_compared_on_what_they_share() -> None:
    one = predictions(a="xx", b="yx", c="xx", d="yy", e="xx")
    other = predictions(b="yy", c="xx", d="yy", e="yy", f="xx")  # of e the label differs
    first, second = compare.compare({"A": one, "B": other}, tables.empty(tables.Duplicate))
    assert (first.version, first.own_test, second.own_test, first.shared) == ("A", 5, 5, 3)
    assert (first.accuracy, second.accuracy) == pytest.approx((2 / 3, 1.0))
    assert second.difference == pytest.approx(1 / 3)
    assert second.difference_low < 0 < second.difference < second.difference_high
    assert first.difference == 0


def test_versions_without_a_common_test_picture_cannot_be_compared() -> None:
    with pytest.raises(SenguError, match="A, B share no test picture with the same label"):
        compare.compare({"A": predictions(a="xx"), "B": predictions(b="xx")}, tables.empty(tables.Duplicate))


def test_labels_given_during_the_training_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    for name in ("params.yaml", "reports/summary/A.json", "labels/anna.csv"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("before")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "all")
    for name in ("params.yaml", "reports/summary/A.json", "labels/anna.csv"):
        Path(name).write_text("after")
    compare._restore()
    assert [Path(name).read_text() for name in ("params.yaml", "reports/summary/A.json")] == ["before", "before"]
    assert Path("labels/anna.csv").read_text() == "after"
