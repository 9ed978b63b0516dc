"""The stage of a dataset version on a store of nine pictures: what is added, cleaned away, known, and left to a model."""

import json
import shlex
import shutil
from contextlib import chdir
from pathlib import Path

import mlcroissant
import numpy as np
import pytest
import yaml

from crawlers.demo import pictures
from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId, url_id
from sengu.base.tables import csvfile, versions
from sengu.datasets import facts, recipe
from sengu.datasets.recipe import Recipe
from sengu.objects.store import ObjectTree
from sengu.stages import dataset, label

CLASSES = ("cat", "dog")
NOISE = np.random.default_rng(20).integers(0, 256, (7, 40, 60, 3), dtype=np.uint8)
PICTURES = {
    **{name: NOISE[number] for number, name in enumerate(("one", "two", "three", "four", "five", "six"))},
    "dark": NOISE[6] // 8,
    "bright": 255 - NOISE[6] // 20,
    "blurred": np.full((40, 60, 3), 128, np.uint8),
}
FILES = {name: pictures.png(pixels) for name, pixels in PICTURES.items()}
IDS = {name: str(ObjectId.of(data, "png")) for name, data in FILES.items()}
SITES = {"camera": ("one", "two", "three", "four", "dark", "bright", "blurred"), "scanner": ("five", "six")}
LABELS = [f"data/{name}.csv" for name in ("label", "label_conflicts", "label_details")]
STAGE = ["labels", "tombstones.csv", "data/captures", "data/index", "data/rejected", *LABELS]
A = recipe.FOLDER / "A"  # all that has a label
COLUMNS = (
    "site, objectId, urlId, format, width, height, bytes, milliseconds, video, url, page, tags, device, filename, fetched, "
    "modified, status, taken, camera, operator, subject, value, label"
)
HEADER = "objectId,value,annotator,labelledAt,rule,how,note,subject\n"


def line(name: str, value: str, who: str, how: str, day: int, subject: str = "") -> str:
    return f"{IDS[name]},{value},{who},2026-01-{day:02}T00:00:00Z,,{how},,{subject}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    settings = {site: {"fetch": {"source": "folder", "folder": site}} for site in SITES}
    document = {"sites": settings, "label": {"classes": list(CLASSES)}, "project": {"name": "Pets", "licence": "CC0-1.0"}}
    (folder / "params.yaml").write_text(yaml.safe_dump(document))
    for site, names in SITES.items():
        index, captures = [], []
        for name in names:
            url = f"file:{name}.png"
            ObjectTree(folder / "data/object" / site).put(ObjectId.parse(IDS[name]), FILES[name])
            index.append(tables.IndexRow(IDS[name], url_id(url), "png", 60, 40, len(FILES[name])))
            subject = {"two": "rex", "one": "of the path"}.get(name, "")
            captures.append(
                tables.Capture(url_id(url), url, "", "", site, f"{name}.png", "2026-01-01T00:00:00Z", "", 200, subject=subject)
            )
        tables.write(folder / f"data/index/{site}.csv", tables.frame(index, tables.IndexRow), tables.IndexRow)
        tables.write(folder / f"data/captures/{site}.csv", tables.frame(captures, tables.Capture), tables.Capture)
        tables.write(folder / f"data/rejected/{site}.csv", tables.empty(tables.Rejected), tables.Rejected)
    (folder / "tombstones.csv").write_text("objectId,reason,date\n")
    (folder / "labels").mkdir()
    anna = [line("one", "cat", "anna", "blind", 1, "mimi"), line("two", "dog", "anna", "blind", 2)]
    anna += [line(name, "cat", "anna", "page", 3) for name in ("dark", "bright", "blurred")]
    ben = [line("one", "cat", "ben", "blind", 4), line("two", "dog", "ben", "blind", 5), line("six", "dog", "ben", "import", 5)]
    net = [line(name, "dog", "net", "model", 6) for name in ("three", "four", "five", "six")]
    for who, lines in (("anna", anna), ("ben", ben), ("net", net)):
        (folder / f"labels/{who}.csv").write_text(HEADER + "".join(lines))
    with chdir(folder):
        label.main(STAGE)
        build("A")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(copy)
    return copy


