"""Every tampering of tests/commands/dataset/test_check.py -> what DVC alone says of it, as the table of docs/datasets.md.

    python tests/soak/tampering.py

Of each, in a copy of a small project: what `sengu dataset check` finds, what `dvc status` says of the final version and of its
parent, and which labels the version has after `dvc repro`. It takes some minutes, so it is no test of the suite.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "commands/dataset"))

import versioned
from project import attempt, run
from test_check import TAMPERINGS, check, object_flipped

STAGE = "datasets/dvc.yaml:B"
LABEL = "data/dataset/B/label.csv"


def after_repro(folder: Path, labels: bytes) -> str:
    """What becomes of the version if somebody runs `dvc repro`."""
    done = attempt(folder, "dvc", "repro", "--quiet", STAGE)
    if done.returncode:
        return "fails"
    path = folder / LABEL
    return "its labels" if path.is_file() and path.read_bytes() == labels else "other labels, exit code 0"


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        made = versioned.make_final(Path(temporary) / "project")
        labels = (made / LABEL).read_bytes()
        print("| what is done | `sengu dataset check` | `dvc status` | after `dvc repro` |\n| --- | --- | --- | --- |")
        blind = 0
        for tamper in TAMPERINGS:
            folder = versioned.copied(made)
            tamper(folder)
            found = check(folder, *(["--deep"] if tamper is object_flipped else [])).exit_code == 1
            said = run(folder, "dvc", "status", "--with-deps", STAGE)
            noticed = "up to date" not in said
            blind += not noticed
            cells = ("finds it" if found else "misses it", "notices" if noticed else "up to date", after_repro(folder, labels))
            print(f"| {tamper.__name__.replace('_', ' ')} | {' | '.join(cells)} |", flush=True)
        print(f"\n`dvc status` calls {blind} of {len(TAMPERINGS)} up to date.")


if __name__ == "__main__":
    main()
