"""`sengu model` in a real Git and DVC repository of one stage, up to fetching the release by its name somewhere else."""

import hashlib
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml
from embedded import sengu_in
from project import ROOT, attempt, run
from released import tiny_release

from sengu.base.errors import SenguError
from sengu.release import bundle

ARTIFACT = yaml.safe_load((ROOT / "dvc.yaml").read_text())["artifacts"]["classifier"]
EXPORT = "export: { name: tiny, version: 0.1.0 }\n"
ZIP = "models/release/tiny-0.1.0.zip"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose stage `export` copies a release, with a stage before it; committed. Its remote is a folder beside it."""
    folder = tmp_path_factory.mktemp("model") / "project"
    folder.mkdir()
    tiny_release(folder / "made")
    (folder / "params.yaml").write_text("prepare: { size: 64 }\n" + EXPORT)
    (folder / "code.py").write_text("# nothing\n")
    (folder / "source.csv").write_text("1\n")
    stages = {
        "prepare": {
            "cmd": "mkdir -p data && cp source.csv data/table.csv",
            "params": ["prepare"],
            "deps": ["source.csv", "code.py"],
            "outs": ["data/table.csv"],
        },
        "export": {
            "cmd": "mkdir -p models/release && cp made/*.zip models/release/",
            "params": ["export"],
            "deps": ["made", "data"],
            "outs": ["models/release"],
        },
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"artifacts": {"classifier": ARTIFACT}, "stages": stages}))
    (folder / ".gitignore").write_text("/models/\n/data/\n")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "dvc", "init", "--quiet")
    run(folder, "dvc", "remote", "add", "--default", "--quiet", "beside", "../../remote")
    run(folder, "dvc", "repro", "--quiet")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "a release")
    return folder


@pytest.fixture
def folder(made: Path) -> Path:
    """A copy beside it, which has the same remote, and which a test may change."""
    copy = made.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    return shutil.copytree(made, copy, symlinks=True)


def test_a_registered_version_is_fetched_by_its_name(folder: Path, tmp_path: Path) -> None:
    said = run(folder, "sengu", "model", "register", "0.1.0").splitlines()
    assert run(folder, "git", "tag", "--points-at", "HEAD").split() == ["classifier@v0.1.0"]
    assert "dvc push" in said
    assert not [line for line in said if line.startswith("git push")]  # there is nowhere to push to
    assert said[-1].startswith("dvc artifacts get URL classifier --rev v0.1.0")
    run(folder, "dvc", "push", "--quiet")
    expected = (folder / ZIP).read_bytes()
    shutil.rmtree(folder / "models")  # so that it comes from the remote
    shutil.rmtree(folder / ".dvc/cache")
    run(tmp_path, "bash", "-c", said[-1].replace("URL", str(folder)))
    assert (tmp_path / "release/tiny-0.1.0.zip").read_bytes() == expected
    done = attempt(folder, "sengu", "model", "register", "0.1.0")
    assert done.returncode == 1
    assert done.stdout.startswith("error: version 0.1.0 is registered already (tag classifier@v0.1.0)")


def test_the_commands_name_the_origin_where_there_is_one(folder: Path) -> None:
    run(folder, "git", "remote", "add", "origin", "https://git.example.org/sengu.git")
    said = run(folder, "sengu", "model", "register", "0.1.0")
    assert "dvc artifacts get https://git.example.org/sengu.git classifier --rev v0.1.0" in said


def other_version(folder: Path) -> None:
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("0.1.0", "0.2.0"))
    run(folder, "git", "commit", "--quiet", "--all", "--message", "not rebuilt")


def changed_release(folder: Path) -> None:
    path = folder / ZIP
    path.unlink()
    path.write_bytes(b"another")


def no_lock(folder: Path) -> None:
    run(folder, "git", "rm", "--quiet", "dvc.lock")
    run(folder, "git", "commit", "--quiet", "--message", "no lock")


@pytest.mark.parametrize(
    ("version", "change", "message"),
    [
        ("0.3.0", lambda folder: None, "params.yaml: export.version is 0.1.0, not 0.3.0"),
        ("0.1.0", lambda folder: (folder / "labels.csv").write_text("new\n"), "1 file not committed (?? labels.csv…)"),
        ("0.1.0", lambda folder: (folder / "dvc.yaml").write_text("stages: {}\n"), "1 file not committed (M dvc.yaml…)"),
        ("0.2.0", other_version, "dvc.lock pins the release of version 0.1.0, not 0.2.0: run `dvc repro` and commit"),
        ("0.1.0", changed_release, "models/release is not what dvc.lock pins"),
        ("0.1.0", no_lock, "dvc.lock pins no models/release: run `dvc repro` and commit"),
    ],
    ids=["params", "untracked", "uncommitted", "stale", "changed", "no lock"],
)
def test_what_others_would_not_get_is_not_registered(folder: Path, version: str, change, message: str) -> None:
    change(folder)
    before = run(folder, "git", "tag")
    with pytest.raises(SenguError, match=f"^{re.escape(message)}"):
        sengu_in(folder, "model", "register", version)
    assert run(folder, "git", "tag") == before


def edited(name: str, old: str, new: str):
    """Changes a file, and commits that without `dvc repro`."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
        run(folder, "git", "commit", "--quiet", "--all", "--message", "not rebuilt")

    return change


