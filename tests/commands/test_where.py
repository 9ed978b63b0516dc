"""`sengu where` in a real repository with a history: files under other names lead back to commit, tag and dataset version."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import onnx
import pytest
import yaml
from embedded import sengu_in
from onnx import helper
from project import run
from released import tiny_model, tiny_release

from sengu.base.errors import SenguError

STAGES = {
    "v1": {"cmd": "mkdir -p data/dataset/v1 && cp source.csv data/dataset/v1/label.csv", "deps": ["source.csv"]},
    "report": {
        "cmd": "mkdir -p reports && (echo '<p>'; cat data/dataset/v1/label.csv) > reports/index.html",
        "deps": ["data/dataset/v1"],
    },
    "split": {"cmd": "cp data/dataset/v1/label.csv data/split_label.csv", "deps": ["data/dataset/v1"]},
    "export": {
        "cmd": "mkdir -p models/release && cp made/*.zip models/release/",
        "deps": ["made", "data/split_label.csv"],
        "params": ["export"],
    },
}
OUTS = {"v1": "data/dataset/v1", "report": "reports/index.html", "split": "data/split_label.csv", "export": "models/release"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three commits: the first is tagged, the second has other data, the third touches nothing that is pinned."""
    folder = tmp_path_factory.mktemp("where") / "project"
    (folder / "labels").mkdir(parents=True)
    (folder / "labels/RULES.md").write_text("A dot is round.\n")
    tiny_release(folder / "made")
    stages = {name: {**stage, "outs": [OUTS[name]]} for name, stage in STAGES.items()}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (folder / "params.yaml").write_text("export: { name: tiny, version: 0.1.0 }\n")
    (folder / ".gitignore").write_text("/models/\n/data/\n/reports/\n")
    (folder / "source.csv").write_text("objectId,value\na,0\n")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "git", "remote", "add", "origin", "https://git.example.org/sengu.git")
    run(folder, "dvc", "init", "--quiet")
    run(folder, "dvc", "remote", "add", "--default", "--quiet", "store", "s3://bucket/prefix")
    for text, message in (("a,0\n", "first"), ("a,1\n", "second"), ("a,1\n", "third")):
        (folder / "source.csv").write_text(f"objectId,value\n{text}")
        (folder / "note.txt").write_text(message)
        run(folder, "dvc", "repro", "--quiet")
        run(folder, "git", "add", "--all")
        run(folder, "git", "commit", "--quiet", "--message", message)
        if message == "first":
            run(folder, "git", "tag", "classifier@v0.1.0")
            shutil.copy(folder / "data/split_label.csv", folder.parent / "from an e-mail.csv")
            shutil.copy(folder / "reports/index.html", folder.parent / "the page.htm")
            text = (folder / "data/split_label.csv").read_bytes()
            (folder.parent / "by mail.csv").write_bytes(text.replace(b"\n", b"\r\n"))
            shutil.copy(folder / "data/dataset/v1/label.csv", folder.parent / "old labels.csv")
            shutil.copy(folder / "models/release/tiny-0.1.0.zip", folder.parent / "model (1).zip")
    return folder


def answer(folder: Path, path: Path) -> dict[str, str]:
    return dict(re.split(r": +", line, maxsplit=1) for line in sengu_in(folder, "where", str(path)).split("\n\n")[0].splitlines())


def commit(folder: Path, message: str) -> str:
    return run(folder, "git", "log", "--format=%H", f"--grep={message}").strip()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("from an e-mail.csv", "data/dataset/v1/label.csv, written by v1"),
        ("old labels.csv", "data/dataset/v1/label.csv, written by v1"),
        ("by mail.csv", "data/dataset/v1/label.csv, written by v1; its line ends were changed"),
        ("the page.htm", "reports/index.html, written by report"),
        ("model (1).zip", "models/release/tiny-0.1.0.zip, written by export"),
    ],
)
def test_a_file_leads_back_to_its_commit_and_tag(folder: Path, name: str, what: str) -> None:
    said = answer(folder, folder.parent / name)
    assert what in sengu_in(folder, "where", str(folder.parent / name))
    assert said["commit"].split()[0] == commit(folder, "first")
    assert said["tags"] == "classifier@v0.1.0"
    assert said["dataset"].startswith("v1 (")
    assert said["repository"] == "https://git.example.org/sengu.git"
    assert said["trained on"] == "dvc get . data/split_label.csv --rev classifier@v0.1.0, the rows of type train"
    assert said["remote"] == "store s3://bucket/prefix"
    assert run(folder, "bash", "-c", said["rules"]) == "A dot is round.\n"


