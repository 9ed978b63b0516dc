"""`sengu objects list`: conditions over index, captures and labels."""

import shutil
from pathlib import Path

import pytest
from embedded import IDS, make, sengu_in

from sengu.base.errors import SenguError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of eight pictures of one site, of which orange and brown are dots, green is stripes."""
    return make(tmp_path_factory.mktemp("list"))


def listed(folder: Path, *options: str) -> list[str]:
    return sengu_in(folder, "objects", "list", *options).splitlines()


def test_all_objects_are_listed_sorted(made: Path) -> None:
    assert listed(made) == sorted(IDS.values())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("label == 'dots'", ("orange", "brown")),
        ("label in ['stripes']", ("green",)),
        ("value == -1 and url == 'http://a.example/red.png'", ("red",)),
        ("site == 'a' and width >= 60 and not (label == '' or label == 'dots')", ("green",)),
        ("fetched > '2026-01-02'", ()),
        ("taken < '2026-01-02'", ()),  # unknown is neither before nor after
    ],
)
def test_a_condition_takes_what_meets_it(made: Path, text: str, names: tuple[str, ...]) -> None:
    assert listed(made, "--where", text) == sorted(IDS[name] for name in names)


def test_columns_stand_beside_the_id(made: Path) -> None:
    assert listed(made, "--where", "label == 'stripes'", "--columns", "site,label,width") == [f"{IDS['green']}\ta\tstripes\t60"]


@pytest.mark.parametrize("options", [("--where", "colour == 'red'"), ("--columns", "colour")])
def test_an_unknown_column_names_those_there_are(made: Path, options: tuple[str, str]) -> None:
    with pytest.raises(
        SenguError, match="there is no column 'colour': the columns are site, objectId, urlId, .*subject, value, label$"
    ):
        listed(made, *options)


def test_without_labels_there_are_objects_all_the_same(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made, tmp_path / "copy")
    (folder / "data/label.csv").unlink()
    assert listed(folder, "--where", "label == ''") == sorted(IDS.values())
