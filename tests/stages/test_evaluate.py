import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from sengu.base import measurements, tables
from sengu.base.errors import SenguError
from sengu.base.measurements import METRICS
from sengu.base.params import Threshold
from sengu.base.tables import versions
from sengu.evaluation import metrics
from sengu.evaluation.metrics import Judged
from sengu.examples import Examples, read_pixels
from sengu.labels import label_errors
from sengu.networks import classifier
from sengu.stages import evaluate

pytestmark = pytest.mark.slow  # most run the whole stage, some seconds each

PARAMS = """
sites:
  here: {{ fetch: {{ source: folder, folder: pictures }} }}
  there: {{ fetch: {{ source: folder, folder: pictures }} }}
evaluate: {{ {threshold} bootstrap: 50, seed: 1 }}
train: {{ seed: 1, fine_tune: {{ epochs: 2, rate: 0.1, batch: 4 }} }}
prepare: {{ size: 64, fit: squash }}
backbone: {{ source: embedded }}
"""
ARGUMENTS = ["v1", "split_label.csv", "duplicates.csv", "captures", "index", "label_details.csv"]
ARGUMENTS += ["pixels", "features", "classifier", "training", "label_errors.csv"]
RUN_NETWORK = classifier.run_network
OUTPUTS = ["reports/plots", "reports/index.html", "reports/metrics.json", "reports/summary"]


def name(number: int) -> str:
    return f"{number:040x}.jpg"


def two(scores: list[float]) -> np.ndarray:
    return np.column_stack([1 - np.array(scores), scores])


class Project:
    """A folder with the inputs of `evaluate`: 40 examples of each class, the last ten of each in validation, ten before in test.

    Examples of class 0 lie on the site `here`, those of the others on `there`, number 20 on both.
    """

    def __init__(self, classes: int, threshold: str = "") -> None:
        names = ["dots", "stripes", "waves"][:classes]
        values = np.repeat(np.arange(classes), 40)
        types = np.tile(np.repeat(["train", "test", "validation"], [20, 10, 10]), classes)
        ids = [name(number) for number in range(len(values))]
        rows = pd.DataFrame({"objectId": ids, "value": values, "type": types})
        excluded = [(name(900), 0, "excluded"), (name(901), 1, "excluded"), (name(902)[:-3] + "mp4", 1, "excluded")]
        every = pd.concat([rows, pd.DataFrame(excluded, columns=rows.columns)])
        tables.write(Path("split_label.csv"), every, tables.SplitLabel)
        pair = [tables.Duplicate(ids[number], ids[20]) for number in (20, 21)]  # both in test
        tables.write(Path("duplicates.csv"), tables.frame(pair, tables.Duplicate), tables.Duplicate)
        Path("v1").mkdir()
        versions.write(Path("v1"), versions.describe("v1", names, rows), rows)
        Path("pixels").mkdir()
        tables.write(Path("pixels/examples.csv"), rows, tables.SplitLabel)
        random = np.random.default_rng(0)
        np.save("pixels/pixels.npy", random.integers(0, 256, (len(rows), 8, 8, 3), np.uint8))
        Path("features").mkdir()
        features = random.normal(size=(len(rows), classes)).astype(np.float32) + 3 * np.eye(classes, dtype=np.float32)[values]
        np.save("features/features.npy", features)
        for site, held in (("here", values == 0), ("there", (values > 0) | (np.arange(len(values)) == 20))):
            index = [tables.IndexRow(ids[i], f"{i:040x}", "jpg", 8, 8, 99) for i in np.flatnonzero(held)]
            tables.write(Path(f"index/{site}.csv"), tables.frame(index, tables.IndexRow), tables.IndexRow)
            found = [
                tables.Capture(row.urlId, "u", "p", "a|b" if i % 2 else "a", site, "", "", "", 200) for i, row in enumerate(index)
            ]
            tables.write(Path(f"captures/{site}.csv"), tables.frame(found, tables.Capture), tables.Capture)
        details = [
            tables.LabelDetail(ids[i], values[i], "sheet", "", "", "", "", f"s{i // 3}" if i < 40 else f"t{i // 8}")
            for i in range(len(ids))
        ]
        tables.write(Path("label_details.csv"), tables.frame(details, tables.LabelDetail), tables.LabelDetail)
        Path("classifier").mkdir()
        classifier.save_head(Path("classifier/head.npz"), np.eye(classes, dtype=np.float32), np.zeros(classes, np.float32))
        label_errors.write(Path("label_errors.csv"), label_errors.rank(rows, features, 5, 1))
        Path("params.yaml").write_text(PARAMS.format(threshold=threshold))

    def run(self) -> dict[str, Any]:
        evaluate.main(ARGUMENTS + OUTPUTS)
        return dict(json.loads(Path("reports/metrics.json").read_text()))


