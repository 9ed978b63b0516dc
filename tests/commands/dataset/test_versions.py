"""Versions made, changed, handed on and brought back, in a real Git and DVC repository."""

import json
import re
import shutil
from contextlib import chdir
from pathlib import Path

import mlcroissant
import pytest
import versioned
import yaml
from click.testing import CliRunner
from project import ROOT, attempt, run

from sengu.base import tables
from sengu.commands.main import sengu

WORDS = ("--purpose", "tests", "--description", "a part")
COLUMNS = (
    "objectId, urlId, format, width, height, bytes, milliseconds, video, site, url, page, tags, device, filename, fetched, "
    "modified, status, taken, camera, operator, subject, value, label"
)
pytestmark = pytest.mark.slow


@pytest.fixture
def folder(finalised: Path) -> Path:
    return versioned.copied(finalised)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def labels(folder: Path, name: str) -> dict[str, int]:
    table = tables.read(folder / f"data/dataset/{name}/label.csv", tables.Label)
    return dict(zip(table["objectId"], table["value"], strict=True))


def test_a_rerun_gives_the_same_bytes(folder: Path) -> None:
    before = files(folder / "data/dataset/D")
    assert set(before) == {
        *("label.csv", "dataset.json", "croissant.json", "classes.svg", "sizes.svg", "class-0.jpg", "class-1.jpg")
    }
    stage = yaml.safe_load((folder / "datasets/dvc.yaml").read_text())["stages"]["D"]
    run(folder, "bash", "-c", stage["cmd"])
    assert files(folder / "data/dataset/D") == before


def test_the_merge_of_two_parts_is_the_whole(finalised: Path) -> None:
    assert labels(finalised, "D") == labels(finalised, "v1") == {**labels(finalised, "B"), **labels(finalised, "C")}
    known = json.loads((finalised / "data/dataset/D/dataset.json").read_text())
    assert known["parents"] == ["B", "C"]
    assert known["counts"]["by_class"] == {"dots": 10, "stripes": 10}
    assert known["counts"]["by_site"] == {"camera": {"dots": 8, "stripes": 8}, "scanner": {"dots": 2, "stripes": 2}}


def test_croissant_is_valid_and_loads(finalised: Path) -> None:
    dataset = mlcroissant.Dataset(jsonld=str(finalised / "data/dataset/D/croissant.json"))
    issues = dataset.metadata.ctx.issues
    assert (set(issues.errors), set(issues.warnings)) == (set(), set())
    found = {record["labels/objectId"].decode(): record["labels/value"] for record in dataset.records("labels")}
    assert found == labels(finalised, "D")


