"""Every tampering of tests/commands/dataset/test_check.py -> what DVC alone says of it, as the table of docs/datasets.md.

    python tests/soak/tampering.py [PROJECT]

Of each, in a copy of a small project: whether `sengu dataset check` finds it, what `dvc status` says of the version and all it
comes from, and which labels the version has after `dvc repro`. PROJECT is one that `versioned.make_final` made; by default it is
made anew. It takes some minutes, so it is no test of the suite.
"""

import sys
import tempfile
from contextlib import chdir
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "commands/dataset"))

import versioned
from test_check import TAMPERINGS, check, object_flipped

STAGE = "datasets/dvc.yaml:B"
LABEL = Path("data/dataset/B/label.csv")


def asked_of_dvc(folder: Path, labels: bytes) -> tuple[str, str]:
    """What `dvc status` says, and what becomes of the labels if somebody runs `dvc repro`."""
    with chdir(folder), Repo() as repo:
        try:
            noticed = bool(repo.status(targets=[STAGE], with_deps=True))
        except DvcException:
            return "fails", "fails"
        try:
            repo.reproduce(targets=[STAGE])
        except DvcException:
            return "notices" if noticed else "up to date", "fails"
        kept = LABEL.is_file() and LABEL.read_bytes() == labels
        return "notices" if noticed else "up to date", "its labels" if kept else "other labels or none, exit code 0"


def table(made: Path) -> None:
    labels = (made / LABEL).read_bytes()
    print("| what is done | `sengu dataset check` | `dvc status` | after `dvc repro` |\n| --- | --- | --- | --- |", flush=True)
    blind = 0
    for tamper in TAMPERINGS:
        folder = versioned.copied(made)
        tamper(folder)
        found = check(folder, *(["--deep"] if tamper is object_flipped else [])).exit_code == 1
        status, after = asked_of_dvc(folder, labels)
        blind += status == "up to date"
        cells = (tamper.__name__.replace("_", " "), "finds it" if found else "misses it", status, after)
        print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\n`dvc status` calls {blind} of {len(TAMPERINGS)} up to date.")


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        table(Path(sys.argv[1]).resolve() if sys.argv[1:] else versioned.make_final(Path(temporary) / "project"))


if __name__ == "__main__":
    main()
