"""The data of the demo, its backbone -> test accuracy of head and network for several seeds; run after `dvc repro`.

python benchmarks/seeds.py [SEED ...]
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SEEDS = (20, 21, 22)


def accuracies(seed: int, folder: Path) -> dict[str, float]:
    """Trains and evaluates in `folder` with everything but the seed as in params.yaml."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["train"]["seed"] = seed
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    arrays = [str(ROOT / path) for path in ("data/pixels", "data/features")]
    names = ("dataset/v1", "split_label.csv", "duplicates.csv", "captures", "index", "label_details.csv")
    dataset, *known = (str(ROOT / "data" / name) for name in names)
    backbone, doubts = (str(ROOT / path) for path in ("models/backbone", "reports/label_errors.csv"))
    written = ["plots", "index.html", "metrics.json", "summary"]
    for command in (
        ["train", dataset, *arrays, backbone, "classifier", "training"],
        ["evaluate", dataset, *known, *arrays, "classifier", "training", doubts, *written],
    ):
        stage = [sys.executable, "-m", f"sengu.stages.{command[0]}", *command[1:]]
        subprocess.run(stage, cwd=folder, check=True, capture_output=True)
    metrics = json.loads((folder / "metrics.json").read_text())
    return {model: metrics[model]["accuracy"]["value"] for model in ("head", "network")} | {"pictures": metrics["test_images"]}


def main() -> None:
    seeds = [int(text) for text in sys.argv[1:]] or SEEDS
    print("seed  pictures  head    network")
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            found = accuracies(seed, Path(folder))
        print(f"{seed:<6}{found['pictures']:<10}{found['head']:<8.4f}{found['network']:.4f}", flush=True)


if __name__ == "__main__":
    main()
