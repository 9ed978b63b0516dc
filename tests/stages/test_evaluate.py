import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as reference

from sengu import figures
from sengu.stages.evaluate import evaluate

VALUES = np.array([0, 0, 0, 1, 1, 1])
SCORES = np.array([0.1, 0.6, 0.2, 0.7, 0.4, 0.9])
TWO = np.column_stack([1 - SCORES, SCORES])


def test_two_classes_are_measured_by_hand_counted_numbers() -> None:
    found = evaluate(VALUES, TWO)
    assert found["confusion_matrix"] == {"0": {"0": 2, "1": 1}, "1": {"0": 1, "1": 2}}
    assert found["accuracy"] == found["precision"] == found["recall"] == found["f1"] == pytest.approx(4 / 6)
    assert found["roc_auc"] == pytest.approx(8 / 9)  # of 9 pairs only (0.4, 0.6) is in the wrong order


def test_three_classes_are_averaged() -> None:
    values = np.array([0, 1, 2, 0, 1, 2])
    probabilities = np.array([[8, 1, 1], [1, 8, 1], [1, 1, 8], [1, 8, 1], [1, 8, 1], [1, 8, 1]]) / 10
    found = evaluate(values, probabilities)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["recall"] == pytest.approx((0.5 + 1 + 0.5) / 3)
    assert found["roc_auc"] == pytest.approx(reference.roc_auc_score(values, probabilities, multi_class="ovr"))
    assert found["confusion_matrix"]["2"] == {"0": 0, "1": 1, "2": 1}


@pytest.mark.parametrize("probabilities", [TWO, np.column_stack([TWO / 2, np.full(6, 0.5)])], ids=["two", "three"])
def test_plots_and_report_are_the_same_bytes_twice(tmp_path: Path, probabilities: np.ndarray) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        figures.roc(VALUES, {"network": probabilities, "head": probabilities}, folder)
        figures.confusion(VALUES, probabilities, folder)
        result = {"test_images": 6, "excluded_as_leaks": 0, "network": evaluate(VALUES, probabilities)}
        (folder / "index.html").write_text(figures.page(json.loads(json.dumps(result)), folder))
    names = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert names == ["confusion.svg", "index.html", "roc.svg", "roc_head.csv", "roc_network.csv"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    page = (tmp_path / "one/index.html").read_text()
    assert page.count("<svg") == 2
    assert 'src="http' not in page
