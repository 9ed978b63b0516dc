"""A clone and its stages -> each rerun by force in varied surroundings, compared with its pins, and explained."""

import json
import logging
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sengu.base.digests import md5
from sengu.repository import comparing, dvc_lock
from sengu.reruns import variations
from sengu.reruns.clones import Clone, tail
from sengu.reruns.differences import explain
from sengu.reruns.steps import Step
from sengu.reruns.variations import STILL_CLOCK

TOLERANCE = 0.02  # by which a metric may differ on another kind of processor

UNEXPLAINED = "another hash; the pinned content is not here to compare with"

State = Literal["same", "tolerated", "changed", "failed", "skipped"]
Pins = dict[str, str]  # path -> hash, of one stage

logger = logging.getLogger("handover")


@dataclass(frozen=True)
class Row:
    """The result of one stage; `why` explains all states but `same`; `causes` are the variations that the outputs follow."""

    stage: str
    state: State
    seconds: float
    why: str = ""
    causes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rerun:
    """Reruns in one clone, whose lock files hold the pins."""

    clone: Clone
    pinned: Mapping[str, Pins]
    hook: Path  # a folder with the module that varies the surroundings
    before: Path  # a folder for the outputs as they were pinned
    hands_on: bool = False  # whether every difference is passed on to the next stages

    def rows(self, steps: Iterable[Step], varied: bool = True) -> Iterator[Row]:
        """One row per stage, in order. After a failed stage, those that need its outputs fail, too.

        If a data stage differs, its pinned outputs are put back, so that each stage is judged by itself; numbers that differ are
        passed on, so that the final metrics show the effect.
        """
        for step in steps:
            if step.skipped:
                yield Row(step.name, "skipped", 0.0, step.skipped)
                continue
            self._keep(step)
            started = time.monotonic()
            names = (variations.FOR_NUMBERS if step.numeric else variations.VARIATIONS) if varied else ()
            outcome, said = self._run(step, names)
            seconds = time.monotonic() - started
            row = self._judged(step, outcome, said, seconds)
            if row.state != "same" and not step.numeric and not self.hands_on:
                if varied:
                    causes = self._causes(step)
                    row = replace(row, causes=causes, why=f"{row.why}; {_in_words(causes)}")
                self._restore(step)
            shutil.rmtree(self.before, ignore_errors=True)
            logger.info("%s: %s, %.1f s%s", row.stage, row.state, seconds, f": {row.why}" if row.why else "")
            yield row

    def _run(self, step: Step, names: Iterable[str]) -> tuple[Pins | None, str]:
        """The hashes of the outputs after one run, None if it failed; and what was printed."""
        done = self.clone.run(
            "dvc", "repro", "--force", "--single-item", step.address, extra=variations.variables(names, self.hook)
        )
        if done.returncode:
            return None, done.stdout
        return pins(self.clone.folder).get(step.name, {}), done.stdout

    def _judged(self, step: Step, outcome: Pins | None, said: str, seconds: float) -> Row:
        if outcome is None:
            return Row(step.name, "failed", seconds, tail(said))
        expected = self.pinned.get(step.name)
        if expected is None:
            return Row(step.name, "failed", seconds, "no lock file pins it: run `dvc repro`, commit and push")
        for path in [*expected, *(path for path in outcome if path not in expected)]:
            if outcome.get(path) != expected.get(path):
                difference = explain(self.before / path, self.clone.folder / path)
                return Row(step.name, "changed", seconds, f"{path}: {difference or UNEXPLAINED}")
        return Row(step.name, "same", seconds)

    def _causes(self, step: Step) -> tuple[str, ...]:
        """The variations, one at a time, under which the outputs are others than without; "chance" if no two runs agree."""
        plain = self._outcome(step)
        if plain != self._outcome(step):
            return ("clock",) if self._outcome(step, STILL_CLOCK) == self._outcome(step, STILL_CLOCK) else ("chance",)
        causes = tuple(name for name in variations.VARIATIONS if self._outcome(step, name) != plain)
        return causes or (("code or environment",) if plain != self.pinned.get(step.name) else ())

    def _outcome(self, step: Step, *names: str) -> Pins | None:
        """The outputs of a stage as `_run` gives them, but without DVC, which takes longer than most stages."""
        for out in step.outs:
            if not out.persist:
                _remove(self.clone.folder / out.path)
        surroundings = {**variations.variables(names, self.hook), "DVC_STAGE": step.address}
        for command in step.commands:
            if self.clone.run("sh", "-c", command, extra=surroundings).returncode:
                return None
        paths = {out.path: self.clone.folder / out.path for out in step.outs}
        return {name: dvc_lock.dvc_hash(path) if path.is_dir() else md5(path) for name, path in paths.items() if path.exists()}

    def _keep(self, step: Step) -> None:
        """Copies the pinned outputs, to explain differences; object trees are not here before their stage."""
        for out in step.outs:
            if out.cached or (self.clone.folder / out.path).is_file():
                _copy(self.clone.folder / out.path, self.before / out.path)

    def _restore(self, step: Step) -> None:
        self.clone.must_run("git", "checkout", "--quiet", "--force", "HEAD", "--", ".")
        for out in step.outs:
            if (self.before / out.path).exists():
                _copy(self.before / out.path, self.clone.folder / out.path)


