"""Consensus and annotator quality: three people of whom one guesses."""

import numpy as np
import pandas as pd
import pytest

from sengu.labels.consensus import suggest

random = np.random.default_rng(3)
TRUTH = np.arange(120) % 2
IDS = [f"{number:040x}.jpg" for number in range(120)]


def words() -> pd.DataFrame:
    said = {"anna": TRUTH, "ben": np.where(np.arange(120) % 20 == 0, 1 - TRUTH, TRUTH), "eve": random.integers(0, 2, 120)}
    frames = [pd.DataFrame({"objectId": IDS, "annotator": name, "value": values}) for name, values in said.items()]
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("with_model", [False, True])
def test_the_one_who_guesses_is_the_worst(with_model: bool) -> None:
    opinion = np.where(TRUTH[:, None] == np.arange(2), 0.8, 0.2)
    found = suggest(words(), pd.DataFrame(opinion, IDS) if with_model else None)
    quality = found.annotators.set_index("annotator")["quality"]
    assert quality["eve"] == quality.min()
    assert quality["eve"] < 0.75 < quality["anna"]
    assert found.annotators["words"].tolist() == [120, 120, 120]
    truth = pd.Series(TRUTH, IDS)
    right = (truth[found.labels["objectId"]].to_numpy() == found.labels["value"]).mean()
    assert right > 0.95
    assert found.labels["quality"].is_monotonic_increasing


def test_words_of_one_person_suggest_nothing() -> None:
    found = suggest(words().query("annotator == 'anna'"))
    assert found.labels.empty
    assert found.annotators["quality"].isna().all()
