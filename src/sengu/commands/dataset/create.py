"""Options -> a stage of datasets/dvc.yaml that makes a version, plain and readable; `dvc repro` builds it."""

import csv
from collections.abc import Sequence
from pathlib import Path

import click

from sengu.base import params, tables
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.base.tables import versions, where
from sengu.commands import places
from sengu.datasets import lineage, merging, recipe, usage
from sengu.datasets.recipe import Recipe
from sengu.repository import pipeline
from sengu.stages import dataset as stage

TOMBSTONES = Path("tombstones.csv")
LABEL_ERRORS = Path("reports/label_errors.csv")
LISTS = Path("datasets/lists")  # Git tracks them
SUSPECT = "suspect"
# the code that a version depends on; tests/test_pipeline.py holds it against the imports
CODE = (
    *("src/sengu/__init__.py", "src/sengu/base", "src/sengu/datasets", "src/sengu/drawing", "src/sengu/labels"),
    *("src/sengu/objects", "src/sengu/pictures", "src/sengu/repository", "src/sengu/warc"),
    "src/sengu/stages/dataset.py",
)


def create(wanted: Recipe) -> Recipe:
    """Writes the stage of a version; returns the recipe as written.

    Raises SenguError for a taken name, for parents that are not versions or that differ, and for a recipe that can give nothing.
    """
    family = lineage.tree(pipeline.versions())
    recipe.check_name(wanted.name)
    if wanted.name in family.nodes:
        raise SenguError(_taken(wanted.name, family))
    for parent in wanted.parents:
        family.node(parent.name)
        family.ancestors(parent.name)
    wanted = frozen_suspects(wanted)
    recipe.check(wanted)
    if wanted.labels and not wanted.details:
        raise SenguError(
            f"{wanted.name}: --labels without --details does not say which labels a model gave: add `--details "
            f"{wanted.labels.parent / recipe.DETAILS}` to it"
        )
    for path in (*map(Path, wanted.extending), *wanted.exclude):
        if not path.is_file():
            raise SenguError(f"{path} is missing: check its name; the folder of annotation sheets is {places.LABELS}")
    for entry in set(wanted.extend) - set(wanted.extending):
        if entry not in params.site_names():
            raise SenguError(f"--extend {entry}: no sheet (*.csv) and no site: the sites are {', '.join(params.site_names())}")
    if wanted.where:
        check_columns(wanted.where)
    _check_conflicts(wanted)
    # an extension asks how disagreement is settled; DVC refuses a single setting that params.yaml leaves out
    of_labels = ["label" if wanted.extend else "label.classes"] if wanted.labels else []
    deps = [*wanted.inputs(), *CODE]
    pipeline.add_version(pipeline.NewVersion(wanted.name, wanted.command(), wanted.description, deps, [*of_labels, "project"]))
    return wanted


def _taken(name: str, family: lineage.Tree) -> str:
    node = family.node(name)
    if node.finalised:
        return (
            f"version {name} is finalised as {node.finalised}, and never changes: make the next one, "
            f"`{usage.next_command(name, family)} --from {name}`"
        )
    return f"{pipeline.DATASETS}: there is a version {name} already: edit it there, or choose another name"


def _check_conflicts(wanted: Recipe) -> None:
    """Raises SenguError for labels about which the sources differ, if their tables are here; the build checks them again."""
    sites = params.site_names() if wanted.extend else []
    needed = [parent / versions.LABELS for parent in wanted.parents] + ([wanted.labels] if wanted.labels else [])
    needed += [folder / f"{site}.csv" for folder in (wanted.index, wanted.captures) for site in sites]
    if len(wanted.parents) + bool(wanted.labels) < 2 or not all(path.is_file() for path in needed):
        return
    labels_of, classes = stage.sources(wanted, stage.Archived.read(wanted, sites))
    merging.merge(labels_of, wanted.prefer, classes, wanted.name)