def _copy(source: Path, target: Path) -> None:
    _remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.is_file():
        shutil.copy(source, target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def pins(folder: Path) -> dict[str, Pins]:
    """Stage -> the paths and hashes of its outputs, by the lock files of a folder."""
    pinned: dict[str, Pins] = {}
    for (stage, path), value in comparing.pinned(comparing.stages(folder)).items():
        pinned.setdefault(stage, {})[path] = value
    return pinned


def _in_words(causes: tuple[str, ...]) -> str:
    if not causes:
        return "only several variations together cause it"
    if causes == ("chance",):
        return "no two runs agree: a random number without a seed, or a race"
    if causes == ("code or environment",):
        return (
            "every rerun gives the same result, so the code, the libraries or an input differ from those "
            "that the lock file was made with"
        )
    return f"it depends on the {' and the '.join(causes)}"


def metrics_moved(clone: Clone) -> dict[str, float]:
    """Metric -> by how much it differs from the commit, of those that do."""
    done = clone.must_run("dvc", "metrics", "diff", "--json")
    moved: dict[str, float] = {}
    for path, metrics in json.loads(done.splitlines()[-1] or "{}").items():
        for name, change in metrics.items():
            if isinstance(change.get("diff"), int | float):
                moved[f"{path}: {name}"] = float(change["diff"])
            else:
                moved[f"{path}: {name}"] = float("inf")
    return moved


def tolerated(
    rows: Iterable[Row], steps: Iterable[Step], moved: Mapping[str, float], exact: Collection[str] = frozenset()
) -> list[Row]:
    """The rows, in which stages of numbers that changed count as tolerated if no metric moved further than TOLERANCE.

    The `exact` stages are not tolerated: they gave the pinned bytes on this kind of processor before.
    """
    numeric = {step.name for step in steps if step.numeric}
    furthest = max(moved.items(), key=lambda item: abs(item[1]), default=("", 0.0))
    is_near = abs(furthest[1]) <= TOLERANCE
    note = f"the metric that moved furthest is {furthest[0]} ({furthest[1]:+.4f})" if furthest[0] else "no metric moved"

    def judged(row: Row) -> Row:
        if row.state != "changed" or row.stage not in numeric:
            return row
        if row.stage in exact:
            return replace(
                row, why=f"{row.why}; {note}; this kind of processor gave the pinned bytes before, so no difference is tolerated"
            )
        return replace(row, state="tolerated" if is_near else "changed", why=f"{row.why}; {note}, {TOLERANCE} is tolerated")

    return [judged(row) for row in rows]


def first_bad(rows: Iterable[Row]) -> Row | None:
    return next((row for row in rows if row.state in ("changed", "failed")), None)
