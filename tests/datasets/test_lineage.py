"""Family trees of versions, from stages as datasets/dvc.yaml has them."""

from typing import Any

import pytest

from sengu.base.errors import SenguError
from sengu.datasets import lineage


def stage(name: str, *parents: str, **more: Any) -> dict[str, Any]:
    deps = [f"data/dataset/{parent}" for parent in parents]
    return {"cmd": "python make.py", "wdir": "..", "deps": [*deps, "make.py"], "outs": [f"data/dataset/{name}"], **more}


STAGES = {"A": stage("A"), "B": stage("B"), "A-clean": stage("A-clean", "A"), "AB": stage("AB", "A-clean", "B", "A")}


def test_a_tree_is_ordered_parents_first() -> None:
    family = lineage.tree(dict(reversed(STAGES.items())))
    ordered = family.ordered()
    assert set(ordered) == set(STAGES)
    assert all(ordered.index(parent) < ordered.index(name) for name, node in family.nodes.items() for parent in node.parents)
    assert family.ancestors("A-clean") == ["A", "A-clean"]
    assert family.children("A") == ["AB", "A-clean"]


def test_a_tree_is_drawn() -> None:
    assert lineage.drawn(lineage.tree(STAGES)) == ["AB", "├─ A-clean", "│  └─ A", "├─ B", "└─ A"]


def test_an_output_may_be_written_with_options_and_without_wdir() -> None:
    entry = {"cmd": "x", "deps": ["../data/dataset/A"], "outs": [{"../data/dataset/B": {"persist": True}}]}
    assert lineage.tree({"A": STAGES["A"], "B": entry}).node("B").parents == ("A",)


@pytest.mark.parametrize(("given", "deps"), [("", "A"), ("--from data/dataset/A", ""), ("--from data/dataset/B", "A")])
def test_parents_that_command_and_deps_do_not_share_are_named(given: str, deps: str) -> None:
    options = "--labels data/label.csv --index i --captures c --objects o --erased e"
    command = f"python -m sengu.stages.dataset data/dataset/C {options} {given} {'--extend a.csv' if given else ''}"
    entry = {"cmd": command, "deps": [f"data/dataset/{name}" for name in deps], "wdir": "..", "outs": ["data/dataset/C"]}
    with pytest.raises(SenguError, match=r"--from in the command of C and its deps differ: (A|A, B): name the same parents"):
        lineage.tree({"A": stage("A"), "B": stage("B"), "C": entry})


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ({"A": stage("A", "B"), "B": stage("B", "C"), "C": stage("C", "A")}, "A <- B <- C <- A is a circle"),
        ({"A": stage("A", "A")}, "A <- A is a circle"),
        ({"A": stage("A", "gone")}, "A comes from gone, which is not a version: the versions are A"),
    ],
)
def test_circles_and_missing_parents_are_errors(stages: dict[str, Any], message: str) -> None:
    with pytest.raises(SenguError) as error:
        lineage.tree(stages).ordered()
    assert message in str(error.value)


def test_an_unknown_version_names_those_there_are() -> None:
    with pytest.raises(SenguError, match="there is no dataset version Z: the versions are A, B, A-clean, AB"):
        lineage.tree(STAGES).node("Z")


def test_fifty_generations_and_more_are_no_recursion() -> None:
    stages = {"v0": stage("v0")} | {f"v{i}": stage(f"v{i}", f"v{i - 1}") for i in range(1, 3000)}
    assert lineage.tree(stages).ancestors("v2999")[-1] == "v2999"