@pytest.fixture(autouse=True)
def a_network_that_looks_at_the_first_pixel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of TensorFlow, but where a test puts the real one back."""
    monkeypatch.chdir(tmp_path)

    def run_network(folder: Path, pixels: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        classes = np.load(folder / "head.npz")["bias"].size
        raw = pixels[rows][:, 0, 0, :classes].astype(np.float32) + 1
        return raw / raw.sum(axis=1, keepdims=True), raw

    monkeypatch.setattr(classifier, "run_network", run_network)


def test_the_report_of_two_classes(caplog: pytest.LogCaptureFixture) -> None:
    project = Project(2, "threshold: { recall: 0.8 },")
    with caplog.at_level(logging.INFO):
        found = project.run()
    assert (found["test_images"], found["excluded_as_leaks"]) == (20, 2)  # the video is not a picture
    assert found["test_groups"] == 19
    assert list(found) == [
        "test_images",
        "test_groups",
        "validation_images",
        "train_images",
        "excluded_as_leaks",
        "network",
        "head",
        "head_against_network",
        "head_over_folds",
    ]
    assert found["network"]["threshold"]["wanted"] == {"recall": 0.8}
    assert found["network"]["threshold"]["reached"] is True
    assert found["network"]["threshold"]["validation_recall"]["value"] >= 0.8
    network, head = found["network"], found["head"]
    for metric in METRICS:
        assert network[metric]["low"] <= network[metric]["value"] <= network[metric]["high"]
        assert network[metric]["low"] < network[metric]["high"]
    assert network["calibration_error"]["chance"] > 0
    difference = found["head_against_network"]["accuracy"]
    assert difference["value"] == pytest.approx(network["accuracy"]["value"] - head["accuracy"]["value"])
    assert difference["value"] < 0  # noise against features that are good
    assert {label: numbers["support"] for label, numbers in network["by_class"].items()} == {"dots": 10, "stripes": 10}
    assert network["by_class"]["stripes"]["recall"] == network["recall"]
    assert {site: numbers["test_images"] for site, numbers in head["by_site"].items()} == {"here": 10, "there": 11}
    assert {site: numbers["test_groups"] for site, numbers in head["by_site"].items()} == {"here": 9, "there": 11}
    assert head["by_site"]["here"]["roc_auc"] is None and head["by_site"]["here"]["recall"] is None
    assert head["by_site"]["there"]["roc_auc"]["value"] > 0.5
    counts = network["confusion_matrix"]
    right = counts["dots"]["dots"] + counts["stripes"]["stripes"]
    assert network["accuracy"]["value"] == right / 20
    shown = json.loads(Path("reports/summary/network.json").read_text())
    assert list(shown) == ["val", "test"]
    for part, numbers in (("val", network["validation"]), ("test", network)):
        assert shown[part] == {short: round(numbers[metric]["value"], 4) for metric, short in evaluate.SHORT.items()}
    assert sorted(path.name for path in Path("reports/plots/mistakes").iterdir()) == [
        "false_negatives.jpg",
        "false_positives.jpg",
    ]
    predictions = pd.read_csv("reports/plots/predictions.csv")
    assert predictions["type"].value_counts().to_dict() == {"test": 20, "validation": 20}
    assert predictions.columns[4:].tolist() == ["network: dots", "network: stripes", "head: dots", "head: stripes"]
    for model in ("network", "head"):  # anyone can recompute everything
        for part, numbers in (("test", found[model]), ("validation", found[model]["validation"])):
            of_part = predictions[predictions["type"] == part]
            actual, scores = of_part["actual"] == "stripes", of_part[f"{model}: stripes"]
            assert roc_auc_score(actual, scores) == pytest.approx(numbers["roc_auc"]["value"], abs=1e-6)
            assert (actual == (scores > 0.5)).mean() == pytest.approx(numbers["accuracy"]["value"], abs=1e-6)
    predictions = predictions[predictions["type"] == "test"]
    assert (predictions["actual"] == predictions["predicted"]).sum() == right
    page = Path("reports/index.html").read_text()
    wrong = predictions.loc[predictions["actual"] != predictions["predicted"], "objectId"]
    assert all(object_id in page for object_id in wrong)
    assert tables.rows(label_errors.read(Path("label_errors.csv")), tables.LabelError)[0].objectId in page
    assert f"accuracy on 20 test pictures: {network['accuracy']['value']:.4f}" in caplog.text


def test_the_report_of_three_classes() -> None:
    found = Project(3).run()
    assert {name for name, value in found["network"]["threshold"].items() if value is not None} == set()
    assert list(found["head"]["confusion_matrix"]) == ["dots", "stripes", "waves"]
    mean = np.mean([numbers["recall"]["value"] for numbers in found["head"]["by_class"].values()])
    assert found["head"]["recall"]["value"] == pytest.approx(mean, abs=1e-6)
    assert [path.name for path in Path("reports/plots/mistakes").iterdir()] == ["mistakes.jpg"]


@pytest.mark.parametrize("classes", [2, 3])
def test_outputs_are_the_same_bytes_twice(classes: int) -> None:
    project = Project(classes)
    files = []
    for _ in range(2):
        project.run()
        files.append({path: path.read_bytes() for path in Path("reports").rglob("*") if path.is_file()})
    assert files[0] == files[1]
    assert len(files[0]) > 15


def test_a_threshold_out_of_reach_is_said_and_not_used(caplog: pytest.LogCaptureFixture) -> None:
    project = Project(2, "threshold: { precision: 0.95 },")  # 10 pictures of a class cannot show it
    found = project.run()
    assert found["network"]["threshold"]["value"] is None and found["network"]["threshold"]["reached"] is False
    needed = "with at least 20 pictures at or above it, near-duplicates counted once"
    missed = f"no threshold reaches it on the 20 validation pictures, {needed}"
    assert found["network"]["threshold"]["missed"] == missed
    for name in ("network", "head"):
        assert f"the {name} has no threshold with precision 0.95: {missed}" in caplog.text
    assert f"The network has no threshold with a precision of 0.95: {missed}" in Path("reports/index.html").read_text()
    assert found["network"]["at_threshold"] == {}


@pytest.mark.parametrize(
    ("gone", "missed"),
    [([0, 1], "there are no validation pictures"), ([1], "all validation pictures are of one class")],
    ids=["none", "one class"],
)
def test_validation_that_cannot_give_a_threshold_is_said(gone: list[int], missed: str, caplog: pytest.LogCaptureFixture) -> None:
    project = Project(2, "threshold: { precision: 0.8 },")
    rows = tables.read(Path("pixels/examples.csv"), tables.SplitLabel)
    rows.loc[(rows["type"] == "validation") & rows["value"].isin(gone), "type"] = "train"
    tables.write(Path("pixels/examples.csv"), rows, tables.SplitLabel)
    assert project.run()["network"]["threshold"]["missed"] == missed
    assert missed in caplog.text and missed in Path("reports/index.html").read_text()


def test_near_duplicates_widen_the_intervals() -> None:
    project = Project(2)
    narrow = project.run()
    groups = [tables.Duplicate(name(number), name(number // 5 * 5)) for number in range(80)]
    tables.write(Path("duplicates.csv"), tables.frame(groups, tables.Duplicate), tables.Duplicate)
    wide = project.run()
    assert (narrow["test_groups"], wide["test_groups"]) == (19, 4)
    assert "20 test pictures, 4 if near-duplicates count once" in Path("reports/index.html").read_text()
    for metric in ("accuracy", "recall", "roc_auc"):
        before, after = (found["head"][metric] for found in (narrow, wide))
        assert before["value"] == after["value"]
        assert after["low"] < before["low"] - 0.05
    before, after = (found["head_against_network"]["accuracy"] for found in (narrow, wide))
    assert after["high"] - after["low"] > before["high"] - before["low"]
    before, after = (found["head"]["calibration_error"]["chance"] for found in (narrow, wide))
    assert after > 1.1 * before


def test_a_real_network_sees_every_picture_in_batches_and_memory_holds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    class Network(tf.Module):
        """What the stub is, for TensorFlow."""

        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.uint8, name="picture")])
        def serve(self, picture: tf.Tensor) -> dict[str, tf.Tensor]:
            raw = tf.cast(picture[:, 0, 0, :2], tf.float32) + 1
            return {"probabilities": raw / tf.reduce_sum(raw, axis=1, keepdims=True), "embedding": raw}

    project = Project(2)
    stub = project.run()
    network = Network()
    tf.saved_model.save(network, "classifier/network", signatures={"serving_default": network.serve})
    monkeypatch.setattr(classifier, "run_network", RUN_NETWORK)
    monkeypatch.setattr(classifier, "batch_size", lambda pixels: 7)
    read: list[int] = []

    class Watched(np.memmap):
        def __getitem__(self, key: Any) -> Any:
            found = super().__getitem__(key)
            if isinstance(found, np.ndarray) and found.ndim == 4:
                read.append(len(found))
            return found

    def watched(folder: Path) -> Examples:
        examples = read_pixels(folder)
        return Examples(examples.rows, examples.arrays.view(Watched))

    monkeypatch.setattr(evaluate, "read_pixels", watched)
    assert project.run() == stub
    assert read == [7] * 5 + [5]  # 20 pictures of validation and 20 of test


def test_with_three_classes_each_has_a_threshold() -> None:
    found = Project(3, "threshold: { cost: 3 },").run()["head"]
    assert list(found["thresholds"]) == list(found["at_threshold"]) == ["dots", "stripes", "waves"]
    shown = pd.read_csv("reports/plots/predictions.csv")
    test = shown[shown["type"] == "test"]
    for name, at in found["at_threshold"].items():
        called = test[f"head: {name}"] >= found["thresholds"][name]["value"]
        assert (at["called"], at["right"]) == (called.sum(), (called & (test["actual"] == name)).sum())
        assert at["precision"]["value"] == pytest.approx(at["right"] / at["called"], abs=1e-6)


def test_a_threshold_moves_no_number_but_its_own() -> None:
    project = Project(2)
    plain = project.run()
    Path("params.yaml").write_text(PARAMS.format(threshold="threshold: { cost: 50 },"))
    with_threshold = project.run()
    for model in ("network", "head"):
        at = with_threshold[model].pop("at_threshold")["stripes"]
        assert at["recall"]["value"] >= plain[model]["recall"]["value"]
        for name in ("threshold", "at_threshold"):
            plain[model].pop(name, None), with_threshold[model].pop(name, None)
    assert at["called"] > 10
    assert plain == with_threshold


def test_all_held_out_pictures_are_measured_beside_the_balanced_test() -> None:
    project = Project(2)
    assert project.run()["head"]["all_held_out"] is None
    balanced = json.loads(Path("reports/metrics.json").read_text())
    rows = tables.read(Path("pixels/examples.csv"), tables.SplitLabel)
    rows.loc[(rows["type"] == "train") & (rows["value"] == 1), "type"] = "surplus"
    tables.write(Path("pixels/examples.csv"), rows, tables.SplitLabel)
    found = project.run()
    assert found["head"]["accuracy"] == balanced["head"]["accuracy"]
    held_out = found["head"]["all_held_out"]
    assert (held_out["images"], held_out["by_class"]["stripes"]["support"]) == (40, 30)
    shown = pd.read_csv("reports/plots/predictions.csv")
    every = shown[shown["type"] != "validation"]
    right = (every["head: stripes"] > 0.5) == (every["actual"] == "stripes")
    assert held_out["accuracy"]["value"] == pytest.approx(right.mean(), abs=1e-6)
    assert "On all 40 held-out pictures" in Path("reports/index.html").read_text()


def test_the_head_is_measured_over_folds_that_keep_groups_together() -> None:
    project = Project(2)
    Path("params.yaml").write_text(PARAMS.format(threshold="folds: 4,"))
    found = project.run()["head_over_folds"]
    assert (found["images"], found["by_class"]["dots"]["support"]) == (80, 40)
    assert found["accuracy"]["value"] > 0.9
    assert "The head, trained anew for each fold of all 80 pictures" in Path("reports/index.html").read_text()
    twins = [tables.Duplicate(name(number), name(number // 20 * 20)) for number in range(80)]
    tables.write(Path("duplicates.csv"), tables.frame(twins, tables.Duplicate), tables.Duplicate)
    with pytest.raises(SenguError, match=r"evaluate.folds is 4, but class 0 has only 2 groups"):
        project.run()


def test_slices_come_worst_first_with_intervals() -> None:
    found = Project(2).run()["network"]
    assert set(found["slices"]) == {"device", "tag", "pictures of the subject"}
    assert list(found["slices"]["tag"]) == ["b"]  # every picture has the other one
    for parts in (*found["slices"].values(), found["by_site"]):
        values = [part["accuracy"]["value"] for part in parts.values()]
        assert values == sorted(values)
        assert all(part["accuracy"]["low"] < part["accuracy"]["high"] for part in parts.values())
    assert {name: part["test_images"] for name, part in found["slices"]["device"].items()} == {"here": 10, "there": 11}


def test_a_test_split_of_one_class_is_refused() -> None:
    project = Project(2)
    rows = tables.read(Path("pixels/examples.csv"), tables.SplitLabel)
    rows.loc[(rows["type"] == "test") & (rows["value"] == 1), "type"] = "train"
    tables.write(Path("pixels/examples.csv"), rows, tables.SplitLabel)
    with pytest.raises(SenguError, match="split_label.csv has test examples of 1 class: a metric needs two"):
        project.run()


def test_the_threshold_comes_from_validation_alone() -> None:
    rows = pd.DataFrame({"value": [0, 1] * 4, "type": ["validation"] * 6 + ["test"] * 2, "group": list("abcdefgh")})
    found = evaluate.judge("head", rows, two([0.2, 0.8] * 3 + [0.6, 0.9]), Threshold(precision=0.6))
    assert found.decisions[1].value == pytest.approx(0.5)


def test_a_model_without_a_mistake_is_not_said_to_be_perfect() -> None:
    values = np.array([0, 1] * 20)
    good = Judged(values, two([0.9 if value else 0.1 for value in values]))
    by = evaluate.Resampling(np.arange(40), resamples=200, seed=1)
    found = measurements.as_json(evaluate.evaluate({"network": good, "head": good}, ["a", "b"], {}, by))
    for metric in ("accuracy", "precision", "recall", "f1", "roc_auc", "average_precision"):
        assert (found["network"][metric]["value"], found["network"][metric]["high"]) == (1, 1)
        assert 0.8 < found["network"][metric]["low"] < 0.95
    difference = found["head_against_network"]["accuracy"]
    assert difference["value"] == 0 and difference["low"] == -difference["high"] < -0.05


def test_classes_keep_their_share_in_resamples_of_the_whole_but_not_of_a_site(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.array([0, 1] * 20)
    drawn: list[tuple[int, float]] = []
    model = Judged(values, two([0.9 if value else 0.1 for value in values]))

    def noting(judged: Judged, weights: np.ndarray) -> np.ndarray:
        drawn.append((len(judged.values), np.ptp(weights @ judged.values)))
        return measure(judged, weights)

    measure = metrics.measure
    monkeypatch.setattr(metrics, "measure", noting)
    held = np.arange(40) < 30
    evaluate.evaluate(
        {"network": model, "head": model}, ["a", "b"], {"here": held}, evaluate.Resampling(np.arange(40), resamples=50, seed=1)
    )
    assert all(spread == 0 for count, spread in drawn if count == 40)
    assert max(spread for count, spread in drawn if count == 30) > 5
