"""`sengu objects` on a real store of two sites, made by the stages."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from project import ROOT, attempt, run

from crawlers.demo import pictures
from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.tables import versions
from sengu.commands.objects import export
from sengu.commands.objects.find import named
from sengu.objects.store import ObjectStore

SHARED, ONLY = (pictures.jpeg(pictures.draw("dots", number)) for number in range(2))
PNG = pictures.png(pictures.draw("stripes", 1))
IDS = {name: str(ObjectId.of(data, kind)) for name, data, kind in (("a", SHARED, "jpg"), ("b", ONLY, "jpg"), ("p", PNG, "png"))}
STAGES = """
set -e
for site in one two; do
  python -m crawlers.crawl $site data/raw/$site data/failed/$site.csv
  python -m crawlers.extract $site data/raw/$site data/captures/$site.csv
  python -m sengu.stages.objects data/raw/$site data/captures/$site.csv tombstones.csv \
    data/object/$site data/index/$site.csv data/rejected/$site.csv
done
python -m sengu.stages.label labels tombstones.csv data/captures data/index data/rejected data/label.csv \
 data/label_conflicts.csv data/label_details.csv
python -m sengu.stages.duplicates data/index data/object duplicate_groups.csv data/duplicates.csv
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    for name, files in {"one": {"cat/a.jpg": SHARED, "dog/b.jpg": ONLY}, "two": {"x/a2.jpg": SHARED, "y/p.png": PNG}}.items():
        for path, data in files.items():
            (folder / "sources" / name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "sources" / name / path).write_bytes(data)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["sites"] = {
        name: {"fetch": {"source": "folder", "folder": f"sources/{name}", "device": f"camera {name}"}} for name in ("one", "two")
    }
    params["label"] = {"classes": ["cat", "dog"]}
    params["split"] |= {"test": [0, 0], "validation": [1, 1]}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "labels").mkdir()
    (folder / "labels/mine.csv").write_text("filename,value\ncat/a.jpg,cat\ndog/b.jpg,dog\ny/p.png,dog\n")
    run(folder, "bash", "-c", STAGES)
    labels = tables.read(folder / "data/label.csv", tables.Label)
    versions.write(folder / "data/dataset/v1", versions.describe("v1", ["cat", "dog"], labels), labels)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def leaf(folder: Path, site: str, name: str) -> Path:
    return folder / "data/object" / site / ObjectId.parse(IDS[name]).path


def test_a_stray_picture_is_known_by_its_name_though_dvc_pins_only_its_archive(folder: Path, tmp_path: Path) -> None:
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet")
    (tmp_path / "stray.bin").write_bytes(ONLY)
    said = attempt(folder, "sengu", "where", str(tmp_path / "stray.bin"))
    assert said.returncode == 0 and f"is the object {IDS['b']}" in said.stdout
    (command,) = re.findall("`(.*?)`", said.stdout)
    assert "versions     v1: dog" in run(folder, *command.split())
    (tmp_path / "stray.bin").write_bytes(b"another")
    assert "is not pinned or tracked" in attempt(folder, "sengu", "where", str(tmp_path / "stray.bin")).stdout


def test_a_hash_or_its_beginning_leads_to_the_file(made: Path) -> None:
    for text in (IDS["b"], IDS["b"][:40], IDS["b"][:6], IDS["b"][:6].upper()):
        assert run(made, "sengu", "objects", "path", text).strip() == f"data/object/one/{ObjectId.parse(IDS['b']).path}"


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_beginning_of_several_is_refused_whether_their_leaves_are_there_or_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    table = folder / "data/index/two.csv"
    index = tables.read(table, tables.IndexRow)
    other = f"{IDS['b'][:39]}{'0' if IDS['b'][39] != '0' else '1'}.jpg"
    tables.write(table, pd.concat([index, index[:1].assign(objectId=other)]), tables.IndexRow)
    for name in (IDS["b"], other)[missing:]:
        path = folder / "data/object/two" / ObjectId.parse(name).path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ONLY)
    if missing:
        leaf(folder, "one", "b").unlink()
    monkeypatch.chdir(folder)
    store = ObjectStore.below(Path("data/object"))
    both = ", ".join(sorted((IDS["b"], other)))
    with pytest.raises(SenguError, match=f"'{IDS['b'][:6]}' begins 2 object ids: {both}: give more digits"):
        named(IDS["b"][:6], store)
    assert named(IDS["b"][:40], store) == ObjectId.parse(IDS["b"])


