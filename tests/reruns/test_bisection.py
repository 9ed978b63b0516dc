"""The guilty among 170 packages is found in at most 12 environments, wherever it stands, with dates and without."""

import math
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from sengu.reruns import bisection
from sengu.reruns.bisection import MOST, Trial, Versions

NAMES = [f"package-{number:03}" for number in range(170)]
OLD = dict.fromkeys(NAMES, "1")
NEW = dict.fromkeys(NAMES, "2")
DAY = date(2025, 1, 1)


def planted(name: str) -> Callable[[Versions], bool]:
    return lambda versions: versions[name] == "1"


@pytest.mark.parametrize("name", [NAMES[0], NAMES[1], NAMES[84], NAMES[85], NAMES[168], NAMES[169]])
def test_halving_names_the_planted_package(name: str) -> None:
    guilty = bisection.find(OLD, NEW, trial := Trial(planted(name)))
    assert guilty.packages == (name,)
    assert guilty.tried == trial.tried <= math.ceil(math.log2(170))


@pytest.mark.parametrize("number", [0, 7, 100, 169])
def test_dates_come_first_and_leave_enough_tries_for_packages(number: int) -> None:
    def at(day: date) -> Versions:
        """A package a day has a new version."""
        return {name: "2" if (day - DAY).days > place else "1" for place, name in enumerate(NAMES)}

    guilty = bisection.find_by_date(OLD, NEW, (DAY, DAY + timedelta(days=170)), at, Trial(planted(NAMES[number])))
    assert guilty.packages == (NAMES[number],)
    assert guilty.tried <= MOST
    assert guilty.between is not None
    assert guilty.between[0] <= DAY + timedelta(days=number + 1) <= guilty.between[1]


def test_an_index_without_dates_is_halved_by_packages() -> None:
    guilty = bisection.find_by_date(OLD, NEW, (DAY, DAY + timedelta(days=900)), lambda day: None, Trial(planted(NAMES[3])))
    assert guilty.packages == (NAMES[3],)


def test_a_set_that_cannot_be_installed_is_passed_over() -> None:
    """Two packages that go together: a set with one of them only says nothing."""

    def test(versions: Versions) -> bool | None:
        return None if versions["b"] != versions["c"] else versions["c"] == "1"

    names = dict.fromkeys("abcd", "1")
    guilty = bisection.find(names, dict.fromkeys("abcd", "2"), Trial(test))
    assert guilty.packages == ("b", "c")


def test_packages_that_came_and_went_count() -> None:
    old, new = {"gone": "1", "kept": "1"}, {"kept": "1", "come": "1"}
    assert bisection.changed(old, new) == ["come", "gone"]
    assert bisection.find(old, new, Trial(lambda versions: "come" not in versions)).packages == ("come",)


def test_tries_run_out_with_the_packages_that_are_left() -> None:
    guilty = bisection.find(OLD, NEW, Trial(planted(NAMES[0]), most=3))
    assert guilty.tried == 3
    assert len(guilty.packages) < 30
    assert NAMES[0] in guilty.packages
