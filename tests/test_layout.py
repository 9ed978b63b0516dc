"""docs/layout.md names files and functions that are there."""

import re

import pytest
from project import ROOT

TEXT = (ROOT / "docs/layout.md").read_text()
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