def build(name: str, *parents: str, **options: object) -> Path:
    """Builds a version with the current labels, or from parents; returns its folder."""
    of_now = not parents or "extend" in options
    wanted = Recipe(
        version=recipe.FOLDER / name,
        index=Path("data/index"), captures=Path("data/captures"), objects=Path("data/object"), erased=Path("tombstones.csv"),
        parents=tuple(recipe.FOLDER / parent for parent in parents),
        labels=Path(LABELS[0]) if of_now else None, details=Path(LABELS[2]) if of_now else None,
        sheets=Path("labels") if of_now else None, **options,
    )  # fmt: skip
    dataset.main(shlex.split(" ".join(wanted.command()))[3:])
    return wanted.version


def objects(folder: Path) -> set[str]:
    by_id = {object_id: name for name, object_id in IDS.items()}
    return {by_id[name] for name in tables.read(folder / "label.csv", tables.Label)["objectId"]}


def known(folder: Path) -> dict:
    return json.loads((folder / "dataset.json").read_text())


def test_what_a_model_labelled_is_told_apart_and_known_to_croissant(folder: Path) -> None:
    version = A
    expected = sorted(IDS[name] for name in ("three", "four", "five"))  # of six a person said the same
    assert sorted(versions.labelled_by_models(version)) == expected
    assert known(version)["counts"]["labelled_by_models"] == 3
    croissant = mlcroissant.Dataset(jsonld=str(version / "croissant.json"))
    assert not croissant.metadata.ctx.issues.errors | croissant.metadata.ctx.issues.warnings
    assert sorted(row["labelled_by_models/objectId"].decode() for row in croissant.records("labelled_by_models")) == expected


def test_what_a_model_labelled_stays_so_in_a_child_until_a_person_says_it(folder: Path) -> None:
    assert versions.labelled_by_models(build("B", "A", where="site == 'camera'")) == {IDS["three"], IDS["four"]}
    with Path("labels/anna.csv").open("a") as stream:
        stream.write(line("three", "dog", "anna", "blind", 7))
    label.main(STAGE)
    assert versions.labelled_by_models(build("C", "A", extend=("camera",))) == {IDS["four"], IDS["five"]}
    assert versions.labelled_by_models(build("E", "A", "C")) == {IDS["four"], IDS["five"]}
    assert not (build("F", "E", exclude=(write_list("four", "five"),)) / versions.MODELS).exists()


def write_list(*names: str) -> Path:
    path = Path("list.csv")
    path.write_text("objectId\n" + "".join(f"{IDS[name]}\n" for name in names))
    return path


def test_agreement_is_that_of_pictures_labelled_blind_by_several(folder: Path) -> None:
    words = known(A)["words"]
    measured = words["agreement"]["A"]["all"]
    assert (measured["pictures"], measured["raw"]) == (2, {"value": 1.0, "low": 1.0, "high": 1.0})
    assert words["agreement"]["A"]["class cat"]["alpha"]["value"] == 1.0
    assert (words["annotators"], words["by_how"]) == (3, {"blind": 4, "import": 1, "model": 4, "page": 3})
    assert (words["labelled_first"], words["labelled_last"]) == ("2026-01-01T00:00:00Z", "2026-01-06T00:00:00Z")
    assert (
        "On 2 pictures of A that several labelled blind: raw agreement 1.0 (1.0 to 1.0)"
        in Path("data/dataset/A/croissant.json").read_text()
    )
    child = known(build("B", "A", where="site == 'camera'"))["words"]
    assert child["agreement"] == words["agreement"]


def test_nobody_blind_is_no_agreement(folder: Path) -> None:
    for path in Path("labels").glob("*.csv"):
        path.write_text(path.read_text().replace(",blind,", ",page,"))
    version = build("page")
    assert known(version)["words"]["agreement"] == {}
    assert "no picture was labelled blind by several annotators" in (version / "croissant.json").read_text()


def test_a_subject_is_what_a_sheet_says_else_what_the_captures_say(folder: Path) -> None:
    rows = csvfile.read(A / facts.SUBJECTS)
    assert dict(zip(rows["objectId"], rows["subject"], strict=True)) == {IDS["one"]: "mimi", IDS["two"]: "rex"}
    assert known(A)["counts"]["subjects"] == 2
    child = build("B", "A", where="site == 'scanner' or label == 'cat'")
    assert csvfile.read(child / facts.SUBJECTS)["subject"].tolist() == ["mimi"]
    assert not (build("C", "A", where="filename != 'one.png' and filename != 'two.png'") / facts.SUBJECTS).exists()


