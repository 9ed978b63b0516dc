"""Decisions of several annotators and the model's opinion -> a suggested label, and the quality of each annotator (cleanlab)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from cleanlab.multiannotator import get_label_quality_multiannotator, get_majority_vote_label


@dataclass(frozen=True)
class Consensus:
    """`labels` has objectId, value and quality of the suggested label; `annotators` has annotator, quality and words.

    Quality is between 0 and 1, the higher the better. Both are suggestions: no label changes by them.
    """

    labels: pd.DataFrame
    annotators: pd.DataFrame


def suggest(words: pd.DataFrame, probabilities: pd.DataFrame | None = None) -> Consensus:
    """Suggests labels from the latest words (objectId, annotator, value) and the model's `probabilities`, a row per object id.

    CROWDLAB (Goh, Tkachenko and Mueller, https://arxiv.org/abs/2210.06812) where the model saw the objects, by at least two
    annotators; elsewhere the majority, whose quality is its share, and no quality of annotators but their share of agreement.
    """
    table = words.pivot_table(index="objectId", columns="annotator", values="value", aggfunc="last")
    number = words.groupby("annotator")["value"].size()
    if probabilities is not None:
        table = table[table.index.isin(probabilities.index)]
    several = table.notna().sum(axis=1) > 1
    if probabilities is not None and several.any() and len(table.columns) > 1:
        opinion = probabilities.loc[table.index].to_numpy(dtype=float)
        result = get_label_quality_multiannotator(
            table.reset_index(drop=True), opinion, verbose=False, return_detailed_quality=False
        )
        chosen, quality = result["label_quality"]["consensus_label"], result["label_quality"]["consensus_quality_score"]
        people = result["annotator_stats"]["annotator_quality"]
    else:
        chosen = get_majority_vote_label(table.reset_index(drop=True), verbose=False) if len(table) else np.array([], int)
        matches = table.eq(pd.Series(chosen, table.index), axis=0) & table.notna()
        quality = (matches.sum(axis=1) / table.notna().sum(axis=1)).to_numpy()
        people = matches[several].sum() / table[several].notna().sum()
    labels = pd.DataFrame({"objectId": table.index, "value": np.asarray(chosen, dtype=np.int64), "quality": np.asarray(quality)})
    quality_of = {name: float(people.get(name, np.nan)) for name in number.index}
    annotators = pd.DataFrame({"annotator": number.index, "quality": list(quality_of.values()), "words": number.to_numpy()})
    return Consensus(labels[several.to_numpy()].sort_values(["quality", "objectId"], ignore_index=True), annotators)
