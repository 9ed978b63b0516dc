"""Objects that have no files of their own (`objects.tree: false`), in all stages that read payloads."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import archived
import pytest
from bucket import sengu

from sengu import warc
from sengu.base import params, tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.objects.store import ObjectStore
from sengu.stages import objects as stage


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two projects with equal archives, in which the stages have run: `with`, and `without` files for objects."""
    folder = tmp_path_factory.mktemp("made")
    for name, tree in (("with", True), ("without", False)):
        archived.settings(archived.project(folder / name), tree)
        archived.run(folder / name)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project without files, which a test may change."""
    shutil.copytree(made / "without", tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def ids(folder: Path) -> list[ObjectId]:
    index = tables.read(folder / "data/index/a.csv", tables.IndexRow)
    return [ObjectId.parse(name) for name in index["objectId"].unique()]


def test_the_results_are_the_same_and_nothing_lies_there_twice(made: Path) -> None:
    assert archived.outputs(made / "without") == archived.outputs(made / "with")
    frames = tables.read(made / "without/data/index/a.csv", tables.IndexRow).query("video != ''")["objectId"]
    assert len(frames) == 2  # which are in no archive
    assert archived.leaves(made / "without") == {"records.csv", *frames}
    stores = [ObjectStore.below(made / name / "data/object") for name in ("with", "without")]
    every = ids(made / "with")
    assert len(every) == 16
    assert [stores[1].read(each) for each in every] == [stores[0].read(each) for each in every]
    assert [stores[1].beginning_with(each.sha1[:6]) for each in every] == [[each] for each in every]


def test_the_table_of_records_is_plain_and_goes_from_its_own_folder(made: Path) -> None:
    path = made / "without" / archived.TREE / "records.csv"
    records = tables.rows(tables.read(path, tables.Record), tables.Record)
    assert {record.file for record in records} == {
        f"../../raw/a/{name.name}" for name in warc.files(made / "without/data/raw/a", "a")
    }
    for record in records:
        entries = [entry for entry in warc.entries(path.parent / record.file) if entry.offset == record.offset]
        assert len(entries) == 1
        following = [entry.offset for entry in warc.entries(path.parent / record.file) if entry.offset > record.offset]
        size = (path.parent / record.file).stat().st_size
        assert record.offset + record.length == min([*following, size])


def test_to_switch_makes_what_a_run_from_scratch_would_make(made: Path, folder: Path) -> None:
    for name, tree in (("with", True), ("without", False)):
        archived.settings(folder, tree)
        archived.run_objects(folder)
        expected = archived.leaves(made / name)
        assert archived.leaves(folder) == expected
        assert archived.outputs(folder)["data/index/a.csv"] == archived.outputs(made / name)["data/index/a.csv"]
    assert (folder / archived.TREE / "records.csv").read_bytes() == (
        made / "without" / archived.TREE / "records.csv"
    ).read_bytes()


def test_where_objects_lie_is_no_part_of_what_is_known_of_records() -> None:
    assert stage._key(params.Objects(max_pixels=9)) == stage._key(params.Objects(max_pixels=9, tree=False))


def test_a_place_that_is_stale_is_found_out_with_a_cure_that_cures(folder: Path) -> None:
    table = Path("data/object/a/records.csv")
    right = table.read_bytes()
    records = tables.read(table, tables.Record)
    picture = ObjectId.parse(records["objectId"][0])
    places = records[["file", "offset", "length"]].to_numpy()
    places[0] = places[1]  # as if the archive had been written anew: a whole record, but of another object
    tables.write(table, records.assign(file=places[:, 0], offset=places[:, 1], length=places[:, 2]), tables.Record)
    with pytest.raises(SenguError, match=rf"object {picture} is damaged \(.*warc.gz at byte \d+\): `sengu objects heal`"):
        ObjectStore.below(Path("data/object")).read(picture)
    answer = sengu(folder, "objects", "verify")
    assert (answer.code, answer.out.count("damaged"), str(picture) in answer.out) == (1, 1, True)
    assert sengu(folder, "objects", "heal").out == "1 object restored\n"
    assert table.read_bytes() == right
    table.write_bytes(right.replace(b",", b";"))
    with pytest.raises(SenguError, match=r"records.csv:2: columns|object .* is missing .*sengu objects heal"):
        ObjectStore.below(Path("data/object")).read(picture)
    assert sengu(folder, "objects", "heal").code == 0
    assert table.read_bytes() == right


def test_frames_are_restored_and_checked_as_files(folder: Path) -> None:
    frame = ObjectId.parse(tables.read(Path("data/index/a.csv"), tables.IndexRow).query("video != ''")["objectId"].iloc[0])
    (archived.TREE / frame.path).write_bytes(b"damaged")
    answer = sengu(folder, "objects", "verify")
    assert (answer.code, answer.out.count("damaged"), str(frame) in answer.out) == (1, 1, True)
    assert sengu(folder, "objects", "heal").out == "1 object restored\n"
    assert sengu(folder, "objects", "verify").out == "every object is present and intact\n"


def test_commands_for_files_say_where_the_object_lies_or_write_it(folder: Path, tmp_path: Path) -> None:
    picture = next(each for each in ids(folder) if each.extension == "jpg")
    assert "at byte" in sengu(folder, "objects", "path", picture.sha1).err
    assert json.loads(sengu(folder, "objects", "info", "--json", picture.sha1[:8]).out)["files"] == [
        str(place) for place in ObjectStore.below(Path("data/object")).places(picture)
    ]
    assert "`sengu objects link" in sengu(folder, "objects", "mount", str(tmp_path / "mount")).err
    assert sengu(folder, "objects", "link", str(tmp_path / "link")).code == 0
    written = {path.name for path in (tmp_path / "link").rglob("*.*") if path.is_file()}
    assert written == {str(each) for each in ids(folder)}
    assert ObjectId.of((tmp_path / "link" / picture.path).read_bytes(), "jpg") == picture


def test_what_is_missing_is_named(folder: Path) -> None:
    store = ObjectStore.below(Path("data/object"))
    picture = ids(folder)[0]
    with pytest.raises(SenguError, match=rf"object {picture} has no file of its own, it lies in data/raw/a/a-0.* at byte \d+"):
        store.path(picture)
    shutil.rmtree("data/raw/a")
    with pytest.raises(SenguError, match=r"archive file data/raw/a/a-0.* is missing: `sengu heal`"):
        store.read(picture)
    Path("data/object/a/records.csv").unlink()
    with pytest.raises(SenguError, match=rf"object {picture} is missing .*: `sengu objects heal`"):
        ObjectStore.below(Path("data/object")).read(picture)


def test_archives_from_the_remote_need_objects_without_files(folder: Path) -> None:
    archived.settings(folder, tree=True, archives="remote")
    with pytest.raises(
        SenguError, match="archives is remote, which needs objects without files of their own: set objects.tree to false"
    ):
        params.archives()
    with chdir(folder.parent):
        Path("params.yaml").write_text("objects: { max_pixels: 1 }\n")
        assert params.archives() == "local"
