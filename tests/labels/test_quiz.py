"""Questions that a predecessor answered, and what is made of the answers."""

from pathlib import Path

from labels.said import CLASSES, A, B, C, D

from sengu.labels import quiz
from sengu.labels.ledger import Ledger, Word


def test_a_quiz_asks_as_much_of_each_class_as_there_is() -> None:
    labelled = {f"{number:040x}.jpg": "dots" if number < 90 else "stripes" for number in range(100)}
    drawn = quiz.draw(labelled, seed=1, number=30)
    assert len(set(drawn)) == 30
    assert sum(labelled[name] == "stripes" for name in drawn) == 10
    assert drawn == quiz.draw(labelled, seed=1, number=30)
    assert drawn != quiz.draw(labelled, seed=2, number=30)
    assert quiz.draw({A: "dots"}, seed=1) == [A]


def test_the_result_has_wilsons_limits_and_the_rule_of_each_difference() -> None:
    said = {name: {"value": "dots", "rule": "R1", "note": "round"} for name in (A, B, C)}
    found = quiz.result("ben", {A: "dots", B: "stripes", C: "dots", D: "dots"}, said)
    assert (found.pictures, found.agreed) == (3, 2)
    assert (round(found.low, 3), round(found.high, 3)) == (0.208, 0.939)
    assert found.differing == (quiz.Disagreement(B, "stripes", "dots", "R1", "round"),)
    assert str(found) == "agrees with ben on 2 of 3 pictures, 66.7% (20.8% to 93.9%)"
    assert str(quiz.result("ben", {}, said)).endswith("0 of 0 pictures, undefined")


def test_answers_are_read_from_a_file_by_predecessor(tmp_path: Path) -> None:
    path = tmp_path / "anna.csv"
    book = Ledger(path, "anna", CLASSES)
    for name, value, who in ((A, "dots", "ben"), (A, "stripes", "ben"), (B, "dots", "eve")):
        book.append([Word(name, value, "", "quiz", f"{quiz.OF}{who}")])
    assert quiz.answers(path, CLASSES) == {"ben": {A: "stripes"}, "eve": {B: "dots"}}
