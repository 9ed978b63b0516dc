"""Every verb of DVC that works at other revisions finds the remote, before and after it moves to a bucket."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket import BUCKET, SECRETS, Server, add_files, repository, served
from project import attempt, run

from sengu.base.errors import SenguError
from sengu.remote import configuration

SET_UP = (sys.executable, "-m", "sengu.remote.configuration", ".")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("verbs") / "top/project")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "top/project", symlinks=True)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as server:
        yield server


def oids(folder: Path) -> set[str]:
    return {path.parent.name + path.name for path in (folder / "files/md5").glob("*/*")}


def cached(folder: Path) -> set[str]:
    return oids(folder / ".dvc/cache")


def test_without_set_up_everything_pushed_at_other_revisions_is_lost(folder: Path) -> None:
    """The fault itself; when DVC mends it, this test says that the set-up is not needed any more."""
    said = run(folder, "dvc", "push", "--all-tags")
    assert "pushed" in said
    assert len(oids(folder.parent / "sengu-remote")) < len(cached(folder))
    assert any("is relative" in line for line in configuration.doubts(folder))


@pytest.mark.parametrize("verb", ["--all-tags", "--all-branches", "--all-commits"])
def test_what_is_pushed_at_other_revisions_arrives(folder: Path, verb: str) -> None:
    run(folder, *SET_UP)
    assert configuration.doubts(folder) == []
    run(folder, "git", "branch", "old", "HEAD~1")
    run(folder, "dvc", "push", verb)
    assert oids(folder.parent / "sengu-remote") == cached(folder)


def test_after_a_move_the_same_verbs_work_and_metrics_are_compared(folder: Path, server: Server) -> None:
    run(folder, *SET_UP)
    run(folder, "dvc", "push", "--all-tags")
    run(folder, "sengu", "remote", "init", f"s3://{BUCKET}/moved", "--endpoint-url", server.endpoint, **SECRETS)
    run(folder, "git", "commit", "--quiet", "--all", "--message", "moved")
    assert configuration.doubts(folder) == []
    assert server.endpoint not in (folder / ".dvc/config").read_text()
    run(folder, "git", "branch", "old", "HEAD~2")
    for verb in ("--all-tags", "--all-branches", "--all-commits"):
        for key in server.keys("moved/"):
            server.client.delete_object(Bucket=BUCKET, Key=key)
        run(folder, "dvc", "push", verb, **SECRETS)
        arrived = {"".join(key.split("/")[-2:]) for key in server.keys("moved/files/md5/")}
        assert arrived == cached(folder), verb
    shutil.rmtree(folder.parent / "sengu-remote")
    shutil.rmtree(folder / ".dvc/cache")
    difference = json.loads(run(folder, "dvc", "metrics", "diff", "--json", "HEAD~2", **SECRETS))
    assert difference == {"reports/metrics.json": {"files": {"old": 3, "new": 4, "diff": 1}}}
    run(folder, "dvc", "fetch", "--all-tags", **SECRETS)
    run(folder, "git", "checkout", "--quiet", "classifier@v1.0.0")  # a commit that knows of no bucket
    run(folder, "dvc", "pull", "--force", **SECRETS)
    assert len(list((folder / "data/raw/birds").iterdir())) == 3


def test_experiments_are_pushed_with_their_data(folder: Path) -> None:
    run(folder, *SET_UP)
    run(folder.parent, "git", "clone", "--quiet", "--bare", "project", "bare.git")
    run(folder, "git", "remote", "add", "origin", str(folder.parent / "bare.git"))
    (folder / "data/raw/birds/birds-00099.bin").write_bytes(b"another")
    run(folder, "dvc", "commit", "--force", "crawl@birds")
    run(folder, "dvc", "exp", "run", "--name", "tried", "label")
    run(folder, "dvc", "exp", "push", "origin", "tried")
    made = [path.read_bytes() for path in (folder.parent / "sengu-remote/files/md5").glob("*/*")]
    assert b"another" in made
    assert (folder / "data/label.csv").read_bytes() in made


def test_worktrees_and_submodules_are_set_up_by_the_same_command(folder: Path) -> None:
    run(folder, *SET_UP)
    run(folder, "dvc", "push")
    far = folder.parent / "far/away/tree"
    far.parent.mkdir(parents=True)
    run(folder, "git", "worktree", "add", "--quiet", str(far), "classifier@v1.0.0")
    run(far, *SET_UP)
    outer = folder.parent / "outer"
    outer.mkdir()
    run(outer, "git", "init", "--quiet")
    run(outer, "git", "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(folder), "parts/inner")
    inner = outer / "parts/inner"
    run(inner, *SET_UP)
    for place in (far, inner):
        assert configuration.default(place).folder == folder.parent / "sengu-remote"
    run(inner, "dvc", "pull")
    assert len(list((inner / "data/raw/birds").iterdir())) == 4
    add_files(inner, 50, 51, 500)
    run(inner, "dvc", "commit", "--force", "crawl@birds")
    run(inner, "git", "commit", "--quiet", "--all", "--message", "more")
    run(inner, "dvc", "push", "--all-commits")
    assert cached(inner) <= oids(folder.parent / "sengu-remote")


def test_an_artifact_is_fetched_from_a_bare_repository_by_the_printed_command(
    folder: Path, server: Server, tmp_path: Path
) -> None:
    """The part of `sengu model register` that prints; what it checks has tests of its own."""
    run(folder, *SET_UP)
    run(folder, "dvc", "push", "--all-tags")
    run(folder.parent, "git", "clone", "--quiet", "--bare", "project", "bare.git")
    script = "from sengu.commands.model import fetching; print(fetching({url!r}, '1.0.0'))"
    url = str(folder.parent / "bare.git")
    command = run(folder, sys.executable, "-c", script.format(url=url)).splitlines()[-1]
    (tmp_path / "elsewhere").mkdir()
    run(tmp_path / "elsewhere", "bash", "-c", command)
    assert (tmp_path / "elsewhere/label.csv").is_file()

    run(folder, "sengu", "remote", "init", f"s3://{BUCKET}/bare", "--endpoint-url", server.endpoint, **SECRETS)
    run(folder, "dvc", "push", "--all-tags", **SECRETS)
    command = run(folder, sys.executable, "-c", script.format(url=url)).splitlines()[-1]
    (tmp_path / "again").mkdir()
    run(tmp_path / "again", "bash", "-c", command, **SECRETS)
    assert (tmp_path / "again/label.csv").read_bytes() == (tmp_path / "elsewhere/label.csv").read_bytes()


def test_a_place_that_was_chosen_is_kept_and_a_committed_bucket_is_followed(folder: Path) -> None:
    run(folder, "dvc", "remote", "modify", "--local", "local", "url", str(folder.parent / "mounted"))
    configuration.set_up(folder)
    assert configuration.default(folder).folder == folder.parent / "mounted"
    run(folder, "dvc", "remote", "add", "--default", "store", "s3://one/place")
    configuration.set_up(folder)
    run(folder, "dvc", "remote", "modify", "store", "url", "s3://two/place")
    configuration.set_up(folder)
    assert (configuration.default(folder).bucket, configuration.default(folder).prefix) == ("two", "place/")
    assert configuration.remotes(folder)["local"].folder == folder.parent / "mounted"


def test_a_relative_address_can_name_no_place_that_is_not_there(folder: Path) -> None:
    configuration.set_up(folder)
    with pytest.raises(SenguError, match=f"remote 'local' is the folder {folder.parent}/sengu-remote, which is not here"):
        configuration.check(folder)
    with pytest.raises(SenguError, match="has no remote 'other': it has local"):
        configuration.named("other", folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("config", "--local", "core.remote", "other"), "names the default remote 'other'"),
        (("remote", "modify", "--local", "local", "jobs", "3"), ""),
        (("remote", "modify", "local", "verify", "--unset"), "without verify"),
    ],
)
def test_doubts_name_the_cure(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    configuration.set_up(folder)
    attempt(folder, "dvc", *arguments)
    doubts = configuration.doubts(folder)
    assert [message in line for line in doubts] == ([True] if message else [])
    for cure in re.findall("`(.*?)`", " ".join(doubts)):
        run(folder, *cure.split())
    assert configuration.doubts(folder) == []


def test_an_option_without_an_address_is_a_doubt(folder: Path) -> None:
    (folder / ".dvc/config.local").write_text("['remote \"store\"']\n    endpointurl = http://127.0.0.1:9\n")
    assert any("remote 'store' has no url" in line for line in configuration.doubts(folder))