def test_what_is_published_is_whole(finalised: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(finalised, "sengu", "dataset", "publish", "B", str(out))
    assert {path.name for path in (out / "images").iterdir()} == {*labels(finalised, "B"), "metadata.csv"}
    dataset = mlcroissant.Dataset(jsonld=str(out / "croissant.json"))
    assert {record["images/objectId"].decode() for record in dataset.records("images")} == set(labels(finalised, "B"))
    assert (out / "LICENSE").read_text().startswith("CC0-1.0\n")
    assert "# Drawings: B 1.0.0" in (out / "README.md").read_text()
    assert "not empty" in attempt(finalised, "sengu", "dataset", "publish", "B", str(out)).stdout


WITHOUT_OURS = """
import sys
sys.modules.update({"sengu": None, "crawlers": None})  # an import of ours fails
import mlcroissant
dataset = mlcroissant.Dataset(jsonld="croissant.json")
issues = dataset.metadata.ctx.issues
assert (set(issues.errors), set(issues.warnings)) == (set(), set())
labels = {record["labels/objectId"].decode(): record["labels/value"] for record in dataset.records("labels")}
pictures = {record["images/objectId"].decode(): record["images/picture"].size for record in dataset.records("images")}
assert pictures.keys() == labels.keys()
print(len(labels), min(min(size) for size in pictures.values()) > 0)
"""


def test_what_was_published_is_read_far_from_here_without_anything_of_ours(finalised: Path, tmp_path: Path) -> None:
    run(finalised, "sengu", "dataset", "publish", "B", str(tmp_path / "out"))
    said = run(tmp_path / "out", "python", "-I", "-W", "ignore", "-c", WITHOUT_OURS)
    assert said.splitlines()[-1] == f"{len(labels(finalised, 'B'))} True"


def documented(page: str, heading: str) -> list[str]:
    """The indented blocks below a heading of a page in docs/, without their indent."""
    text = (ROOT / "docs" / page).read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    return ["\n".join(line[4:] for line in block.strip("\n").splitlines()) + "\n" for block in blocks]


def test_a_second_label_set_is_a_stage_and_a_version_of_its_own(folder: Path) -> None:
    settings, stage = documented("labels.md", "Another question about the same pictures")[:2]
    with (folder / "params.yaml").open("a") as stream:
        stream.write(settings)
    name, path = versioned.ids("dots")[0], folder / "dvc.yaml"
    (folder / "labels_sharpness").mkdir()
    (folder / "labels_sharpness/anna.csv").write_text(f"objectId,value\n{name},blurred\n{versioned.ids('stripes')[0]},sharp\n")
    document = yaml.safe_load(path.read_text())
    new = yaml.safe_load(stage)
    new["label_sharpness"]["deps"] += [dep for dep in document["stages"]["label"]["deps"] if dep.startswith("src/")]
    path.write_text(yaml.safe_dump({**document, "stages": {**document["stages"], **new}}))
    before = (folder / "data/label.csv").read_bytes()
    run(folder, "dvc", "repro", "--quiet", "label_sharpness")
    table = tables.read(folder / "data/labels_sharpness/label.csv", tables.Label)
    assert sorted(table["value"]) == [0, 1]
    assert (folder / "data/label.csv").read_bytes() == before
    of_first = yaml.safe_load((folder / "datasets/dvc.yaml").read_text())["stages"]["v1"]["cmd"]
    command = of_first.replace("dataset/v1", "dataset/sharp").replace("--sheets labels", "--sheets labels_sharpness")
    run(folder, "bash", "-c", command.replace("data/label", "data/labels_sharpness/label"))
    assert labels(folder, "sharp") == dict(zip(table["objectId"], table["value"], strict=True))
    assert json.loads((folder / "data/dataset/sharp/dataset.json").read_text())["classes"] == ["sharp", "blurred"]


def relabelled(folder: Path, before: str = "dots", after: str = "stripes") -> None:
    """Another label for one object that stands in v1."""
    path = folder / "labels/first.csv"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace(before, after)
    path.write_text("\n".join([*lines, ""]))


def test_a_version_in_use_gets_no_other_labels(folder: Path) -> None:
    before = (folder / "datasets/dvc.lock").read_bytes()
    relabelled(folder)
    done = attempt(folder, "dvc", "repro", "datasets/dvc.yaml:v1")
    assert done.returncode != 0
    assert "the labels of v1 would change, but B, C come from it: to keep the version, write `frozen: true` " in done.stdout
    assert "run `sengu dataset create v2 --purpose" in done.stdout
    assert (folder / "datasets/dvc.lock").read_bytes() == before
    path = folder / "datasets/dvc.yaml"
    path.write_text(path.read_text().replace("  v1:\n", "  v1:\n    frozen: true\n", 1))
    cure = re.search("with `(dvc checkout [^`]*)`", done.stdout)
    assert cure is not None
    run(folder, *cure[1].split())
    said = run(
        folder, "sengu", "dataset", "create", "v2", "--from", "v1", "--extend", "labels/first.csv", "--prefer", "labels", *WORDS
    )
    run(folder, "dvc", "repro", "--quiet", "datasets/dvc.yaml:v2")
    name = versioned.ids("dots")[0]
    assert (labels(folder, "v1")[name], labels(folder, "v2")[name]) == (0, 1), said


def test_parents_that_differ_are_an_error_with_both_sides(folder: Path) -> None:
    relabelled(folder)
    name = versioned.ids("dots")[0]
    extend = ("--from", "v1", "--extend", "labels/first.csv")
    run(folder, "sengu", "dataset", "create", "v2", *extend, *WORDS)
    run(folder, "dvc", "repro", "--quiet", "label")
    cmd = yaml.safe_load((folder / "datasets/dvc.yaml").read_text())["stages"]["v2"]["cmd"]
    done = attempt(folder, "bash", "-c", cmd)
    assert done.returncode == 1
    assert f"v2: its sources differ on 1 object: {name} is dots in v1, stripes in labels: " in done.stdout
    assert not (folder / "data/dataset/v2").exists()
    before = (folder / "datasets/dvc.yaml").read_bytes()
    done = attempt(folder, "sengu", "dataset", "create", "v3", *extend, *WORDS)
    assert done.returncode == 1  # now the labels are made, and `create` sees it, too
    assert f"v3: its sources differ on 1 object: {name} is dots in v1, stripes in labels: " in done.stdout
    assert (folder / "datasets/dvc.yaml").read_bytes() == before
    run(folder, "sengu", "dataset", "create", "v3", *extend, "--prefer", "v1", *WORDS)
    run(folder, "bash", "-c", f"{cmd} --prefer labels")
    assert labels(folder, "v2")[name] == 1
    relabelled(folder, "stripes", "dots")  # the other cure: to correct the label
    run(folder, "dvc", "repro", "--quiet", "label")
    run(folder, "sengu", "dataset", "create", "v4", *extend, *WORDS)


def test_suspects_are_frozen_into_a_list(folder: Path) -> None:
    name = versioned.ids("dots")[0]
    suspect = tables.frame([tables.LabelError(name, 0, 1, "0.000001", "yes")], tables.LabelError)
    tables.write(folder / "reports/label_errors.csv", suspect, tables.LabelError)
    said = run(folder, "sengu", "dataset", "create", "sure", "--from", "v1", "--clean", "suspect,small=16", *WORDS)
    assert "datasets/lists/sure-suspect.csv" in said
    stage = yaml.safe_load((folder / "datasets/dvc.yaml").read_text())["stages"]["sure"]
    assert "datasets/lists/sure-suspect.csv" in stage["deps"]
    assert "reports/label_errors.csv" not in stage["deps"]
    run(folder, "bash", "-c", stage["cmd"])
    assert set(labels(folder, "v1")) - set(labels(folder, "sure")) == {name}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("B", "--from", "v1"),
            "version B is finalised as 1.0.0, and never changes: make the next one, `sengu dataset create",
        ),
        (("C",), "there is a version C already"),
        (("X", "--from", "gone"), "there is no dataset version gone: the versions are v1, B, C, D"),
        (("X", "--from", "v1", "--where", "colour == 1"), f"there is no column 'colour': the columns are {COLUMNS}\n"),
        (
            ("X", "--from", "v1", "--extend", "attic"),
            "--extend attic: no sheet (*.csv) and no site: the sites are camera",
        ),
        (("X.1",), "'X.1' cannot name a dataset version"),
    ],
)
def test_what_cannot_be_created(finalised: Path, options: tuple[str, ...], message: str) -> None:
    before = (finalised / "datasets/dvc.yaml").read_bytes()
    with chdir(finalised):
        done = CliRunner().invoke(sengu, ["dataset", "create", *options, *WORDS])
    assert done.exit_code == 1
    assert message in f"{done.exception}\n"
    assert (finalised / "datasets/dvc.yaml").read_bytes() == before