@pytest.mark.parametrize(
    ("text", "message"),
    [("abc", "at least four hex digits"), ("hello", "at least four hex digits"), ("0" * 40, "no object begins with")],
)
def test_what_names_no_object_is_refused(made: Path, text: str, message: str) -> None:
    done = attempt(made, "sengu", "objects", "path", text)
    assert done.returncode == 1
    assert message in done.stdout


def test_info_knows_every_place_label_version_and_split(made: Path) -> None:
    known = json.loads(run(made, "sengu", "objects", "info", "--json", IDS["a"]))
    assert known["files"] == [f"data/object/{site}/{ObjectId.parse(IDS['a']).path}" for site in ("one", "two")]
    assert [(row["site"], row["url"], row["tags"], row["device"]) for row in known["seen"]] == [
        ("one", "file://one/cat/a.jpg", "cat", "camera one"), ("two", "file://two/x/a2.jpg", "x", "camera two"),
    ]  # fmt: skip
    assert (known["format"], known["bytes"], known["label"], known["versions"]) == ("jpg", len(SHARED), "cat", {"v1": "cat"})
    assert known["decision"] == {"source": "sheet", "annotator": "mine", "lines": "labels/mine.csv:2"}
    said = run(made, "sengu", "objects", "info", IDS["a"][:8])
    assert "file://two/x/a2.jpg" in said
    assert re.search(r"label +cat\n", said)
    assert "annotator: mine, lines: labels/mine.csv:2" in said
    assert re.search(r"versions +v1: cat", said)
    where = run(made, "sengu", "objects", "where", IDS["a"]).splitlines()
    assert [line.split("\t")[0] for line in where] == ["one", "two"]


def test_info_names_the_sides_of_a_label_conflict(folder: Path) -> None:
    rows = [tables.Conflict(IDS["b"], "-|0|1", "s:2|s:3|p", "anna|ben|", "||", "||", "")]
    tables.write(folder / "data/label_conflicts.csv", tables.frame(rows, tables.Conflict), tables.Conflict)
    assert re.search(r"conflict +no class fits, cat, dog\n", run(folder, "sengu", "objects", "info", IDS["b"]))


def test_info_of_a_picture_without_a_label_leads_to_the_reason(folder: Path) -> None:
    (folder / "labels/mine.csv").write_text("filename,value\ncat/a.jpg,cat\ny/p.png,-\n")
    details = tables.read(folder / "data/label_details.csv", tables.LabelDetail)
    tables.write(folder / "data/label_details.csv", details[details["objectId"] != IDS["p"]], tables.LabelDetail)
    said = run(folder, "sengu", "objects", "info", IDS["p"])
    assert f"label        none; `sengu label why {IDS['p'][:8]}` says why\n" in said
    assert "decision     lines: labels/mine.csv:3\n" in said
    assert "no class fits, by mine (labels/mine.csv:3): stands" in run(folder, "sengu", "label", "why", IDS["p"][:8])


def test_a_whole_store_verifies(made: Path) -> None:
    assert "every object is present and intact" in run(made, "sengu", "objects", "verify")


def damage(folder: Path, kind: str) -> str:
    path = leaf(folder, "one", "b")
    if kind == "missing":
        path.unlink()
    elif kind == "foreign":
        (path.parent / "notes.txt").write_text("mine")
        return (path.parent / "notes.txt").relative_to(folder / "data/object/one").as_posix()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.unlink()
        path.write_bytes(bytes(data) if kind == "damaged" else bytes(data[:-10]))
    return path.relative_to(folder / "data/object/one").as_posix()