def test_the_subjects_of_a_sheet_with_semicolons_count(folder: Path) -> None:
    sheet = Path("labels/anna.csv")
    sheet.write_text(sheet.read_text().replace(",", ";"), encoding="utf-16")
    rows = csvfile.read(build("B") / facts.SUBJECTS)
    assert dict(zip(rows["objectId"], rows["subject"], strict=True)) == {IDS["one"]: "mimi", IDS["two"]: "rex"}


@pytest.mark.parametrize(("clean", "left_out"), [("dark", "dark"), ("bright", "bright"), ("blurred", "blurred")])
def test_what_is_dark_bright_or_blurred_is_cleaned_away(folder: Path, clean: str, left_out: str) -> None:
    before, after = objects(A), build("B", "A", clean=(clean,))
    assert before - objects(after) == {left_out}
    assert known(after)["steps"][-1] == {"step": f"clean {clean}", "before": 9, "after": 8}


def test_a_site_extends_a_version_with_the_labels_of_now(folder: Path) -> None:
    build("camera", where="site == 'camera'")
    assert objects(build("B", "camera", extend=("scanner",))) == objects(Path("data/dataset/camera")) | {"five", "six"}
    with pytest.raises(SenguError, match=r"C: --extend attic: no sheet \(\*.csv\) and no site: the sites are camera, scanner"):
        build("C", "A", extend=("attic",))
    assert not Path("data/dataset/C").exists()


def test_a_picture_to_which_no_class_fits_any_more_leaves_the_child(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    sheet = Path("labels/anna.csv")
    sheet.write_text(sheet.read_text() + line("dark", "-", "anna", "blind", 20) + line("one", "-", "anna", "blind", 20))
    label.main(STAGE)
    with pytest.raises(
        SenguError, match=f"B: its sources differ on 1 object: {IDS['dark']} is cat in A, without a class in labels"
    ):
        build("B", "A", extend=(str(sheet),))
    with caplog.at_level("INFO"):
        of_parent, child = Path("data/dataset/A"), build("C", "A", extend=(str(sheet),), prefer="labels")
    assert objects(child) == objects(of_parent) - {"dark"}  # on `one`, ben and anna differ
    assert "C: 1 object left out, since people say that no class fits" in caplog.text
    assert known(child)["steps"][0] == {"step": "no class fits", "before": 9, "after": 8}
    assert objects(build("D", "A", extend=(str(sheet),), prefer="A")) == objects(of_parent)
    assert objects(build("E", "A", extend=("scanner",))) == objects(of_parent)  # `dark` is of the camera


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"where": "width > 9000"}, r"X would be empty \(where width > 9000: 9 -> 0\): ask for less"),
        ({"where": "label == 'cat'"}, r"X would have no picture of class dog \(where label == 'cat': 9 -> 4\): label some"),
        (
            {"where": "colour == 'x'"},
            f"there is no column 'colour': the columns are {COLUMNS}$",
        ),
    ],
)
def test_a_version_that_cannot_be_leaves_nothing(folder: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(SenguError, match=message):
        build("X", "A", **options)
    assert [path.name for path in recipe.FOLDER.iterdir()] == ["A"]


def test_a_parent_whose_pictures_were_erased_still_has_children(folder: Path) -> None:
    build("A")
    Path("tombstones.csv").write_text(f"objectId,reason,date\n{IDS['one']},asked for,2026-02-01\n")
    assert objects(build("B", "A")) == objects(A) - {"one"}
    shutil.rmtree("data/dataset/A")
    with pytest.raises(SenguError, match="B: parent data/dataset/A is missing: run `dvc repro`, or `dvc pull`"):
        build("B", "A")
    assert objects(Path("data/dataset/B"))  # it stays


def test_a_recipe_of_before_is_told_what_it_lacks(caplog: pytest.LogCaptureFixture) -> None:
    tables_of = ["--index", "i", "--captures", "c", "--objects", "o", "--erased", "t"]
    made = recipe.parse(["data/dataset/v1", "--labels", "data/label.csv", "--sheets", "labels", *tables_of])
    assert dataset.machines(made) == {}
    assert "add `--details data/label_details.csv` to its command, and that file to its deps" in caplog.text
