"""The model card's Markdown around names that are Markdown themselves."""

from typing import Any

from sengu import card
from sengu.release import Manifest

BAR, STARS = "dots|stripes", "*a* `b` <i> $5-$10"


def manifest(threshold: float | None) -> Manifest:
    scored = {"support": 4, "recall": {"value": 0.75, "low": 0.5, "high": 1.0}}
    facts: dict[str, Any] = {
        "preprocessing": {"size": 32, "fit": "squash"},
        "dataset": {"version": "v1", "md5": "0", "rows": 5, "rows_by_value": {"0": 2, "1": 3}, "split": {"test": 5}},
        "backbone": {"source": "embedded"},
        "metrics": {"test_images": 8, "network": {"by_class": {BAR: scored, STARS: scored}}, "head": {}},
    }
    return Manifest(
        name="m", version="1", created_by="a test", classes=[BAR, STARS], threshold=threshold,
        inputs=[], outputs=[], classifier={}, files={}, **facts,
    )  # fmt: skip


def test_names_of_classes_are_shown_as_they_are_and_end_no_cell() -> None:
    lines = card.write(manifest(0.5)).splitlines()
    assert r"| dots\|stripes | 4 | 0.7500 [0.5000, 1.0000] |" in lines
    assert r"| \*a\* \`b\` \<i> \$5-\$10 | 4 | 0.7500 [0.5000, 1.0000] |" in lines
    text = " ".join(lines)
    assert r"2 classes a picture shows: dots\|stripes, \*a\* \`b\` \<i> \$5-\$10." in text
    assert r"5 labelled pictures: 2 dots\|stripes, 3 \*a\* \`b\` \<i> \$5-\$10." in text
    assert r'Decision: "\*a\* \`b\` \<i> \$5-\$10" from a probability of 0.5 on' in text
    assert r'else "dots\|stripes".' in text
