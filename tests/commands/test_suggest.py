"""`sengu suggest` on a small store: what it leaves out, what it writes, and that the sheet goes through `label`."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from embedded import COLOURS, IDS, LABELLED, make, sengu_in
from project import run

from sengu import embeddings
from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.tables import csvfile
from sengu.commands.suggest import suggest
from sengu.labels.ledger import Ledger, Word
from sengu.objects.store import ObjectTree

NAMES = {object_id: name for name, object_id in IDS.items()}
FREE = set(COLOURS) - set(LABELLED)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("suggest"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "copy")


def sheet(folder: Path, *arguments: str, path: str = "suggestions.csv") -> list[dict[str, str]]:
    sengu_in(folder, "suggest", *arguments)
    with (folder / path).open(newline="") as stream:
        return list(csv.DictReader(stream))


def suggested(folder: Path, *arguments: str) -> list[str]:
    return [NAMES[row["objectId"]] for row in sheet(folder, *arguments)]


def test_every_unlabelled_picture_may_be_suggested_and_no_other(folder: Path) -> None:
    rows = sheet(folder)
    assert {NAMES[row["objectId"]] for row in rows} == FREE
    found = embeddings.read(folder / "data/embeddings")
    labelled = found.vectors[[found.row(IDS[name]) for name in LABELLED]]
    for row in rows:
        assert row["value"] == ""
        assert (folder / row["file"]).is_file()
        distance = 1 - (labelled @ found.vectors[found.row(row["objectId"])]).max()
        assert float(row["distance"]) == pytest.approx(distance, abs=1e-4)
        (one, other) = found.probabilities[found.row(row["objectId"])]
        entropy = -(one * np.log2(one) + other * np.log2(other))
        assert float(row["uncertainty"]) == pytest.approx(entropy, abs=1e-4)


def test_the_number_is_kept_and_the_first_is_among_the_uncertain_and_far(folder: Path) -> None:
    rows = sheet(folder)
    (first,) = sheet(folder, "-n", "1", "--out", "one.csv", path="one.csv")
    assert first == rows[0]
    ranks = [sorted(float(row[column]) for row in rows).index(float(first[column])) for column in ("uncertainty", "distance")]
    assert sum(ranks) == max(
        sum(sorted(float(row[column]) for row in rows).index(float(one[column])) for column in ("uncertainty", "distance"))
        for one in rows
    )


def test_erased_objects_and_those_in_a_sheet_are_left_out(folder: Path) -> None:
    (folder / "tombstones.csv").write_text(f"objectId,reason,date\n{IDS['red']},asked to,2026-01-01\n")
    (folder / "labels/mine.csv").write_text(f"objectId,value\n{IDS['grey']},\n")
    assert set(suggested(folder)) == FREE - {"red", "grey"}


def test_a_slip_that_was_undone_on_the_page_is_asked_again(folder: Path) -> None:
    book = Ledger(folder / "labels/anna.csv", "anna", ["a", "b"])
    book.append([Word(IDS["red"], "a", how="page"), Word(IDS["grey"], "a", how="page")])
    book.undo()
    book.append([Word(IDS["white"], "", how="blind")])  # looked at, and left without a label
    assert set(suggested(folder)) == FREE - {"white"}


def test_what_a_sheet_settled_by_its_file_name_is_not_asked_again(folder: Path) -> None:
    row = tables.Capture("c" * 40, "file:///card/IMG_1.jpg", "", "", "", "IMG_1.jpg", "2026-01-01T00:00:00Z", "", 200)
    indexed = tables.read(folder / "data/index/a.csv", tables.IndexRow)
    indexed.loc[indexed["objectId"] == IDS["red"], "urlId"] = "c" * 40
    tables.write(folder / "data/index/a.csv", indexed, tables.IndexRow)
    tables.write(folder / "data/captures/a.csv", tables.frame([row], tables.Capture), tables.Capture)
    (folder / "labels/mine.csv").write_text("filename;value\nIMG_1.jpg;\n")
    assert set(suggested(folder)) == FREE - {"red"}


def test_of_near_duplicates_one_is_enough_whether_labelled_or_suggested(folder: Path) -> None:
    groups = {"red": "red", "violet": "red", "white": "green", "green": "green"}
    rows = [tables.Duplicate(IDS[name], IDS[group]) for name, group in groups.items()]
    tables.write(folder / "data/duplicates.csv", tables.frame(rows, tables.Duplicate), tables.Duplicate)
    names = suggested(folder)
    assert len(set(names) & {"red", "violet"}) == 1
    assert set(names) | {"red", "violet"} == FREE - {"white"}


def test_what_is_done_is_put_together_once_and_not_for_every_picture(made: Path) -> None:
    class Counted(set[str]):
        unions = 0

        def __or__(self, other):
            Counted.unions += 1
            return super().__or__(other)

    found = embeddings.read(made / "data/embeddings")
    lines = suggest(found, Counted(IDS[name] for name in LABELLED), Counted({IDS["red"]}), {}, 200)
    assert {NAMES[line[0]] for line in lines} == FREE - {"red"}
    assert Counted.unions <= 1


def test_a_sheet_is_never_overwritten(folder: Path) -> None:
    (folder / "suggestions.csv").write_text("half a day of work\n")
    with pytest.raises(
        SenguError, match="suggestions.csv already exists, and may be filled in: run `sengu label import suggestions.csv"
    ):
        sengu_in(folder, "suggest")
    assert (folder / "suggestions.csv").read_text() == "half a day of work\n"


def test_nothing_left_to_label_is_said_so(folder: Path) -> None:
    (folder / "labels/mine.csv").write_text("objectId,value\n" + "".join(f"{object_id},\n" for object_id in IDS.values()))
    with pytest.raises(SenguError, match="none of the 8 pictures is left to label"):
        sengu_in(folder, "suggest")


def test_without_any_label_the_uncertain_ones_come_first(folder: Path) -> None:
    tables.write(folder / "data/label.csv", tables.empty(tables.Label), tables.Label)
    rows = sheet(folder)
    assert len(rows) == len(COLOURS)
    assert {row["distance"] for row in rows} == {"1.0000"}
    assert max(rows, key=lambda row: float(row["uncertainty"])) == rows[0]


def test_a_missing_object_is_named_before_anything_is_written(folder: Path) -> None:
    ObjectTree(folder / "data/object/a").path(ObjectId.parse(IDS["red"])).unlink()
    with pytest.raises(SenguError, match=f"object {IDS['red']} is missing"):
        sengu_in(folder, "suggest")
    assert not (folder / "suggestions.csv").exists()


def test_the_sheet_half_filled_in_goes_through_label(folder: Path) -> None:
    rows = sheet(folder)
    text = (folder / "suggestions.csv").read_text().replace(f"{rows[1]['objectId']},,", f"{rows[1]['objectId']},stripes,")
    (folder / "suggestions.csv").write_text(text)
    tables.write(folder / "data/rejected/a.csv", tables.empty(tables.Rejected), tables.Rejected)
    assert "labels/eve.csv: 1 line added" in sengu_in(folder, "label", "import", "suggestions.csv", "--annotator", "eve")
    stage = "python -m sengu.stages.label labels tombstones.csv data/captures data/index data/rejected "
    stage += "data/label.csv data/conflicts.csv data/details.csv"
    run(folder, *stage.split())
    labels = tables.read(folder / "data/label.csv", tables.Label)
    assert labels.to_numpy().tolist() == [[rows[1]["objectId"], 1]]


@pytest.mark.slow
def test_on_the_demo_the_pictures_that_tags_disagree_about_are_suggested(rebuilt: Path, tmp_path: Path) -> None:
    sengu_in(rebuilt, "suggest", "--out", str(tmp_path / "sheet.csv"))
    suggested = set(csvfile.read(tmp_path / "sheet.csv")["objectId"])
    assert suggested == set(tables.read(rebuilt / "data/label_conflicts.csv", tables.Conflict)["objectId"])
    assert suggested
