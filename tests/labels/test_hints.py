"""Tags and devices as words on pictures, and the tags that say nothing."""

import pandas as pd

from sengu.labels import hints

CAPTURES = pd.DataFrame(
    {"site": "web", "urlId": ["1", "2", "3", "4"], "page": "p", "tags": ["dots|red", "blue|red", "", "blue|dots"]}, dtype="str"
)
INDEX = pd.DataFrame({"site": "web", "objectId": ["a", "b", "c", "d"], "urlId": ["1", "2", "3", "4"]}, dtype="str")


def test_tags_that_mean_no_class_are_counted_on_unlabelled_objects_only() -> None:
    counts = hints.without_meaning(CAPTURES, INDEX, pd.Series(["a"]), {"dots": 0})
    assert counts.to_dict() == {"blue": 1, "red": 1}  # of b: a is labelled, c has no tag, and the sources of d disagree


def test_where_every_tag_means_a_class_nothing_is_counted() -> None:
    assert hints.without_meaning(CAPTURES, INDEX, pd.Series([], dtype="str"), {"dots": 0, "red": 1, "blue": 1}).empty
