"""Words and objects for the tests of labels, written as people write sheets."""

from pathlib import Path

import pandas as pd

from sengu.labels import words
from sengu.labels.words import Known

A, B, C, D = (f"{digit * 40}.jpg" for digit in "abcd")
CLASSES = ["dots", "stripes"]
OBJECTS = pd.DataFrame({"objectId": [A, B, C, C], "filename": ["x/a.jpg", "same.jpg", "same.jpg", ""], "video": ""})
REJECTED = pd.DataFrame({"filename": ["torn.jpg"], "reason": ["the JPEG ends early"]})
KNOWN = Known(OBJECTS, REJECTED, {"e" * 40})


def sheet(folder: Path, text: str | bytes, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(folder: Path, text: str | bytes, name: str = "mine.csv", known: Known = KNOWN) -> pd.DataFrame:
    return words.words([sheet(folder, text, name)], known, CLASSES)


def brief(table: pd.DataFrame) -> list[list[object]]:
    return table[["objectId", "value", "line"]].to_numpy().tolist()
