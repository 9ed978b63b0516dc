"""Parts of a handful of pictures by what tables say of them."""

import pandas as pd

from sengu.evaluation.slices import slices

IDS = [f"p{number}" for number in range(12)]


def test_pictures_are_parted_by_what_is_known_of_them() -> None:
    index = pd.DataFrame({"objectId": IDS, "urlId": IDS, "width": [50] * 6 + [300] * 6, "height": 1000})
    tags = ["cat|night"] * 6 + ["cat"] * 6
    captures = pd.DataFrame({"urlId": IDS, "tags": tags, "device": [""] * 12, "subject": ["a"] * 5 + [""] * 7})
    details = pd.DataFrame({"objectId": IDS, "subject": [""] * 5 + ["b"] + [""] * 6})
    found = slices(IDS, index, captures, details)
    assert {kind: {name: rows.nonzero()[0].tolist() for name, rows in parts.items()} for kind, parts in found.items()} == {
        "tag": {"night": [0, 1, 2, 3, 4, 5]},  # every picture is a cat
        "size": {"256 to 511 px": [6, 7, 8, 9, 10, 11], "below 64 px": [0, 1, 2, 3, 4, 5]},
        "pictures of the subject": {"unknown": [6, 7, 8, 9, 10, 11], "5 to 19": [0, 1, 2, 3, 4]},
    }
