"""Name the dataset version to split and train on, if there is such a version."""

import logging
from collections.abc import Iterable
from pathlib import Path

import yaml

from sengu.base import params
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError, run_program
from sengu.base.tables import versions
from sengu.datasets import lineage
from sengu.datasets.recipe import FOLDER
from sengu.repository import pipeline

logger = logging.getLogger("version")


def check(name: str, names: Iterable[str]) -> None:
    """Raises SenguError for a name that is not among `names`, those of the versions."""
    if name in (known := sorted(set(names))):
        return
    there = f"the versions are {', '.join(known)}: take one of them, or" if known else "there is none yet:"
    cure = "`sengu dataset create` makes one"
    raise SenguError(f"params.yaml: split.dataset is {name!r}, which is not a dataset version: {there} {cure}")


def known(root: Path) -> list[str]:
    """The versions of a repository: those that a stage makes, that were imported from another one, or whose tables are here."""
    datasets, dvc_yaml = root / pipeline.DATASETS, root / pipeline.PIPELINE
    made = list(lineage.tree(pipeline.versions(datasets)).nodes) if datasets.is_file() else []
    document = yaml.safe_load(dvc_yaml.read_text(encoding="utf-8")) if dvc_yaml.is_file() else {}
    stages = [stage for stage in (document.get("stages") or {}).values() if isinstance(stage, dict)]
    outs = [Path(str(out)) for stage in stages for out in stage.get("outs") or []]
    by_hand = [path.name for path in outs if path.parent == FOLDER]
    imported = [path.stem for path in (root / FOLDER).glob("*.dvc")]
    here = [path.parent.name for path in (root / FOLDER).glob(f"*/{versions.LABELS}")]
    return [*made, *by_hand, *imported, *here]


def main(arguments: list[str]) -> None:
    output = Path(*arguments)
    name = params.section("split", params.Split).dataset
    check(name, known(Path()))
    with replaced_file(output) as partial:
        partial.write_text(f"{name}\n", encoding="utf-8")
    logger.info("%s", name)


if __name__ == "__main__":
    run_program(main, "VERSION")
