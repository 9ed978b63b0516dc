"""The model card's Markdown around names that are Markdown themselves."""

import dataclasses
from typing import Any

from sengu.release import card
from sengu.release.bundle import Manifest

BAR, STARS = "dots|stripes", "*a* `b` <i> $5-$10"


def manifest(decides_at: float | None, groups: int = 0, **of_network: Any) -> Manifest:
    scored = {"support": 4, "recall": {"value": 0.75, "low": 0.5, "high": 1.0}}
    facts: dict[str, Any] = {
        "preprocessing": {"size": 32, "fit": "squash"},
        "dataset": {"version": "v1", "md5": "0", "rows": 5, "rows_by_value": {"0": 2, "1": 3}, "split": {"test": 5}},
        "backbone": {"source": "embedded"},
        "metrics": {
            "test_images": 8,
            "network": {"by_class": {BAR: scored, STARS: scored}} | of_network,
            "head": {},
            "test_groups": groups,
        },
    }
    return Manifest(
        name="m", version="1", created_by="a test", classes=[BAR, STARS], threshold=decides_at,
        inputs=[], outputs=[], classifier={}, files={}, **facts,
    )  # fmt: skip


def test_names_of_classes_are_shown_as_they_are_and_end_no_cell() -> None:
    lines = card.write(manifest(0.5)).splitlines()
    assert r"| dots\|stripes | 4 | - | 0.7500 [0.5000, 1.0000] | - |" in lines
    assert r"| \*a\* \`b\` \<i> \$5-\$10 | 4 | - | 0.7500 [0.5000, 1.0000] | - |" in lines
    text = " ".join(lines)
    assert r"2 classes a picture shows: dots\|stripes, \*a\* \`b\` \<i> \$5-\$10 |" in text
    assert r"5 labelled pictures: 2 dots\|stripes, 3 \*a\* \`b\` \<i> \$5-\$10 |" in text
    assert r'| Decision | "\*a\* \`b\` \<i> \$5-\$10" from a probability of 0.5000 up' in text
    assert r'else "dots\|stripes"' in text


def test_the_card_names_the_origin_of_the_embedded_backbone_only() -> None:
    assert "derived from Google's EfficientNet-Lite0, trained on ImageNet, under" in " ".join(card.write(manifest(0.5)).split())
    other = dataclasses.replace(manifest(0.5), backbone={"source": "keras:imagenet"})
    assert "Lite0" not in card.write(other)


REACHED = {
    "wanted": {"precision": 0.95},
    "value": 0.5,
    "validation_precision": {"value": 0.96, "low": 0.9, "high": 0.98},
    "validation_recall": {"value": 1.0, "low": 0.93, "high": 1.0},
    "support": 57,
}


def test_the_card_says_what_the_threshold_stands_on_and_what_the_figures_are() -> None:
    text = " ".join(card.write(manifest(0.5, threshold=REACHED, groups=6)).split())
    assert (
        "The aim was precision 0.95; on 57 validation pictures it reaches a precision of 0.9600 [0.9000, 0.9800] "
        "and a recall of 1.0000 [0.9300, 1.0000]"
    ) in text
    assert "on 8 test pictures, 6 if near-duplicates count once, by the most probable class" in text
    assert "near-duplicates count once" not in card.write(manifest(0.5, groups=8))


def test_the_card_begins_with_the_verdict_the_data_and_where_it_comes_from() -> None:
    scored = {"accuracy": {"value": 0.875, "low": 0.531, "high": 0.977}}
    told = manifest(None, **scored)
    told.dataset["facts"] = {"Date of the data": "2013-10-05", "Source": "8 from demo_a"}
    first, *_ = card.write(told).partition("## How to use it")
    assert "Right on 7 of 8 test pictures. Of 100 new pictures like these, expect it to be right on 53 to 98" in first
    assert "| Date of the data | 2013-10-05 |\n| Source | 8 from demo\\_a |" in first


def test_the_card_says_why_there_is_no_threshold() -> None:
    missed = {"wanted": {"recall": 0.9}, "value": None, "missed": "there are no validation pictures"}
    text = card.write(manifest(None, threshold=missed))
    assert (
        "| Decision | the class with the highest probability; the aim was recall 0.9, but there are no validation pictures |"
        in text
    )


def test_where_a_threshold_decides_the_card_says_how_good_it_is_there() -> None:
    called = {"accuracy": {"value": 0.75, "low": 0.4, "high": 0.9}, "recall": {"value": 1.0}, "precision": {"value": 0.6}}
    of_network = {"accuracy": {"value": 0.875}, "at_threshold": {STARS: called}}
    text = card.write(manifest(0.2, **of_network))
    assert "**Right on 6 of 8 test pictures at the threshold. Of 100 new pictures like these, expect it to be right on 40" in text
    assert "| recall at the threshold | 1.0000 | - |\n" in text
    assert "| precision at the threshold | 0.6000 | - |\n" in text
    without = card.write(manifest(None, **of_network))
    assert "**Right on 7 of 8 test pictures.**" in without
    assert "at the threshold" not in without


def test_the_card_says_what_a_miss_costs() -> None:
    text = card.write(manifest(0.5, threshold={**REACHED, "wanted": {"cost": 5.0}}))
    assert "The aim was the least cost, if a missed picture costs as much as 5 false alarms; on 57 validation pictures" in text