def test_finalize_names_all_that_is_missing(folder: Path) -> None:
    assert "it is final already, as 1.0.0: make the next version, `sengu dataset create B-2" in finalize(folder, "B")
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("licence: CC0-1.0", "licence: ''"))
    said = finalize(folder, "C")
    assert "1 file not committed (M params.yaml…): commit them" in said
    assert "no licence is stated: set project.licence in params.yaml" in said
    assert "it is out of date" in said
    run(folder, "git", "checkout", "--quiet", "params.yaml")
    run(folder, "dvc", "remote", "modify", "--local", "beside", "url", "../../empty")
    said = finalize(folder, "C")
    assert "files are not in the remote 'beside'" in said
    assert "run `dvc push`" in said
    assert run(folder, "git", "tag").split() == ["datasets=B@v1.0.0"]


def finalize(folder: Path, name: str) -> str:
    done = attempt(folder, "sengu", "dataset", "finalize", name)
    assert done.returncode == 1
    return done.stdout


def test_a_final_version_is_restored_from_git(folder: Path) -> None:
    before = files(folder / "data/dataset/B")
    for name in ("data/dataset", ".dvc/cache"):
        shutil.rmtree(folder / name)
    run(folder, "sengu", "dataset", "restore", "B")
    assert {name: data for name, data in files(folder / "data/dataset/B").items() if name.endswith((".csv", ".json"))} == {
        name: data for name, data in before.items() if name.endswith((".csv", ".json"))
    }