def code_gone(folder: Path) -> None:
    run(folder, "git", "rm", "--quiet", "code.py")
    run(folder, "git", "commit", "--quiet", "--message", "not rebuilt")


def half_rebuilt(folder: Path) -> None:
    edited("source.csv", "1", "2")(folder)
    run(folder, "dvc", "repro", "--quiet", "prepare")
    run(folder, "git", "commit", "--quiet", "--all", "--message", "half rebuilt")


def not_pulled(folder: Path) -> None:
    for name in ("models", "data", ".dvc/cache"):
        shutil.rmtree(folder / name)


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        (edited("code.py", "nothing", "something"), "prepare"),
        (edited("source.csv", "1", "2"), "prepare"),
        (edited("params.yaml", "64", "96"), "prepare"),
        (edited("params.yaml", "tiny", "small"), "export"),
        (edited("dvc.yaml", "mkdir -p data &&", "mkdir -p data;"), "prepare"),
        (code_gone, "prepare"),
        (half_rebuilt, "export"),
    ],
    ids=["code", "input", "params", "params of export", "command", "code gone", "half rebuilt"],
)
def test_a_release_of_other_code_params_or_inputs_is_not_of_this_commit(folder: Path, change, stage: str, tmp_path: Path) -> None:
    change(folder)
    not_pulled(folder)
    message = rf"^dvc.lock is not of this commit: {stage} would run again, see `dvc status --with-deps export`: run `dvc repro`"
    with pytest.raises(SenguError, match=message):
        sengu_in(folder, "model", "register", "0.1.0")
    with pytest.raises(SenguError, match=message):
        sengu_in(folder, "model", "bundle", str(tmp_path / "bundle"))
    assert run(folder, "git", "tag") == ""
    assert not (tmp_path / "bundle").exists()


def test_a_release_that_was_not_pulled_can_be_registered_once(folder: Path) -> None:
    not_pulled(folder)
    run(folder, "sengu", "model", "register", "0.1.0")
    assert run(folder, "git", "tag", "--points-at", "HEAD").split() == ["classifier@v0.1.0"]
    run(folder, "git", "tag", "--annotate", "--message", "old", "classifier@v0.0.9", "HEAD")
    run(folder, "git", "tag", "--delete", "classifier@v0.1.0")
    done = attempt(folder, "sengu", "model", "register", "0.1.0")
    assert (done.returncode, done.stdout.startswith("error: classifier@v0.1.0: ")) == (1, True)


def test_a_bundle_says_of_which_commit_and_lock_it_is(folder: Path, tmp_path: Path) -> None:
    run(folder, "git", "tag", "classifier@v0.1.0")
    said = sengu_in(folder, "model", "bundle", str(tmp_path)).strip()
    assert said == str(tmp_path / "tiny-0.1.0.zip")
    manifest = bundle.load(tmp_path).manifest
    assert manifest.git_tag == "classifier@v0.1.0"
    assert manifest.git_commit == run(folder, "git", "rev-parse", "HEAD").strip()
    assert manifest.dvc_lock_sha256 == hashlib.sha256((folder / "dvc.lock").read_bytes()).hexdigest()
    with zipfile.ZipFile(folder / ZIP) as plain, zipfile.ZipFile(said) as completed:
        assert completed.namelist() == plain.namelist()
        assert completed.read("model.onnx") == plain.read("model.onnx")
    (folder / "new.csv").write_text("not committed\n")
    with pytest.raises(SenguError, match="1 file not committed"):
        sengu_in(folder, "model", "bundle", str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()