def check_columns(text: str) -> None:
    """Raises SenguError for a column that no table has, and for a value of another kind."""
    empty = [tables.empty(kind) for kind in (tables.IndexRow, tables.Capture, tables.Label)]
    index, captures, labels = empty[0].assign(site=""), empty[1].assign(site=""), empty[2].assign(label="")
    where.parse(text).of(where.joined([index, captures, labels], ("site", "urlId", "objectId")))


def frozen_suspects(wanted: Recipe) -> Recipe:
    """Writes the present suspects of label_errors as a list that Git tracks: a version may not depend on later stages."""
    if SUSPECT not in wanted.clean:
        return wanted
    doubts = tables.read(LABEL_ERRORS, tables.LabelError)
    suspects = sorted(doubts.loc[doubts["suspect"] == "yes", "objectId"])
    if not suspects:
        raise SenguError(f"--clean suspect: {LABEL_ERRORS} suspects no label: leave it out")
    path = LISTS / f"{wanted.name}-suspect.csv"
    write_list(path, suspects, f"suspect in {LABEL_ERRORS}")
    clean = tuple(entry for entry in wanted.clean if entry != SUSPECT)
    return Recipe(**{**vars(wanted), "clean": clean, "exclude": (*wanted.exclude, path)})


def write_list(path: Path, ids: Sequence[str], reason: str) -> None:
    """Writes a list of objects with the reason why they are on it. Raises SenguError if that would replace another list."""
    if path.is_file():
        raise SenguError(f"{path} already exists: choose another name for the version, or delete the list if nothing reads it")
    with replaced_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([("objectId", "reason"), *((name, reason) for name in ids)])


@click.command("create")
@click.argument("name")
@click.option("--from", "parents", metavar="PARENT", multiple=True, help="A version to start from; several are merged.")
@click.option("--extend", multiple=True, metavar="SHEET|SITE", help="Add the current labels of the objects of a sheet or site.")
@click.option("--where", default="", help="Keep objects that meet a condition, such as \"site == 'x' and width >= 224\".")
@click.option("--exclude", multiple=True, type=click.Path(path_type=Path), help="A CSV file of objectIds to take out.")
@click.option("--clean", default="", help=f"Take out {', '.join(recipe.CLEANINGS)} and suspect; joined by commas, with =limit.")
@click.option(
    "--prefer", default="", metavar="PARENT", help="Whose label counts where sources differ; `labels` for the current labels."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A fact to keep in dataset.json.")
@click.option("--semver", default="1.0.0", show_default=True, help="The semantic version.")
@click.option("--purpose", required=True, help="What the version is for.")
@click.option("--description", required=True, help="What is in it.")
def create_command(
    name: str,
    parents: tuple[str, ...],
    extend: tuple[str, ...],
    where: str,
    exclude: tuple[Path, ...],
    clean: str,
    prefer: str,
    settings: tuple[str, ...],
    semver: str,
    purpose: str,
    description: str,
) -> None:
    """Write the dataset version NAME into datasets/dvc.yaml; `dvc repro` then builds it.

    Without --from, it holds the current labels.
    """
    named = tuple(part for text in parents for part in text.split(","))
    from_labels = not named or bool(extend)
    made = create(
        Recipe(
            version=recipe.FOLDER / name,
            index=places.INDEX,
            captures=places.CAPTURES,
            objects=places.TREES,
            erased=TOMBSTONES,
            parents=tuple(recipe.FOLDER / parent for parent in named),
            labels=places.LABEL if from_labels else None,
            details=places.DATA / recipe.DETAILS if from_labels else None,
            sheets=places.LABELS if from_labels else None,
            duplicates=places.DUPLICATES if "duplicates" in clean else None,
            extend=extend,
            where=" ".join(where.split()),
            exclude=exclude,
            clean=tuple(filter(None, clean.split(","))),
            prefer=prefer,
            set=settings,
            semver=semver,
            purpose=" ".join(purpose.split()),
            description=" ".join(description.split()),
        )
    )
    listed = "".join(f", {path}" for path in made.exclude if path.is_relative_to(LISTS))
    click.echo(f"datasets/dvc.yaml{listed}: version {name} written; `dvc repro datasets/dvc.yaml:{name}` builds it")
