"""`make check` leaves out what starts a program, a server or a browser, however deep in the tests' own functions it does."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import bucket
import pytest
import starting
import tiny
from hypothesis import given
from hypothesis import strategies as st
from project import run

from sengu.base import tables


def asked_of_git(folder: Path) -> str:
    return run(folder, "git", "status")


class Project:
    def __init__(self, folder: Path):
        self.status = asked_of_git(folder)


def by_itself() -> None:
    subprocess.run(["true"], check=True)


def by_a_function_of_a_function(folder: Path) -> None:
    assert [asked_of_git(place) for place in (folder, folder)]


def by_a_class(folder: Path) -> None:
    assert Project(folder)


def by_a_helper() -> None:
    with bucket.served() as server:
        assert server


def by_building_a_network(folder: Path) -> None:
    tiny.save(folder)


@given(st.text())
def by_hypothesis(text: str) -> None:
    by_itself()


@pytest.fixture
def by_a_fixture() -> None:
    by_itself()


@given(st.text())
def with_values_only(text: str) -> None:
    assert tables.Label(text, 0)


@pytest.mark.parametrize(
    "function",
    [by_itself, by_a_function_of_a_function, by_a_class, by_a_helper, by_building_a_network, by_hypothesis, by_a_fixture],
    ids=lambda function: starting.plain(function).__name__,
)
def test_what_starts_something_is_seen(function: Callable[..., None]) -> None:
    assert starting.reaches(starting.plain(function))


def test_what_starts_nothing_is_left_alone() -> None:
    assert not starting.reaches(starting.plain(with_values_only))
