"""metrics.json is written and read in one place."""

import json
from pathlib import Path

import pytest

from sengu.base import measurements
from sengu.base.errors import SenguError
from sengu.base.measurements import DecisionThreshold, Estimate, Measurements, OfClass, OfModel

NETWORK = OfModel(
    accuracy=Estimate(0.9, 0.8, 1.0),
    calibration_error=Estimate(0.05, 0.0, 0.1, chance=0.04),
    threshold=DecisionThreshold(wanted={"recall": 0.9}, reached=False, missed="there are no validation pictures"),
    by_class={"dots": OfClass(support=4, recall=Estimate(0.75))},
    confusion_matrix={"dots": {"dots": 3, "stripes": 1}},
)
MEASURED = Measurements(test_images=8, test_groups=7, network=NETWORK, head=OfModel())


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    measurements.write(tmp_path / "metrics.json", MEASURED)
    assert measurements.read(tmp_path / "metrics.json") == MEASURED


def test_the_spelling_of_the_file(tmp_path: Path) -> None:
    measurements.write(tmp_path / "metrics.json", MEASURED)
    document = json.loads((tmp_path / "metrics.json").read_text())
    assert document["network"]["accuracy"] == {"value": 0.9, "low": 0.8, "high": 1.0}
    assert document["network"]["calibration_error"]["chance"] == 0.04
    assert document["network"]["threshold"]["missed"] == "there are no validation pictures"
    assert document["head"]["accuracy"] is None


def test_what_a_later_version_adds_is_passed_over() -> None:
    document = measurements.as_json(MEASURED) | {"carbon": 3}
    assert measurements.from_json(document, "a file") == MEASURED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"metrics\.json is damaged .*: run `dvc repro --force --single-item evaluate`"),
        ('{"test_images": "many"}', r"metrics\.json: .*`dvc repro evaluate`"),
        ('{"test_images": 8, "network": {"accuracy": {"value": "high"}}, "head": {}}', r"network\.accuracy\.value: .*'high'"),
    ],
)
def test_a_damaged_file_is_named_with_the_value(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(SenguError, match=message):
        measurements.read(tmp_path / "metrics.json")
    with pytest.raises(SenguError, match=r"missing\.json is missing: run"):
        measurements.read(tmp_path / "missing.json")
