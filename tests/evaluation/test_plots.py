import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score

from sengu.drawing import fonts
from sengu.evaluation import plots as figures

VALUES = np.array([0, 0, 0, 1, 1, 1])
SCORES = np.array([0.1, 0.6, 0.2, 0.72, 0.4, 0.9])
TWO = np.column_stack([1 - SCORES, SCORES])
THREE = np.column_stack([TWO / 2, np.full(6, 0.5)])
TEXT = "{http://www.w3.org/2000/svg}text"
BINS = pd.DataFrame({"bin": [1, 13], "confidence": [0.1, 0.9], "share": [0.5, 1.0], "examples": [2, 4]})


def draw(folder: Path, probabilities: np.ndarray, names: Sequence[str] = ("dots", "stripes", "waves")) -> dict[str, bytes]:
    folder.mkdir()
    classes = names[: probabilities.shape[1]]
    models = {"network": probabilities, "head": probabilities[::-1]}
    figures.roc(VALUES, models, folder)
    figures.precision_recall(VALUES, models, folder)
    figures.calibration({"network": BINS, "head": BINS}, folder)
    figures.histogram(SCORES, VALUES == 1, 0.5, classes, folder)
    names = np.array(classes)[VALUES]
    figures.confusion(pd.DataFrame({"objectId": list("abcdef"), "actual": names, "predicted": names[::-1]}), classes, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("probabilities", [TWO, THREE], ids=["two classes", "three classes"])
def test_plots_are_the_same_bytes_twice_and_stand_alone(tmp_path: Path, probabilities: np.ndarray) -> None:
    files = draw(tmp_path / "one", probabilities)
    assert draw(tmp_path / "two", probabilities) == files
    plots = ["calibration", "confusion", "precision_recall", "roc", "scores"]
    assert sorted(name for name in files if name.endswith(".svg")) == [f"{name}.svg" for name in plots]
    tables = {f"{plot}_{model}.csv" for plot in ("calibration", "precision_recall", "roc") for model in ("head", "network")}
    assert {name for name in files if name.endswith(".csv")} == tables | {"confusion.csv", "scores.csv"}
    for name in plots:
        links = [
            value
            for element in ElementTree.fromstring(files[f"{name}.svg"]).iter()
            for key, value in element.attrib.items()
            if key.endswith(("href", "src"))
        ]
        assert all(link.startswith(("#", "data:")) for link in links)


def test_the_area_under_the_precision_recall_curve_is_the_average_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(figures, "_save", lambda figure, path: drawn.append(figure))
    random = np.random.default_rng(4)
    values = random.integers(0, 2, 30)
    scores = np.round(random.random(30) + values * 0.5, 1) / 2  # with ties
    figures.precision_recall(values, {"network": np.column_stack([1 - scores, scores])}, tmp_path)
    recall, precision = drawn[0].axes[0].lines[0].get_path().vertices.T  # with the corners of the steps
    assert -np.trapezoid(precision, recall) == pytest.approx(average_precision_score(values, scores))


@pytest.mark.parametrize("names", [("$\\frac$", "_other"), ("$5-$10", "a\\$b"), ("_a", "<b>$"), ("$x$", "_y", "z$")])
def test_names_of_classes_are_shown_as_they_are(tmp_path: Path, names: tuple[str, ...]) -> None:
    files = draw(tmp_path / "plots", THREE if len(names) == 3 else TWO, names)
    trees = (ElementTree.fromstring(files[f"{plot}.svg"]) for plot in ("confusion", "scores"))
    confusion, scores = (["".join(text.itertext()) for text in tree.iter(TEXT)] for tree in trees)
    assert [confusion.count(name) for name in names] == [2] * len(names)  # beside its row and its column
    if len(names) == 2:
        assert [scores.count(name) for name in names] == [1, 1]
        assert f"probability of {names[1]}" in scores


def test_the_data_behind_the_curves(tmp_path: Path) -> None:
    files = draw(tmp_path / "plots", TWO)
    assert files["roc_network.csv"].decode().splitlines()[:3] == [
        "false_positive_rate,true_positive_rate",
        "0.000000,0.000000",
        "0.000000,0.333333",
    ]
    assert "1.000000,0.750000" in files["precision_recall_network.csv"].decode().splitlines()
    assert files["confusion.csv"].decode().splitlines()[1] == "a,dots,stripes"
    assert files["calibration_head.csv"].decode().splitlines()[1] == "1,0.100000,0.500000,2"
    counts = pd.read_csv(tmp_path / "plots/scores.csv")
    assert counts["score"].tolist()[:2] == [0.025, 0.075]
    assert (counts["positive"].sum(), counts["negative"].sum()) == (3, 3)
    assert counts.loc[counts["positive"] > 0, "score"].tolist() == pytest.approx([0.425, 0.725, 0.925])


LONG = ("a very long class name that people use in practice", "W" * 60, "waves")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("names", [LONG, ("\U0010fffd", "x\U0010fffd", "waves")], ids=["long", "without glyphs"])
@pytest.mark.parametrize("probabilities", [TWO, THREE], ids=["two classes", "three classes"])
def test_names_are_shown_as_far_as_there_is_room_and_glyphs(
    tmp_path: Path, probabilities: np.ndarray, names: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    files = draw(tmp_path / "plots", probabilities, names)
    for plot in ("confusion", "scores"):
        tree = ElementTree.fromstring(files[f"{plot}.svg"])
        texts = ["".join(text.itertext()) for text in tree.iter(TEXT)]
        width = float(tree.attrib["viewBox"].split()[2])
        assert all(fonts.loaded(text, figures.POINTS).getlength(text) < width for text in texts)
        assert not any("\U0010fffd" in text for text in texts)
        assert any(text.startswith(("a very", "class 1", "probability of class 1", "W", "right")) for text in texts)
    assert not caplog.records


def test_nothing_of_a_label_of_the_confusion_matrix_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Figure] = []
    save = figures._save
    monkeypatch.setattr(figures, "_save", lambda figure, path: (kept.append(figure), save(figure, path)))
    draw(tmp_path / "plots", THREE, LONG)
    figure = next(figure for figure in kept if figure.axes[0].get_xlabel() == "predicted")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    for axis in (axes.xaxis, axes.yaxis):
        boxes = [label.get_window_extent() for label in axis.get_ticklabels()]
        assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and box.y0 >= figure.bbox.y0 for box in boxes)
        assert not any(one.overlaps(two) for one, two in pairwise(boxes))


def test_the_legend_of_the_histogram_hides_no_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr(figures, "_save", lambda figure, path: kept.append(figure))
    figures.histogram(np.full(50, 0.52), np.arange(50) % 2 == 0, 0.5, LONG[:2], tmp_path)
    (figure,) = kept
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert not box.overlaps(figure.axes[0].get_window_extent())
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