@pytest.mark.parametrize("kind", ["missing", "damaged", "cut", "foreign"])
def test_verify_finds_one_fault_and_heal_mends_it(folder: Path, kind: str) -> None:
    name = damage(folder, kind)
    done = attempt(folder, "sengu", "objects", "verify")
    assert done.returncode == 1
    state = {"cut": "damaged"}.get(kind, kind)
    (line,) = [line.split() for line in done.stdout.splitlines() if name in line]
    assert line == [state, "one", name]
    assert attempt(folder, "sengu", "objects", "verify", "two").returncode == 0
    said = run(folder, "sengu", "objects", "heal")
    assert ("0 objects restored" if kind == "foreign" else "1 object restored") in said
    assert attempt(folder, "sengu", "objects", "verify").returncode == (1 if kind == "foreign" else 0)
    assert leaf(folder, "one", "b").read_bytes() == ONLY


def test_heal_says_what_the_archive_cannot_give(folder: Path) -> None:
    damage(folder, "missing")
    shutil.rmtree(folder / "data/raw/one")
    done = attempt(folder, "sengu", "objects", "heal")
    assert done.returncode == 1
    assert "data/raw/one has no archive of site one" in done.stdout


@pytest.mark.parametrize(("kind", "word"), [("missing", "is missing"), ("damaged", "is damaged")])
def test_a_stage_that_needs_a_bad_object_names_it_and_the_cure(folder: Path, kind: str, word: str) -> None:
    damage(folder, kind)
    (folder / "split.csv").write_text(f"objectId,value,type\n{IDS['b']},1,train\n")
    done = attempt(folder, "python", "-m", "sengu.stages.prepare", "split.csv", "data/object", "pixels")
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("error: "))  # joblib may have a last word
    assert f"object {IDS['b']} {word}" in line
    assert "`sengu objects heal`" in line


def seen_in(view: Path) -> dict[str, bytes]:
    return {path.relative_to(view).as_posix(): path.read_bytes() for path in view.glob("*/*/*")}


def expected() -> dict[str, bytes]:
    return {str(ObjectId.parse(IDS[name]).path): data for name, data in (("a", SHARED), ("b", ONLY), ("p", PNG))}


@pytest.fixture
def view(folder: Path) -> Iterator[Path]:
    yield folder / "view"
    if (folder / "view").is_mount():
        subprocess.run(["umount", str(folder / "view")], check=True)


@pytest.mark.skipif(os.geteuid() != 0 and shutil.which("fuse-overlayfs") is None, reason="neither root nor fuse-overlayfs")
def test_all_sites_are_mounted_as_one_read_only(folder: Path, view: Path) -> None:
    run(folder, "sengu", "objects", "mount", "view")
    assert seen_in(view) == expected()
    with pytest.raises(OSError):
        (view / "new").write_text("x")
    assert "already exists" in attempt(folder, "sengu", "objects", "mount", "view").stdout
    run(folder, "sengu", "objects", "umount", "view")
    assert not view.exists()
    assert "is not a mount" in attempt(folder, "sengu", "objects", "umount", "view").stdout


def test_where_mounting_is_refused_the_cure_is_named(folder: Path) -> None:
    (folder / "bin").mkdir()
    for name in ("mount", "fuse-overlayfs"):
        (folder / "bin" / name).write_text("#!/bin/sh\necho not permitted >&2\nexit 1\n")
        (folder / "bin" / name).chmod(0o755)
    sengu = shutil.which("sengu", path=os.environ["PATH"]) or str(ROOT / ".venv/bin/sengu")
    script = f"PATH={folder / 'bin'}:$PATH {sengu} objects mount view"
    done = attempt(folder, "bash", "-c", script)
    assert done.returncode == 1
    assert "not permitted" in done.stdout
    assert "use `sengu objects link view`" in done.stdout
    run(folder, *re.findall("`(sengu objects link .*?)`", done.stdout)[0].split())
    assert any(path.is_file() for path in (folder / "view").rglob("*"))