def test_a_version_is_restored_although_its_parent_was_frozen_before_the_labels_changed(folder: Path) -> None:
    """The labels at its tag would make another parent, so the parent is taken from the remote."""
    path = folder / "datasets/dvc.yaml"
    path.write_text(path.read_text().replace("\n  v1:\n", "\n  v1:\n    frozen: true\n", 1))
    changed = versioned.ids("dots")[0]
    (folder / "labels/second.csv").write_text(f"objectId,value\n{changed},stripes\n")
    run(folder, "sengu", "dataset", "create", "E", "--from", "v1", "--purpose", "tests", "--description", "all of it")
    run(folder, "dvc", "repro", "--quiet", "datasets/dvc.yaml:E")
    versioned.commit(folder, "another word, and a version without it")
    run(folder, "dvc", "push", "--quiet")
    run(folder, "sengu", "dataset", "finalize", "E")
    run(folder, "sengu", "dataset", "finalize", "v1")
    made = run(folder, "git", "log", "--format=%H", "--grep", "^v1$").strip()
    of = {name: run(folder, "git", "rev-parse", f"{name}:labels") for name in (made, "HEAD")}
    assert f"labels: {of[made]}" in run(folder, "git", "show", "datasets=v1@v1.0.0") and of[made] != of["HEAD"]
    before, frozen = (files(folder / f"data/dataset/{name}") for name in ("E", "v1"))
    assert changed in before["label.csv"].decode()
    for name in ("data/dataset", ".dvc/cache"):
        shutil.rmtree(folder / name)
    said = run(folder, "sengu", "dataset", "restore", "E")
    after = files(folder / "data/dataset/E")
    assert {name: after[name] for name in ("label.csv", "dataset.json")} == {
        name: before[name] for name in ("label.csv", "dataset.json")
    }
    assert "dataset.json is not" not in said and "`dvc commit --force datasets/dvc.yaml:E`" in said
    run(folder, "sengu", "dataset", "restore", "v1")  # by the labels that its tag names
    assert files(folder / "data/dataset/v1")["label.csv"] == frozen["label.csv"]


