"""Numbered rules, the hash of their text, and worked examples."""

from pathlib import Path

import pytest
from labels.said import A, B

from sengu.base.errors import SenguError
from sengu.labels import rules
from sengu.labels.rules import Example

TEXT = f"""# Rules

Of all.

## R1 Dots

Round spots.

## R3 Cartoons

Drawn pictures are dots,
if drawn with dots.

- `{A}`: dots, was stripes: the spots: they touch
- {B.upper()}: stripes

## Notes

Not a rule.
"""


def test_rules_have_number_title_text_and_examples() -> None:
    found = rules.parse(TEXT, Path("RULES.md"))
    assert list(found) == ["R1", "R3"]
    assert (found["R1"].title, found["R1"].text) == ("Dots", "Round spots.")
    assert found["R3"].text == "Drawn pictures are dots,\nif drawn with dots."
    first, second = found["R3"].examples
    assert first == Example(A, "dots", "stripes", "the spots: they touch", 14)
    assert second == Example(B, "stripes", "", "", 15)
    assert str(first) == f"- `{A}`: dots, was stripes: the spots: they touch"


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ("are dots,\nif drawn", "are dots, if\ndrawn", True),
        (f"- {B.upper()}: stripes\n", "", True),
        ("Round spots.", "Round spots and rings.", True),  # of another rule
        ("drawn with dots", "painted with dots", False),
        ("Cartoons", "Comics", False),
    ],
)
def test_the_hash_is_of_what_a_rule_says(old: str, new: str, is_same: bool) -> None:
    before, after = (rules.parse(text, Path("RULES.md"))["R3"] for text in (TEXT, TEXT.replace(old, new)))
    assert old in TEXT
    assert (before.citation == after.citation) == is_same
    assert rules.is_current(before.citation, {"R3": after}) == is_same


def test_the_hash_never_changes_by_an_edit_of_this_program() -> None:
    assert rules.parse(TEXT, Path("RULES.md"))["R1"].citation == "R1@f50cca48"


def test_a_number_that_stands_twice_is_named() -> None:
    with pytest.raises(SenguError, match="RULES.md:5: rule R1 stands in line 3, too: number one of them anew"):
        rules.parse("# Rules\n\n## R1 A\n\n## R01 B\n", Path("RULES.md"))


def test_an_example_is_added_to_its_rule_and_read_back(tmp_path: Path) -> None:
    (tmp_path / "RULES.md").write_text(TEXT)
    rules.add_example(tmp_path, "R1", Example(B, "dots", "stripes", "seen again", 0))
    new = Example("c" * 40 + ".jpg", "dots", "", "", 0)
    rules.add_example(tmp_path, "R3", new)
    found = rules.read(tmp_path)
    assert [one.why for one in found["R1"].examples] == ["seen again"]
    assert [one.objectId for one in found["R3"].examples] == [A, B, new.objectId]
    assert found["R1"].citation == rules.parse(TEXT, Path("RULES.md"))["R1"].citation
    assert "## Notes\n\nNot a rule.\n" in (tmp_path / "RULES.md").read_text()
    with pytest.raises(SenguError, match=f"{A} is an example of R3 already"):
        rules.add_example(tmp_path, "R3", Example(A, "dots", "", "", 0))
    with pytest.raises(SenguError, match="has no rule R9: the rules are R1, R3; add a heading `## R9 TITLE`"):
        rules.add_example(tmp_path, "R9", new)
