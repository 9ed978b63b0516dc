"""datasets/dvc.yaml -> the family tree of the versions: parents, children, order; a cycle or a missing parent is an error."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sengu.base.errors import SenguError
from sengu.datasets import recipe as recipes
from sengu.datasets.recipe import FOLDER, Recipe

FINALISED = "finalised"  # the key under a stage's `meta` that holds the semantic version under which it was tagged


@dataclass(frozen=True)
class Node:
    """A version; `stage` is its stage in datasets/dvc.yaml, and `recipe` is None if that runs a script of its own."""

    name: str
    stage_name: str
    stage: Mapping[str, Any]
    parents: tuple[str, ...]
    recipe: Recipe | None

    @property
    def finalised(self) -> str:
        """The semantic version under which it was finalised; empty if it was not."""
        return str((self.stage.get("meta") or {}).get(FINALISED, ""))

    @property
    def semver(self) -> str:
        return self.recipe.semver if self.recipe else self.finalised or "1.0.0"


@dataclass(frozen=True)
class Tree:
    """All versions by name, in the order of the file."""

    nodes: Mapping[str, Node]

    def node(self, name: str) -> Node:
        if name not in self.nodes:
            raise SenguError(f"there is no dataset version {name}: the versions are {', '.join(self.nodes) or 'none'}")
        return self.nodes[name]

    def children(self, name: str) -> list[str]:
        """The versions that name it as a parent."""
        return [node.name for node in self.nodes.values() if name in node.parents]

    def ordered(self) -> list[str]:
        """All names, parents first. Raises SenguError for a cycle and for a parent that is not a version."""
        done: dict[str, None] = {}
        for name in self.nodes:
            for ancestor in self._ancestors(name):
                done.setdefault(ancestor)
        return list(done)

    def ancestors(self, name: str) -> list[str]:
        """The version and all its ancestors, parents first."""
        return list(dict.fromkeys(self._ancestors(name)))

    def _ancestors(self, name: str) -> Iterator[str]:
        # without recursion: any depth
        path: list[str] = []
        stack = [(name, iter(self.node(name).parents))]
        path.append(name)
        seen = {name}
        while stack:
            current, parents = stack[-1]
            parent = next(parents, None)
            if parent is None:
                stack.pop()
                path.pop()
                yield current
            elif parent in path:
                circle = [*path[path.index(parent) :], parent]
                raise SenguError(f"datasets/dvc.yaml: {' <- '.join(circle)} is a circle: take one of these parents out")
            elif parent not in self.nodes:
                raise SenguError(
                    f"datasets/dvc.yaml: {current} comes from {parent}, which is not a version: the versions are "
                    f"{', '.join(self.nodes)}; write its stage again, or take it out of the deps and the command of {current}"
                )
            elif parent not in seen:
                seen.add(parent)
                path.append(parent)
                stack.append((parent, iter(self.nodes[parent].parents)))


def tree(stages: Mapping[str, Mapping[str, Any]]) -> Tree:
    """The versions among stages: those with an output data/dataset/<name>."""
    nodes = {}
    for stage_name, stage in stages.items():
        for name in _versions(stage, "outs"):
            recipe = recipes.of_stage(dict(stage))
            if recipe is not None and recipe.name != name:
                raise SenguError(
                    f"datasets/dvc.yaml: {stage_name} writes {recipe.version}, but its output is {FOLDER / name}: correct one"
                )
            parents = tuple(_versions(stage, "deps"))
            if recipe is not None and (differ := {path.name for path in recipe.parents} ^ set(parents)):
                raise SenguError(
                    f"datasets/dvc.yaml: --from in the command of {stage_name} and its deps differ: {', '.join(sorted(differ))}: "
                    "name the same parents in both"
                )
            nodes[name] = Node(name, stage_name, stage, parents, recipe)
    return Tree(nodes)


def drawn(family: Tree, name: str | None = None) -> list[str]:
    """The family tree as lines, newest first, like `git log --graph`: each version above its parents, indented."""
    roots = [name] if name else [root for root in family.nodes if not family.children(root)]
    lines: list[str] = []
    drawn_before: set[str] = set()
    stack = [(root, "", "") for root in reversed(roots)]
    while stack:
        current, mark, below = stack.pop()
        node = family.node(current)
        again = " (above)" if current in drawn_before and node.parents else ""
        lines.append(f"{mark}{current}{again}")
        if not again:
            last = len(node.parents) - 1
            children = [
                (parent, below + ("└─ " if i == last else "├─ "), below + ("   " if i == last else "│  "))
                for i, parent in enumerate(node.parents)
            ]
            stack += reversed(children)
        drawn_before.add(current)
    return lines


def _versions(stage: Mapping[str, Any], key: str) -> Iterator[str]:
    """The names of the versions among deps or outs, by their paths from the root of the repository."""
    above = PurePosixPath(str(stage.get("wdir", ".")))
    for entry in stage.get(key) or []:
        text = str(next(iter(entry)) if isinstance(entry, Mapping) else entry)
        path = _normal(PurePosixPath("datasets") / above / text)
        if path.parent == PurePosixPath(FOLDER.as_posix()):
            yield path.name


def _normal(path: PurePosixPath) -> PurePosixPath:
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return PurePosixPath(*parts)