def test_a_final_version_is_corrected_by_its_child(folder: Path) -> None:
    """As docs/datasets.md prints it: a correction contradicts the parent, and counts by --prefer labels."""
    changed, before = versioned.ids("dots")[0], files(folder / "data/dataset/B")
    with (folder / "labels/first.csv").open("a") as stream:
        stream.write(f"{changed},stripes\n")
    run(folder, "dvc", "repro", "--quiet", "label")
    create = ("dataset", "create", "B2", "--from", "B", "--extend", "labels/first.csv", "--semver", "1.1.0")
    run(folder, "sengu", *create, "--prefer", "labels", "--purpose", "tests", "--description", "corrected")
    run(folder, "dvc", "repro", "--quiet", "datasets/dvc.yaml:B2")
    difference = json.loads(run(folder, "sengu", "dataset", "diff", "B", "B2", "--json"))
    assert difference["relabelled"] == {"dots -> stripes": [changed]}
    assert files(folder / "data/dataset/B") == before


def test_another_repository_takes_a_version(finalised: Path, tmp_path: Path) -> None:
    expected = (finalised / "data/dataset/B/label.csv").read_bytes()
    run(tmp_path, "dvc", "get", str(finalised), "data/dataset/B", "--out", "got")
    run(tmp_path, "dvc", "artifacts", "get", str(finalised), "datasets:B", "--rev", "v1.0.0", "--out", "artifact")
    run(tmp_path, "git", "init", "--quiet")
    run(tmp_path, "dvc", "init", "--quiet")
    run(tmp_path, "dvc", "import", str(finalised), "data/dataset/B", "--rev", "datasets=B@v1.0.0", "--out", "imported")
    assert {(tmp_path / place / "label.csv").read_bytes() for place in ("got", "artifact", "imported")} == {expected}
    where = f"'data/dataset/B/label.csv', repo={str(finalised)!r}, rev='datasets=B@v1.0.0'"
    code = f"import dvc.api\nwith dvc.api.open({where}) as stream:\n    print(stream.read(), end='')"
    assert run(tmp_path, "python", "-c", code).encode() == expected


def own_repository(source: Path, folder: Path, stages: tuple[str, ...], ignored: str) -> None:
    """A clone with some of the stages, that pins nothing yet and ignores data, but not what says where it was imported from."""
    run(source.parent, "git", "clone", "--quiet", str(source), str(folder))
    path = folder / "dvc.yaml"
    document = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({"stages": {name: document["stages"][name] for name in stages}}))
    for lock in ("dvc.lock", "datasets/dvc.lock"):
        (folder / lock).unlink()
    with (folder / ".gitignore").open("a") as stream:
        stream.write(ignored)
    run(folder, "dvc", "remote", "add", "--force", "--default", "--quiet", "beside", str(folder.parent / "remote"))


IGNORED = "!/data/\n/data/*\n!/data/*.dvc\n"


def test_archive_labels_and_training_are_repositories_of_their_own(finalised: Path, tmp_path: Path) -> None:
    labelled, training = tmp_path / "labelled", tmp_path / "training"
    own_repository(finalised, labelled, ("objects", "label"), IGNORED)
    for path in ("data/raw", "data/captures"):
        (labelled / "data").mkdir(exist_ok=True)
        run(labelled, "dvc", "import", "--quiet", str(finalised), path, "--out", path)
    run(labelled, "dvc", "repro", "--quiet", "datasets/dvc.yaml:v1")
    versioned.commit(labelled, "v1")
    run(labelled, "dvc", "push", "--quiet")
    run(labelled, "git", "tag", "--delete", "datasets=B@v1.0.0")
    run(labelled, "sengu", "dataset", "finalize", "v1")
    assert "1 final version: v1; 0 faults" in run(labelled, "sengu", "dataset", "check", "v1")
    assert labels(labelled, "v1") == labels(finalised, "v1")

    ignored = f"{IGNORED}!/data/dataset/\n/data/dataset/*\n!/data/dataset/*.dvc\n"
    own_repository(finalised, training, ("version", "split"), ignored)
    (training / "datasets/dvc.yaml").write_text("stages: {}\n")
    (training / "data/dataset").mkdir(parents=True)
    run(training, "dvc", "import", "--quiet", str(finalised), "data/duplicates.csv", "--out", "data/duplicates.csv")
    version = ("data/dataset/v1", "--rev", "datasets=v1@v1.0.0", "--out", "data/dataset/v1")
    run(training, "dvc", "import", "--quiet", str(labelled), *version)
    params = yaml.safe_load((training / "params.yaml").read_text())
    params["split"].update(test=[0, 60], validation=[61, 170])
    (training / "params.yaml").write_text(yaml.safe_dump(params))
    run(training, "dvc", "repro", "--quiet", "split")
    assert set(tables.read(training / "data/split_label.csv", tables.SplitLabel)["objectId"]) == set(labels(finalised, "v1"))
    versioned.commit(training, "training")
    assert set(run(training, "git", "ls-files", "data").split()) == {"data/duplicates.csv.dvc", "data/dataset/v1.dvc"}


