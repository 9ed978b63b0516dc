"""Two lock files -> the outputs that only one of them pins, or that they pin with different hashes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sengu.base.errors import SenguError, run_program
from sengu.repository import dvc_lock

LOCKS = (Path("dvc.lock"), Path("datasets/dvc.lock"))  # of a repository, from its root

State = Literal["same", "changed", "missing", "added"]


@dataclass(frozen=True, order=True)
class Output:
    """An output of a stage with its hashes in the old and the new lock; "" if a lock does not pin it."""

    stage: str
    path: str
    old: str
    new: str

    @property
    def state(self) -> State:
        if self.old == self.new:
            return "same"
        return "added" if not self.old else "missing" if not self.new else "changed"

    def __str__(self) -> str:
        return f"{self.state} {self.stage} {self.path} {self.old or '-'} {self.new or '-'}"


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Output]:
    """Every output that stages of the old or the new lock pin, in the order of the old lock; new stages come last."""
    before, after = pinned(old), pinned(new)
    return [Output(*place, before.get(place, ""), after.get(place, "")) for place in dict.fromkeys([*before, *after])]


def pinned(stages: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """The pins of a lock file: (stage, path) -> hash."""
    return {(name, out["path"]): hash_of(out) for name, stage in stages.items() for out in stage.get("outs", [])}


def digest(stages: Mapping[str, Any]) -> str:
    """Lower-case hex SHA-256 of all outputs that are pinned; a change of code alone leaves it as it is."""
    rows = sorted([*place, value] for place, value in pinned(stages).items())
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def stages(folder: Path) -> dict[str, Any]:
    """The stages of both lock files of a repository, those of datasets/dvc.lock as `datasets:v1`.

    Raises SenguError if there is neither.
    """
    locks = [lock for lock in LOCKS if (folder / lock).is_file()]
    if not locks:
        raise SenguError(f"{folder} has no {LOCKS[0]}: name the root of a repository in which `dvc repro` has run")
    return {in_repository(lock, name): stage for lock in locks for name, stage in dvc_lock.stages(folder / lock).items()}


def in_repository(lock: Path, name: str) -> str:
    """The name of a stage that distinguishes it from stages of the other lock file."""
    return name if lock.parent == Path() else f"{lock.parent}:{name}"


def hash_of(out: Mapping[str, Any]) -> str:
    """The hash of a dep or an out of a lock file."""
    return str(out.get(out.get("hash", "md5"), out.get("md5", "")))


def main(arguments: list[str]) -> None:
    old, new = map(Path, arguments)
    outputs = compare(stages(old), stages(new))
    for output in outputs:
        if output.state != "same":
            print(output)
    same = sum(output.state == "same" for output in outputs)
    print(f"{same} of {len(outputs)} outputs are the same")
    if same < len(outputs):
        raise SystemExit(1)


if __name__ == "__main__":
    run_program(main, "OLD_FOLDER NEW_FOLDER")
