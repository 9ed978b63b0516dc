"""data/pixels, data/features -> how much labels help that `suggest` chose, against others drawn at random or by uncertainty.

    python benchmarks/suggest.py [--start 20] [--add 60] [--repeats 12]

Run it where the pipeline has run. Of the examples 500 are set aside for testing, and one class is made rare in the rest. A
logistic regression on the features of the frozen backbone, which has seen no label, learns from a few, says how certain it is
of the others, and learns again with some of them added.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from sengu import embeddings
from sengu import examples as pixels
from sengu.labels import suggestions

TEST, RARE = 500, 1  # pictures, class
SHARES = (0.5, 0.1, 0.05)  # of the rare class


def learnt(vectors: np.ndarray, values: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=100, max_iter=2000, class_weight="balanced").fit(vectors, values)


def chosen(vectors: np.ndarray, start: np.ndarray, rest: np.ndarray, values: np.ndarray, number: int) -> dict[str, np.ndarray]:
    """Rows of `rest` to label, by each way."""
    uncertain = suggestions.uncertainty(learnt(vectors[start], values[start]).predict_proba(vectors[rest]))
    far = embeddings.distances(rest, start, vectors)
    return {
        "suggest": rest[suggestions.suggest(suggestions.Candidates(rest, uncertain, far, rest.tolist()), vectors, number)],
        "most uncertain": rest[np.argsort(-uncertain, kind="stable")[:number]],
        "random": np.random.default_rng(len(rest)).choice(rest, number, replace=False),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("start", 20), ("add", 60), ("repeats", 12)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    examples = pixels.read_features(Path("data/pixels"), Path("data/features"))
    vectors = examples.arrays / np.linalg.norm(examples.arrays, axis=1, keepdims=True)
    values = examples.values
    for share in SHARES:
        results = defaultdict(list)
        for seed in range(options.repeats):
            order = np.random.default_rng(seed).permutation(len(values))
            test, pool = order[:TEST], order[TEST:]
            common, rare = pool[values[pool] != RARE], pool[values[pool] == RARE]
            rare = rare[: round(len(common) * share / (1 - share))]
            few = max(2, round(options.start * share))
            start = np.concatenate([rare[:few], common[: options.start - few]])
            rest = np.sort(np.concatenate([rare[few:], common[options.start - few :]]))
            for way, added in chosen(vectors, start, rest, values, options.add).items():
                known = np.concatenate([start, added])
                score = balanced_accuracy_score(values[test], learnt(vectors[known], values[known]).predict(vectors[test]))
                results[way].append((score, (values[added] == RARE).sum()))
        for way, pairs in results.items():
            score, number = np.mean(pairs, axis=0)
            print(f"rare class {share:4.0%}  {way:14}  balanced accuracy {score:.3f}  {number:4.1f} of {options.add} are rare")


if __name__ == "__main__":
    main()
