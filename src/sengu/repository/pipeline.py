"""dvc.yaml -> what it says of stages and their outputs."""

from collections.abc import Iterator
from pathlib import Path

import yaml

PIPELINE = Path("dvc.yaml")
PER_SITE = ("crawl", "extract", "objects")  # the stages of dvc.yaml that run once for each site


def outputs(name: str) -> Iterator[Path]:
    """Where the outputs of a site lie, by dvc.yaml."""
    stages = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))["stages"]
    for stage in PER_SITE:
        for out in stages[stage]["do"]["outs"]:
            yield Path(str(next(iter(out)) if isinstance(out, dict) else out).replace("${key}", name))