def test_links_are_hard_on_one_file_system_and_symbolic_across(folder: Path) -> None:
    assert "3 objects linked" in run(folder, "sengu", "objects", "link", "view")
    assert seen_in(folder / "view") == expected()
    assert (folder / "view" / ObjectId.parse(IDS["b"]).path).samefile(leaf(folder, "one", "b"))
    assert "already exists" in attempt(folder, "sengu", "objects", "link", "view").stdout
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == folder.stat().st_dev:
        pytest.skip("there is no second file system")
    there = elsewhere / f"sengu-test-{os.getpid()}"
    try:
        run(folder, "sengu", "objects", "link", str(there))
        assert seen_in(there) == expected()
        assert (there / ObjectId.parse(IDS["b"]).path).is_symlink()
    finally:
        shutil.rmtree(there, ignore_errors=True)


def test_a_dataset_is_exported_as_folders_that_others_read(folder: Path) -> None:
    assert "3 examples" in run(folder, "sengu", "objects", "export", "--dataset", "v1", "out")
    found = {path.relative_to(folder / "out").as_posix() for path in (folder / "out").rglob("*") if path.is_file()}
    assert found == {f"train/{name}/{IDS[key]}" for name, key in (("cat", "a"), ("dog", "b"), ("dog", "p"))}
    assert (folder / "out/train/cat" / IDS["a"]).stat().st_nlink > 1
    assert "already exists" in attempt(folder, "sengu", "objects", "export", "--dataset", "v1", "out").stdout
    assert "no dataset version v9 (there are v1)" in attempt(folder, "sengu", "objects", "export", "--dataset", "v9", "o2").stdout
    run(folder, "sengu", "objects", "export", "--dataset", "v1", "--format", "csv", "--copy", "table")
    assert (folder / "table/train/metadata.csv").read_text().splitlines()[0] == "file_name,label"
    assert sorted(line.split(",")[0] for line in (folder / "table/train/metadata.csv").read_text().splitlines()[1:]) == sorted(
        IDS.values()
    )
    assert (folder / "table/train" / IDS["b"]).stat().st_nlink == 1


def test_an_export_names_the_classes_as_its_version_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("- cat\n  - dog", "- bird\n  - cat\n  - dog"))
    store = ObjectStore.below(Path("data/object"))
    assert len(export.export("v1", export.Form("imagefolder"), Path("out"), store)) == 3
    assert (folder / "out/train/cat" / IDS["a"]).is_file()
    path = Path("data/dataset/v1/dataset.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "classes": ["cat"]}))
    with pytest.raises(SenguError, match="has value 1, but data/dataset/v1/dataset.json names 1 classes"):
        export.export("v1", export.Form("imagefolder"), Path("o2"), store)
    assert not (folder / "o2").exists()


def test_an_export_of_a_missing_object_leaves_nothing(folder: Path) -> None:
    damage(folder, "missing")
    done = attempt(folder, "sengu", "objects", "export", "--dataset", "v1", "out")
    assert done.returncode == 1
    assert f"object {IDS['b']} is missing" in done.stdout
    assert not (folder / "out").exists()


def test_the_tables_of_the_store_are_as_expected(made: Path) -> None:
    assert set(tables.read(made / "data/index/one.csv", tables.IndexRow)["objectId"]) == {IDS["a"], IDS["b"]}


@pytest.mark.parametrize("name", ["../../outside", "", "a/b", "\x1b[2J"])
def test_a_class_that_is_no_folder_is_not_exported(name: str) -> None:
    with pytest.raises(SenguError, match="dataset version v1: class .* rename it in label.classes of params.yaml"):
        export.check_names(["fine", name], "v1")


def test_tags_and_addresses_do_not_steer_the_terminal(folder: Path) -> None:
    path = folder / "data/captures/one.csv"
    captures = tables.read(path, tables.Capture)
    tables.write(path, captures.assign(tags="a\x1b[2J", page="http://a.example/\x9b\nx"), tables.Capture)
    said = "".join(
        run(folder, "sengu", "objects", *words)
        for words in (("info", IDS["b"]), ("where", IDS["b"]), ("list", "--columns", "tags"))
    )
    assert r"a\x1b[2J" in said and r"http://a.example/\x9b\nx" in said
    assert not {"\x1b", "\x9b"} & {*said}
