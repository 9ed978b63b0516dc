"""What the desk writes of a decision, without a browser."""

from pathlib import Path

import pytest
from web.shop import Shop

from sengu.labels.sheets import cells
from sengu.web.desk import Decided, Decision, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(Shop(tmp_path / "labels", 8), ("anna",))


def hows(desk: Desk) -> list[str]:
    return cells(desk.material.folder / "anna.csv")[0]["how"].tolist()


def test_a_decision_out_of_turn_inherits_nothing_from_another_picture(desk: Desk) -> None:
    queue = desk.open_queue("anna", "random", "", 0)
    first, second, third = (item["id"] for item in queue["items"][:3])
    desk.decide("anna", queue["queue"], Decided("single", [Decision(0, "", "dots")]))
    for name, value in ((second, "dots"), (first, "stripes"), (second, "stripes"), (third, "dots")):
        desk.decide("anna", queue["queue"], Decided("single", [Decision(-1, name, value)]))
    # the second look at the first is one, the slip with the second is none
    assert hows(desk) == ["blind", "blind", "repeat", "blind", "blind"]


def test_a_queue_of_groups_says_how_many_each_stands_for(desk: Desk) -> None:
    queue = desk.open_queue("anna", "groups", "", 0)
    assert {item["others"] for item in queue["items"]} == {1}
    assert desk.window("anna", queue["queue"], 0, 8) == queue["items"]
    assert all(set(item) == {"id"} for item in desk.open_queue("anna", "random", "", 0)["items"])
