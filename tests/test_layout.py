"""docs/layout.md names files and functions that are there; names, parameters and docstrings of the code keep the house style."""

import ast
import re
from collections.abc import Iterator

import pytest
import yaml
from project import ROOT

TEXT = (ROOT / "docs/layout.md").read_text()
VAGUE = {"found", "one", "so", "told", "shown"}  # how a thing was come by, not what it is
MOST = 5  # parameters
SOURCES = sorted((ROOT / "src/sengu").rglob("*.py"))
RELEASED = ROOT / "src/sengu/release/standalone.py"  # part of every release: a new word in it changes the pinned bytes
# begin a question, half a sentence, or a sentence that needs the one before it
NO_BEGINNING = re.compile(
    r"(What|Whether|Which|Who|Whom|Whose|Where|When|Why|How|Is|Are|Was|Were|Do|Did|Has|Have|Can|Could|May|Must|Should|Would|"
    r"So|If|As|Likewise|And|Or|But|Because|Of|In|Within|By|From|With|Without|For|At|To|Into|On|This|That|These|Those|It|They)\b"
)
QUESTIONS = TEXT.partition("## Five questions")[2].split("\n- ")[1:]


@pytest.mark.parametrize("question", QUESTIONS, ids=[text[2:40] for text in QUESTIONS])
def test_what_a_question_names_is_there(question: str) -> None:
    files = re.findall(r"`((?:src|crawlers)/[\w/.]+)`", question)
    assert files
    text = "".join((ROOT / name).read_text() for name in files)
    names = [name for name in re.findall(r"`([A-Za-z_][\w.]*)`", question) if not name.endswith((".py", ".html", ".yaml"))]
    # a name is a function, a method or a class of these files, or a section of params.yaml
    assert [name for name in names if not re.search(rf"(def|class) {name.rpartition('.')[2]}\b", text)] == []


def test_every_room_stands_in_the_table() -> None:
    table = TEXT.partition("| layer |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)(?:/|\.py)`", table))
    rooms = {path.stem for path in (ROOT / "src/sengu").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert named == rooms - {"__init__"} | {"crawlers"}


def named(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What a module gives a name to: variables, parameters, fields, functions and classes, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, node.lineno


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Those that a caller passes. A command of click has none: its options are passed by click."""
    if any("command" in ast.unparse(decorator) for decorator in function.decorator_list):
        return []
    given = function.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def test_a_name_says_what_a_thing_is() -> None:
    trees = {path: ast.parse(path.read_text()) for path in SOURCES}
    vague = [f"{path.relative_to(ROOT)}:{line}: {name}" for path in SOURCES for name, line in named(trees[path]) if name in VAGUE]
    assert vague == []


def test_a_function_takes_few_parameters() -> None:
    many = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and len(parameters(node)) > MOST
    ]
    assert many == []


def test_the_table_of_what_an_edit_reruns_names_every_stage_that_depends_on_a_room() -> None:
    lines = TEXT.partition("| edit in |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [line.strip("|").split(" | ") for line in lines]
    dependent: dict[str, set[str]] = {}
    for name in ("dvc.yaml", "datasets/dvc.yaml"):
        for stage, entry in yaml.safe_load((ROOT / name).read_text())["stages"].items():
            for dep in entry.get("do", entry).get("deps", []):
                if match := re.search(r"src/sengu/(\w+(?:\.py)?)$", dep):
                    dependent.setdefault(match[1], set()).add(stage if name == "dvc.yaml" else "dataset versions")
    for room in dependent.keys() - {"__init__.py", "base"}:
        stages = next((cells[1] for cells in rows if f"`{room}" in cells[0]), "not in the table")
        follows = "and what follows" in stages or room == "backbones"
        in_the_row = set(re.findall(r"`(\w+)`", stages)) | ({"dataset versions"} if "dataset versions" in stages else set())
        assert dependent[room] <= in_the_row if follows else dependent[room] == in_the_row, room


def test_a_docstring_stands_alone_and_begins_with_a_noun_or_a_verb() -> None:
    beginnings = []
    for path in [*SOURCES, *sorted((ROOT / "crawlers").rglob("*.py"))]:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), f"{path} does not say what it is"
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and path != RELEASED:
                text = ast.get_docstring(node) or ""
                if NO_BEGINNING.match(text):
                    beginnings.append(f"{path.relative_to(ROOT)}: {text.splitlines()[0]}")
    assert beginnings == []
