import copy
import re
from base64 import b64decode
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sengu.base import measurements
from sengu.base.measurements import Difference, Estimate, Measurements
from sengu.evaluation import galleries, report
from sengu.evaluation.galleries import Gallery, Picture
from sengu.evaluation.metrics import Judged

VOID = {"meta", "img", "br"}
CLASSES = ["dots", "stripes"]
REACHED = {
    "wanted": {"precision": 0.95},
    "reached": True,
    "value": 0.7342,
    "validation_precision": {"value": 0.96, "low": 0.9, "high": 0.98},
    "validation_recall": {"value": 0.91, "low": 0.85, "high": 0.94},
    "support": 88,
}
OUT_OF_REACH = {"wanted": {"precision": 0.95}, "reached": False, "value": None, "missed": "there are no validation pictures"}
NONE_WANTED = {"wanted": None, "reached": None, "value": None}


def number(value: float, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def result(**changes: Any) -> dict[str, Any]:
    of_class = {"support": 50, "precision": number(0.98, 0.9, 1), "recall": number(0.9, 0.8, 1), "f1": number(0.9, 0.8, 1)}
    site = {"test_images": 60, "accuracy": number(0.9, 0.8, 1.0), "roc_auc": None, "calibration_error": None}
    model = {
        "accuracy": number(0.94, 0.9, 0.98),
        "roc_auc": number(0.99),
        "calibration_error": {**number(0.052, 0.0, 0.08), "chance": 0.0484},
        "by_class": {"dots": of_class, "stripes": of_class | {"precision": number(0.999, 0.9, 1)}},
        "by_site": {"demo_a": site},
        "confusion_matrix": {"dots": {"dots": 45, "stripes": 5}, "stripes": {"dots": 1, "stripes": 49}},
    }
    return {
        "test_images": 100,
        "test_groups": 90,
        "excluded_as_leaks": 7,
        "network": copy.deepcopy(model) | {"threshold": REACHED},
        "head": copy.deepcopy(model) | {"threshold": REACHED | {"value": 0.8, "validation_recall": number(0.9, 0.85, 0.94)}},
        "head_against_network": {"accuracy": number(0.04, 0.01, 0.07), "roc_auc": number(0.02, -0.01, 0.05)},
    } | changes


def typed(found: dict[str, Any]) -> Measurements:
    return measurements.from_json(found, "a test")


@pytest.fixture
def plots(tmp_path: Path) -> Path:
    for name in report.PLOTS:
        (tmp_path / name).write_text(f'<svg xmlns="http://www.w3.org/2000/svg"><text>{name}</text></svg>')
    return tmp_path


class Page(HTMLParser):
    """Holds that every tag is closed in order, and keeps every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


WARNINGS = ["a group & more"]


def rendered(plots: Path, classes: list[str] = CLASSES, **changes: Any) -> str:
    galleries = [Gallery("Worst mistakes", "Two.", [Picture("ab.jpg", "stripes: 0.9", np.zeros((300, 200, 3), np.uint8), True)])]
    facts = [report.Fact("Dataset", ["v1", "1,594 labelled pictures"]), report.Fact("Date of the data", ["2013-10-05"])]
    around = report.Background(
        "v1", "Dots", facts, {"train.seed": "20"}, {"ab.jpg": ["8 x 8 pixels", "tags: dots|spots"]}, WARNINGS
    )
    return report.page(around, classes, typed(result(**changes)), plots, galleries)


def test_the_page_needs_nothing_beside_itself(plots: Path) -> None:
    text = rendered(plots)
    page = Page(text)
    addresses = [value for _, attributes in page.tags for key, value in attributes.items() if key in ("src", "href", "data")]
    inside = [address for address in addresses if address is not None and address.startswith("#")]
    addresses = [address for address in addresses if address is not None and address not in inside]
    assert inside == ["#ab.jpg"] and "ab.jpg" in {attributes.get("id") for _, attributes in page.tags}
    assert len(addresses) == len(report.PLOTS) + 1
    assert all(address.startswith("data:image/") for address in addresses)
    inlined = [b64decode(address.partition(",")[2]) for address in addresses if address.startswith("data:image/svg")]
    assert [plot.decode() for plot in inlined] == [(plots / name).read_text() for name in report.PLOTS]
    assert not re.search(r"https?:|url\(|@import|<script|<link|<iframe|<object", text)
    assert rendered(plots) == text


def test_warnings_about_the_data_stand_on_the_page(plots: Path) -> None:
    assert '<p class="warning">a group &amp; more</p>' in rendered(plots)


def test_the_page_can_be_heard_and_read_on_a_phone(plots: Path) -> None:
    page = Page(rendered(plots))
    assert all(picture["alt"] for picture in page.of("img"))
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(headings))
    named = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert len(named) == sum("id" in attributes for _, attributes in page.tags)
    assert {attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes} <= named
    assert page.of("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")


def test_names_are_escaped(plots: Path) -> None:
    hostile = ["<b>dots", 'str"ipes&']
    found = result()
    for model in ("network", "head"):
        for key in ("by_class", "confusion_matrix"):
            found[model][key] = dict(zip(hostile, found[model][key].values(), strict=True))
        found[model]["confusion_matrix"] = {name: dict.fromkeys(hostile, 1) for name in hostile}
    text = rendered(plots, hostile, **found)
    Page(text)
    assert "<b>" not in text
    assert "&lt;b&gt;dots" in text


def test_the_numbers_of_the_page(plots: Path) -> None:
    text = re.sub(r"<[^>]+>", " ", rendered(plots))
    first = " ".join(text.split())
    assert re.search(r"94 % The network is right on 94 of 100 test pictures. .* expect it to be right on 90 to 98", first)
    assert "100 test pictures, 90 if near-duplicates count once" in text
    assert "7 left out: near-duplicates of held-out pictures" in text
    assert "if near-duplicates count once" not in rendered(plots, test_groups=100)
    assert re.search(r"accuracy\s+0.940\s+0.900 to 0.980\s+0.940", text)
    assert re.search(r"demo_a\s+60\s+0.900\s+0.800 to 1.000\s", text)
    assert re.search(r"dots\s+45\s+5\s+stripes\s+1\s+49", text)
    assert re.search(r"calibration error\s+0.052\s+0.000 to 0.080\s+by chance 0.048\s", text)
    assert "stripes from a probability of 0.7342 up" in text


def test_plain_words() -> None:
    found = result()
    assert report.summary(typed(found), CLASSES) == [
        "When it says dots, it is right 98 times in 100. It finds 90 in 100 pictures of dots.",
        "When it says stripes, it is right more than 99 times in 100. It finds 90 in 100 pictures of stripes.",
    ]
    found["network"]["by_class"]["dots"] |= {"precision": None, "recall": number(0.0)}
    found["network"]["by_class"]["stripes"] |= {"precision": number(1.0), "recall": None}
    assert report.summary(typed(found), CLASSES) == [
        "It never says dots. It finds no picture of dots.",
        "When it says stripes, it is right every time.",
    ]


def test_no_mistake_is_not_taken_for_perfection() -> None:
    found = result()
    assert report.warnings(typed(found), CLASSES) == []
    found["network"]["accuracy"] = number(1.0, 0.963, 1.0)
    (said,) = report.warnings(typed(found), CLASSES)
    assert said.startswith("No mistake on 100 pictures does not prove that it makes none: it may be wrong on up to 3.7%")


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "never right"), (1.0, "right every time"), (0.0051, "right 1 times in 100"), (0.9949, "right 99 times in 100")],
)
def test_of_a_hundred_pictures(share: float, said: str) -> None:
    assert report.summary(typed(with_precision(share)), CLASSES)[0].startswith(f"When it says dots, it is {said}.")


def test_a_headline_of_all_but_one_is_not_all() -> None:
    found = result()
    found["network"] |= {"accuracy": number(0.9997, 0.99, 1.0)}
    assert report.headline(typed(found))[0] == "99.9"


@pytest.mark.parametrize(
    ("share", "count"), [(0.000001, "fewer than 1"), (0.005, "fewer than 1"), (0.995, "more than 99"), (0.999999, "more than 99")]
)
def test_nearly_none_is_not_none_and_nearly_all_not_all(share: float, count: str) -> None:
    said = report.summary(typed(with_precision(share)), CLASSES)[0]
    assert said.startswith(f"When it says dots, it is right {count} times in 100.")


def with_precision(share: float) -> dict[str, Any]:
    found = result()
    found["network"]["by_class"]["dots"] |= {"precision": number(share)}
    return found


def test_the_thresholds_of_both_models_are_told() -> None:
    assert report.warnings(typed(result()), CLASSES) == []
    told = (
        "The {} says stripes from a probability of {} up. The aim was a precision of 0.95. On validation it reaches a precision "
        "of 0.960 (0.900 to 0.980) and a recall of {} (0.850 to 0.940), based on 88 pictures."
    )
    *of_models, last = report.threshold(typed(result()), CLASSES)
    assert of_models == [told.format("network", "0.7342", "0.910"), told.format("head", "0.8000", "0.900")]
    assert last.startswith("Thresholds are chosen on validation, so these figures are optimistic")


@pytest.mark.parametrize("name", ["network", "head"])
def test_a_threshold_out_of_reach_is_said_of_its_model(name: str) -> None:
    found = result()
    found[name]["threshold"] = OUT_OF_REACH
    (said,) = report.warnings(typed(found), CLASSES)
    assert said == (
        f"The {name} has no threshold with a precision of 0.95: there are no validation pictures. "
        "The most probable class decides."
    )
    assert " ".join(report.threshold(typed(found), CLASSES)).count("from a probability of") == 1


def test_where_no_threshold_is_wanted_none_is_missed() -> None:
    found = result()
    for model in ("network", "head"):
        found[model]["threshold"] = NONE_WANTED
    assert report.warnings(typed(found), CLASSES) == []
    assert report.threshold(typed(found), CLASSES) == ["The most probable class decides; no threshold is used."]


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.041, 0.012, 0.07, "fine-tuning gains 4.1 points of accuracy"),
        (-0.041, -0.07, -0.012, "fine-tuning loses 4.1 points of accuracy"),
        (0.041, 0.0, 0.07, "changes accuracy by +4.1 points, too little to tell from no change with these pictures"),
    ],
)
def test_a_difference_is_claimed_only_if_its_interval_leaves_out_zero(
    value: float, low: float, high: float, expected: str
) -> None:
    difference = Difference(accuracy=Estimate(value, low, high), roc_auc=Estimate(0.02, -0.01, 0.05))
    assert f" {expected} (95% interval" in report.comparison(difference)
    assert f"{100 * low:+.1f} to {100 * high:+.1f}" in report.comparison(difference)


IDS = ["a", "b", "c", "d", "e"]
PICTURES = {name: np.full((2, 2, 3), number, np.uint8) for number, name in enumerate(IDS)}


def test_mistakes_of_two_classes_are_apart_and_the_surest_come_first() -> None:
    scores = np.array([0.6, 0.9, 0.2, 0.45, 0.3])
    judged = Judged(np.array([0, 0, 0, 1, 1]), np.column_stack([1 - scores, scores]), called=np.array([1, 1, 0, 0, 0]))
    found = galleries.mistakes(judged, IDS, CLASSES, PICTURES.__getitem__)
    assert {name: [(p.name, p.caption) for p in gallery.pictures] for name, gallery in found.items()} == {
        "false_positives": [("b", "probability of stripes: 0.900"), ("a", "probability of stripes: 0.600")],
        "false_negatives": [("e", "probability of stripes: 0.300"), ("d", "probability of stripes: 0.450")],
    }
    assert found["false_positives"].pictures[0].pixels is PICTURES["b"]
    assert found["false_positives"].title == "Worst false positives: called stripes, labelled dots"
    assert found["false_positives"].text.startswith("2 of 5 test pictures, the most confident")


def test_mistakes_of_more_classes_are_one_gallery() -> None:
    probabilities = np.array([[0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.9, 0.05, 0.05], [0.2, 0.2, 0.6], [0.0, 1.0, 0.0]])
    values = np.array([0, 1, 0, 2, 1])
    (found,) = galleries.mistakes(Judged(values, probabilities), IDS, ["x", "y", "z"], PICTURES.__getitem__).values()
    assert [(p.name, p.caption) for p in found.pictures] == [
        ("a", "labelled x; called y with a probability of 0.800"),
        ("b", "labelled y; called z with a probability of 0.400"),
    ]


def test_doubtful_labels_keep_their_order_and_suspects_are_marked() -> None:
    rows = [("c", 0, 1, "0.012345", "yes"), ("a", 1, 0, "0.200000", "no"), ("b", 1, 1, "0.900000", "no")]
    found = galleries.doubted(pd.DataFrame(rows, columns=galleries.DOUBT), CLASSES, PICTURES.__getitem__)
    assert [(p.name, p.caption, p.marked) for p in found.pictures][:2] == [
        ("c", "labelled dots; others give this a probability of 0.012, and say stripes", True),
        ("a", "labelled stripes; others give this a probability of 0.200, and say dots", False),
    ]
    assert found.text.startswith("1 of 3 labels")
    assert "They agree with 33.3% of all labels" in found.text
