"""dvc.yaml of a repository -> its stages in the order in which they run, and the reason if one may not run again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml
from dvc.repo import Repo

CRAWL = "crawl"
# from these stages on, results are sums of floating-point numbers, which processors round differently
NUMERIC = ("backbone", "features")
TRAIN = "train"  # `--quick` leaves it out, and all that follows from it


@dataclass(frozen=True)
class Out:
    path: str  # from the root of the repository
    cached: bool
    persist: bool


@dataclass(frozen=True)
class Step:
    """A stage. `skipped` says why it does not rerun; `numeric` and `trained` mean that it is, or follows, such a stage."""

    name: str  # as in `comparing.stages`
    address: str  # as `dvc repro` takes it
    commands: tuple[str, ...]  # for a shell in the root of the repository
    outs: tuple[Out, ...]
    skipped: str = ""
    numeric: bool = False
    trained: bool = False

    def without(self, reason: str) -> "Step":
        return replace(self, skipped=reason)


def steps(folder: Path, sites: Mapping[str, Any]) -> list[Step]:
    """The stages of a repository, those first that others depend on; `sites` is that section of its params.yaml."""
    with Repo(str(folder)) as repo:
        graph = repo.index.graph
        root = Path(repo.root_dir)
        stages = sorted(graph.nodes, key=lambda stage: stage.addressing)
        needs = {stage: list(graph.successors(stage)) for stage in stages}
        order = list(TopologicalSorter(needs).static_order())
        numeric, trained = _following(needs, order, NUMERIC), _following(needs, order, (TRAIN,))
        return [
            Step(
                name=_name(root, stage),
                address=_address(root, stage),
                commands=tuple(stage.cmd if isinstance(stage.cmd, list) else [stage.cmd]),
                outs=tuple(
                    Out(Path(out.fs_path).relative_to(root).as_posix(), bool(out.use_cache), bool(out.persist))
                    for out in stage.outs
                ),
                skipped=_reason(stage, sites),
                numeric=stage in numeric,
                trained=stage in trained,
            )
            for stage in order
            if hasattr(stage, "name")  # a .dvc file is not a stage of a pipeline
        ]


def sites_of(folder: Path) -> dict[str, Any]:
    """The section `sites` of params.yaml of a repository, unchecked; none if there is none."""
    path = folder / "params.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return dict((document or {}).get("sites") or {})


def _following(needs: Mapping[Any, Iterable[Any]], order: Iterable[Any], names: tuple[str, ...]) -> set[Any]:
    """The stages with these names, and all stages that need them."""
    following: set[Any] = set()
    for stage in order:
        if getattr(stage, "name", "") in names or not following.isdisjoint(needs[stage]):
            following.add(stage)
    return following


def _name(root: Path, stage: Any) -> str:
    folder = Path(stage.path).relative_to(root).parent
    return stage.name if folder == Path() else f"{folder.as_posix()}:{stage.name}"


def _address(root: Path, stage: Any) -> str:
    """The address of a stage in the root of the repository; DVC's own `addressing` is relative to the folder of this process."""
    file = Path(stage.path).relative_to(root)
    return stage.name if file == Path("dvc.yaml") else f"{file.as_posix()}:{stage.name}"


def _reason(stage: Any, sites: Mapping[str, Any]) -> str:
    kind, _, site = stage.name.partition("@")
    if kind == CRAWL and not sites.get(site, {}).get("fetch", {}).get("reproducible"):
        return "the web is not asked again: the archive is the source"
    return "frozen" if stage.frozen else ""