def test_training_on_a_name_that_is_no_version_lists_those_there_are(folder: Path) -> None:
    done = attempt(folder, "dvc", "exp", "run", "--set-param", "split.dataset=nope", "split")
    assert done.returncode != 0
    assert (
        "error: params.yaml: split.dataset is 'nope', which is not a dataset version: the versions are B, C, D, v1" in done.stdout
    )
    params = yaml.safe_load((folder / "params.yaml").read_text())
    assert params["split"]["dataset"] == "nope", "DVC leaves the value of a failed experiment there"
    params["split"].update(dataset="D", test=[0, 60], validation=[61, 170])
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    run(folder, "dvc", "repro", "--quiet", "split")
    assert "up to date" in run(folder, "dvc", "status", "version", "split")
    params["split"]["dataset"] = "v1"
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    ran = [line for line in run(folder, "dvc", "repro", "split").splitlines() if line.startswith("Running stage")]
    assert ran == ["Running stage 'version':", "Running stage 'split':"]


def test_a_site_may_be_a_submodule(finalised: Path, tmp_path: Path) -> None:
    whole, clone = tmp_path / "whole", tmp_path / "clone"
    whole.mkdir()
    run(whole, "git", "init", "--quiet")
    run(whole, "dvc", "init", "--quiet")
    archive = tmp_path / "camera"
    run(tmp_path, "git", "clone", "--quiet", str(finalised), str(archive))
    allowed = ("git", "-c", "protocol.file.allow=always", "submodule", "--quiet")
    run(whole, *allowed, "add", str(archive), "sites/camera")
    (whole / "data/raw").mkdir(parents=True)
    run(whole, "dvc", "import", "--quiet", "sites/camera", "data/raw/camera", "--out", "data/raw/camera")
    versioned.commit(whole, "camera")
    run(tmp_path, "git", "clone", "--quiet", str(whole), str(clone))
    run(clone, *allowed, "update", "--init")
    run(clone, "dvc", "pull", "--quiet")
    assert files(clone / "data/raw/camera") == files(finalised / "data/raw/camera")


def test_versions_are_listed_with_what_is_known(finalised: Path, tmp_path: Path) -> None:
    rows = {row["version"]: row for row in json.loads(run(finalised, "sengu", "dataset", "list", "--json"))}
    assert list(rows) == ["v1", "B", "C", "D"]
    assert (rows["B"]["state"], rows["C"]["state"]) == ("final", "open")
    assert rows["D"]["parents"] == ["B", "C"]
    shown = json.loads(run(finalised, "sengu", "dataset", "show", "B", "--json"))
    assert shown["may_change"].startswith("no: it is final (datasets=B@v1.0.0), and D comes from it: `sengu dataset create B-2")
    diff = json.loads(
        run(finalised, "sengu", "dataset", "diff", "B", "D", "--html", str(tmp_path / "diff.html"), "--json").partition("\n")[2]
    )
    assert sum(map(len, diff["added"].values())) == 4
    assert (tmp_path / "diff.html").read_text().count("<img") == 4
