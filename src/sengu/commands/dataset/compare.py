"""`sengu dataset compare`: versions, each trained and measured -> accuracies on the test pictures that all of them share."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import click
import numpy as np
import pandas as pd

from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.base.tables import csvfile
from sengu.commands import places
from sengu.datasets import lineage
from sengu.datasets.recipe import FOLDER
from sengu.evaluation.intervals import independent, of_difference, wilson
from sengu.repository import pipeline
from sengu.repository.git import git
from sengu.stages.split import of_version

PATIENCE = 60  # seconds that DVC and a stage have to end
PREDICTIONS = Path("reports/plots/predictions.csv")
WRITTEN = ("params.yaml", "dvc.lock", "datasets/dvc.lock", "reports/metrics.json", "reports/summary")  # by an experiment, in Git


@dataclass(frozen=True)
class Compared:
    """A version and its model on the shared test pictures: accuracy, and the difference to the first, with 95% intervals."""

    version: str
    own_test: int
    shared: int
    accuracy: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float


def compare(predictions: Mapping[str, pd.DataFrame], duplicates: pd.DataFrame) -> list[Compared]:
    """Compares versions, in their order, by tables of objectId, actual and predicted of their own test pictures.

    A picture counts if it is a test picture of all versions, with the same label in all: a model cannot decide which label is
    right. The interval of an accuracy is Wilson's; that of a difference is the paired one of Bonett & Price. Near-duplicates
    count as one picture. Raises SenguError if no picture is left.
    """
    tables_of = {name: table.set_index("objectId") for name, table in predictions.items()}
    shared = shared_by({name: table["actual"] for name, table in tables_of.items()})
    groups = tables.groups(pd.Series(shared), duplicates).to_numpy()
    count = np.array(independent(groups))
    right = {name: (t.loc[shared, "actual"] == t.loc[shared, "predicted"]).to_numpy() for name, t in tables_of.items()}
    base = next(iter(right.values()))
    compared = []
    for name, correct in right.items():
        low, high = wilson(np.array(correct.mean()), count).tolist()
        better, worse = np.array((correct & ~base).mean()), np.array((base & ~correct).mean())
        less, more = of_difference(better, worse, count).tolist()
        own = len(tables_of[name])
        compared.append(Compared(name, own, len(shared), float(correct.mean()), low, high, float(better - worse), less, more))
    return compared


def shared_by(actual: Mapping[str, pd.Series]) -> pd.Index:
    """The test pictures that all versions have, with the same label; `actual` has a version's labels by object id.

    Raises SenguError if there is none.
    """
    first, *others = actual.values()
    shared = first.index
    for other in others:
        shared = shared[shared.isin(other.index)]
        shared = shared[(first.loc[shared] == other.loc[shared]).to_numpy()]
    if shared.empty:
        raise SenguError(f"{', '.join(actual)} share no test picture with the same label: compare versions that overlap")
    return shared


def held_out(name: str, duplicates: pd.DataFrame) -> pd.Series:
    """The labels of a version's test pictures by object id, as the stage `split` chooses them."""
    table = of_version(FOLDER / name, duplicates)
    return table[table["type"] == "test"].set_index("objectId")["value"]


def train(name: str) -> pd.DataFrame:
    """Trains and measures a version as an experiment of DVC; returns the predictions on its test pictures.

    Earlier runs come from DVC's run cache. Raises SenguError if it fails.
    """
    _dvc("exp", "run", "--set-param", f"split.dataset={name}", "evaluate")
    predictions = csvfile.read(PREDICTIONS)
    return predictions[predictions["type"] == "test"]


def _dvc(*arguments: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    with subprocess.Popen(
        [sys.executable, "-m", "dvc", *arguments], env={**os.environ, "PATH": path}, stdout=sys.stderr, start_new_session=True
    ) as child:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            _end(child)
            raise
    if code:
        raise SenguError(f"`dvc {' '.join(arguments)}` failed, see above: correct that, and try again")


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Interrupts DVC and its stage, and waits: a stage in the background would overwrite the restored files."""
    os.killpg(child.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        child.wait(PATIENCE)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


@contextmanager
def _signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    """Handles Ctrl-C, the end of the terminal and `kill` in the block."""
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _restore() -> None:
    """Restores the files that an experiment wrote, as committed; labels that people gave meanwhile stay."""
    if there := git("ls-tree", "--name-only", "HEAD", "--", *WRITTEN).splitlines():
        git("checkout", "HEAD", "--", *there)


def run(names: Sequence[str]) -> list[Compared]:
    """Trains each version in turn, and restores the workspace as committed, also after an interrupt.

    Raises SenguError.
    """
    family = lineage.tree(pipeline.versions())
    for name in names:
        family.node(name)
    if changed := git("status", "--porcelain").splitlines():
        raise SenguError(
            f"{counted(len(changed), 'file')} not committed ({changed[0].strip()}…): commit or stash them: each training "
            "changes params.yaml"
        )
    duplicates = tables.read(places.DUPLICATES, tables.Duplicate)
    shared_by({name: held_out(name, duplicates) for name in names})  # before hours of training
    predictions = {}
    try:
        with _signals(signal.default_int_handler):
            for name in names:
                predictions[name] = train(name)
                _restore()
        return compare(predictions, duplicates)
    finally:
        with _signals(signal.SIG_IGN):
            _restore()
            _dvc("checkout", "--force", "--allow-missing")


@click.command("compare")
@click.argument("names", metavar="A B…", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def compare_command(names: tuple[str, ...], as_json: bool) -> None:
    """Train and measure the versions A, B…, each as a DVC experiment, and compare them on their common test pictures.

    Differences are relative to A. `dvc exp show` lists the experiments, and `dvc exp apply` applies one.
    """
    if len(set(names)) < 2:
        raise click.UsageError("name two versions or more, each once")
    compared = run(list(dict.fromkeys(names)))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in compared], indent=2))
        return
    rows = [
        (
            row.version,
            f"{row.accuracy:.3f} ({row.low:.3f} to {row.high:.3f})",
            "-" if row is compared[0] else f"{row.difference:+.3f} ({row.difference_low:+.3f} to {row.difference_high:+.3f})",
        )
        for row in compared
    ]
    click.echo(
        pd.DataFrame(
            rows,
            columns=["version", f"accuracy on {compared[0].shared} shared test pictures", f"difference to {compared[0].version}"],
        ).to_string(index=False)
    )