def test_later_data_has_a_later_commit_and_no_tag(folder: Path) -> None:
    said = answer(folder, folder / "data/split_label.csv")
    assert said["commit"].split()[0] == commit(folder, "second")
    assert said["tags"] == "none"


def test_a_model_taken_out_of_a_release_is_known(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(folder / "models/release/tiny-0.1.0.zip") as archive:
        archive.extractall(tmp_path)
    for name in ("model.onnx", "manifest.json"):
        said = answer(folder, tmp_path / name)
        assert said["what"] == "what is in models/release/tiny-0.1.0.zip, written by export"
        assert said["tags"] == "classifier@v0.1.0"


def test_a_bundle_leads_to_the_commit_that_it_names(folder: Path, tmp_path: Path) -> None:
    sengu_in(folder, "model", "bundle", str(tmp_path))
    said = answer(folder, tmp_path / "tiny-0.1.0.zip")
    assert said["what"] == "a bundle of tiny 0.1.0, which names its commit"
    assert said["commit"].split()[0] == commit(folder, "third")


def test_a_file_that_git_tracks_is_known_too(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "renamed").write_text("second")
    assert answer(folder, tmp_path / "renamed")["what"] == "note.txt, which Git tracks"


def test_what_a_clone_has_not_fetched_is_found_by_the_cures_that_are_named(folder: Path, tmp_path: Path) -> None:
    sengu_in(folder, "model", "bundle", str(tmp_path))
    with zipfile.ZipFile(folder / "models/release/tiny-0.1.0.zip") as archive:
        archive.extract("model.onnx", tmp_path)
    clone = tmp_path / "clone"
    run(tmp_path, "git", "init", "--quiet", str(clone))
    run(clone, "git", "remote", "add", "origin", str(folder))
    run(clone, "git", "fetch", "--quiet", "--no-tags", "origin", "classifier@v0.1.0")
    run(clone, "git", "checkout", "--quiet", "FETCH_HEAD")
    run(clone, "dvc", "remote", "modify", "--local", "store", "url", str(folder / ".dvc/cache"))
    with pytest.raises(SenguError, match="which is not in this repository") as refused:
        sengu_in(clone, "where", str(tmp_path / "tiny-0.1.0.zip"))
    run(clone, *re.findall("`(.*?)`", str(refused.value))[0].split())
    assert answer(clone, tmp_path / "tiny-0.1.0.zip")["commit"].split()[0] == commit(folder, "third")
    with pytest.raises(SenguError, match="is not pinned or tracked by this repository") as refused:
        sengu_in(clone, "where", str(tmp_path / "model.onnx"))
    run(clone, *re.findall("`(.*?)`", str(refused.value))[0].split())
    assert answer(clone, tmp_path / "model.onnx")["tags"] == "classifier@v0.1.0"


def test_a_stranger_is_an_error_that_says_what_to_try(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "stranger.csv").write_text("?\n")
    with pytest.raises(SenguError, match="is not pinned or tracked by this repository: .* `dvc fetch --all-commits`"):
        sengu_in(folder, "where", str(tmp_path / "stranger.csv"))
    stranger = tiny_model()
    helper.set_model_props(
        stranger, {"name": "owls", "version": "2", "repository": "https://o.example/owls", "dataset_version": "v7"}
    )
    onnx.save(stranger, tmp_path / "stranger.onnx")
    with pytest.raises(SenguError, match="says itself that it is owls 2 of the repository https://o.example/owls, of dataset v7"):
        sengu_in(folder, "where", str(tmp_path / "stranger.onnx"))
    tiny_release(tmp_path / "other", dimensions=4, version="9")  # with the same model it would be known by that
    with pytest.raises(SenguError, match="says itself that it is tiny 9, of dataset "):
        sengu_in(folder, "where", str(tmp_path / "other/tiny-9.zip"))
    with (
        zipfile.ZipFile(folder / "models/release/tiny-0.1.0.zip") as ours,
        zipfile.ZipFile(tmp_path / "shares.zip", "w") as theirs,
    ):
        files = json.loads(ours.read("manifest.json"))["files"]
        theirs.writestr("manifest.json", json.dumps({"name": "owls", "version": "3", "files": {**files, "model.onnx": "0" * 64}}))
    with pytest.raises(SenguError, match="says itself that it is owls 3"):  # whatever licence and program it shares
        sengu_in(folder, "where", str(tmp_path / "shares.zip"))
    with pytest.raises(SenguError, match="is not a file"):
        sengu_in(folder, "where", str(tmp_path))
