import difflib
import re
import shutil
from pathlib import Path

import pytest
import yaml
from project import ROOT, attempt, copy_of_the_project, run

from sengu.base import params

PARAMS = (ROOT / "params.yaml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


@pytest.mark.parametrize(
    ("options", "fetch", "read"),
    [
        (
            ("--start", "https://a.example.org/g", "--domain", "a.example.org", "--depth", "5", "--delay", "2.5",
             "--contact", "me@example.org", "--tags", ".t a::text", "--spider", "json_ld"),
            {"source": "generic", "start": ["https://a.example.org/g"], "domains": ["a.example.org"], "depth": 5, "delay": 2.5,
             "contact": "me@example.org", "spider": "json_ld"},
            {"tags": ".t a::text"},
        ),
        (
            ("--folder", "../pictures", "--device", "camera 7", "--path", "(?P<tag>[^/]+)/"),
            {"source": "folder", "folder": "../pictures", "device": "camera 7"},
            {"path": "(?P<tag>[^/]+)/"},
        ),
        (
            ("--s3", "s3://bucket/prefix", "--endpoint", "http://store:9000"),
            {"source": "s3", "url": "s3://bucket/prefix", "endpoint": "http://store:9000"},
            None,
        ),
        (("--warc", "a.warc", "--warc", "b/*.gz"), {"source": "warc", "files": ["a.warc", "b/*.gz"]}, None),
    ],
)  # fmt: skip
def test_a_site_is_added_and_nothing_else_changes(folder: Path, options: tuple[str, ...], fetch: object, read: object) -> None:
    run(folder, "sengu", "site", "add", "birds-2", *options)
    text = (folder / "params.yaml").read_text()
    assert yaml.safe_load(text)["sites"]["birds-2"] == {"fetch": fetch} | ({"read": read} if read else {})
    params.section("sites.birds-2", params.Site, folder / "params.yaml")
    changes = [line for line in difflib.ndiff(PARAMS.splitlines(), text.splitlines()) if line[0] != " "]
    assert {line[0] for line in changes} == {"+"}, changes
    assert "birds-2" in run(folder, "sengu", "site", "list")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("demo_a", "--folder", "x"), "there is a site demo_a already"),
        (("a.b", "--folder", "x"), "site name 'a.b': use letters, digits"),
        (("x",), "with one of --start, --folder, --s3 and --warc"),
        (("x", "--folder", "x", "--start", "y"), "with one of --start, --folder, --s3 and --warc"),
        (("x", "--folder", "x", "--depth", "2"), "sites.x.fetch.depth: unknown key"),
        (("x", "--s3", "bucket"), "sites.x.fetch.url: .*pattern"),
        (("x", "--folder", "x", "--path", "("), "sites.x.read.path: .*not a regular expression"),
    ],
)
def test_what_cannot_be_a_site_is_refused_and_the_file_stays(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    done = attempt(folder, "sengu", "site", "add", *arguments)
    assert done.returncode != 0
    assert re.search(message, done.stdout), done.stdout
    assert (folder / "params.yaml").read_text() == PARAMS


def test_the_first_site_of_an_empty_list(folder: Path) -> None:
    (folder / "params.yaml").write_text("sites: {}\n")
    run(folder, "sengu", "site", "add", "mine", "--folder", "x")
    assert params.site_names(folder / "params.yaml") == ["mine"]


def archived(tmp_path: Path) -> Path:
    """A repository in which one site, a folder, has been crawled, extracted and hashed."""
    folder = copy_of_the_project(tmp_path / "project")
    (tmp_path / "camera").mkdir()
    (tmp_path / "camera/a.txt").write_text("no picture, but a file")
    (folder / "params.yaml").write_text(yaml.safe_dump(yaml.safe_load(PARAMS) | {"sites": {}}))
    (folder / "dvc.lock").unlink()
    run(folder, "sengu", "site", "add", "camera", "--folder", "../camera")
    run(folder, "dvc", "repro", "objects@camera")
    return folder


def test_a_site_is_removed_with_its_outputs_and_can_be_brought_back(tmp_path: Path) -> None:
    folder = archived(tmp_path)
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "camera")
    made = {path for path in (folder / "data").rglob("*camera*") if ".partial" not in path.name}
    assert {path.relative_to(folder / "data").parts[0] for path in made} >= {"raw", "captures", "index", "rejected", "failed"}
    kept = [folder / ".sengu/warc/camera-00000.warc.gz.index", folder / ".sengu/objects/camera.journal"]
    assert all(path.is_file() for path in kept)
    said = run(folder, "sengu", "site", "remove", "camera")
    assert "deleted data/raw/camera" in said
    assert not list((folder / "data").rglob("*camera*"))
    assert not [path for path in kept if path.exists()]
    assert "camera" not in (folder / "dvc.lock").read_text()
    assert yaml.safe_load((folder / "params.yaml").read_text())["sites"] == {}
    (cure,) = re.findall("`(git .*?)`", said)
    run(folder, "bash", "-c", cure)
    assert (folder / "data/raw/camera/camera-00000.warc.gz").is_file()


def test_an_archive_that_is_not_pinned_is_not_lost_by_accident(tmp_path: Path) -> None:
    folder = archived(tmp_path)
    (folder / "data/raw/camera/camera-00001.warc.gz").write_bytes(b"fetched since")
    done = attempt(folder, "sengu", "site", "remove", "camera")
    assert done.returncode == 1
    assert "data/raw/camera is not what dvc.lock pins, so it would be lost" in done.stdout
    assert "camera" in params.site_names(folder / "params.yaml")
    run(folder, "sengu", "site", "remove", "--force", "camera")
    assert not (folder / "data/raw/camera").exists()


def test_a_site_that_is_not_listed_is_named(folder: Path) -> None:
    done = attempt(folder, "sengu", "site", "remove", "nobody")
    assert done.returncode == 1
    assert "there is no site nobody: the sites are demo_a, demo_b" in done.stdout


def test_the_list_shows_source_spider_size_and_last_crawl(tmp_path: Path) -> None:
    folder = archived(tmp_path)
    (line,) = [line.split() for line in run(folder, "sengu", "site", "list").splitlines() if "camera" in line]
    assert line[:4] == ["camera", "folder", "-", "1"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line[5])
    (folder / ".sengu/crawls/camera.json").unlink()  # crawled elsewhere, and pulled
    assert re.search(r"camera .*T\d\d:\d\d:\d\dZ$", run(folder, "sengu", "site", "list"), re.MULTILINE)


def test_a_list_that_cannot_be_cut_safely_is_left_alone(folder: Path) -> None:
    text = "sites:\n  a:\n    fetch: { source: folder, folder: x }\n"
    text += "  b:\n    fetch: { source: folder, folder: y }\n  # odd\n    read: { tags: t }\n"
    (folder / "params.yaml").write_text(text)
    done = attempt(folder, "sengu", "site", "remove", "b")
    assert done.returncode == 1
    assert "edit it by hand" in done.stdout
    assert (folder / "params.yaml").read_text() == text


@pytest.mark.parametrize("name", ["a;touch ran", "a'; touch ran; '", '"$(touch ran)"', "a && touch ran #", "a\ntouch ran"])
def test_no_name_of_a_site_is_run_by_the_shell(tmp_path: Path, name: str) -> None:
    folder = tmp_path
    shutil.copy(ROOT / "dvc.yaml", folder)
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "*.local"))
    document = yaml.safe_load(PARAMS) | {"sites": {name: {"fetch": {"source": "folder", "folder": "x"}}}}
    (folder / "params.yaml").write_text(yaml.safe_dump(document))
    run(folder, "git", "init", "--quiet")
    done = attempt(folder, "dvc", "repro", "--single-item", f"crawl@{name}")
    assert done.returncode != 0
    assert f"site name {name!r}: use letters, digits" in done.stdout
    assert not (folder / "ran").exists()


def test_names_that_can_stand_in_a_command_pass(folder: Path) -> None:
    assert run(folder, "sengu", "site", "check", "--quiet") == ""
    assert "demo_a, demo_b" in run(folder, "sengu", "site", "check")
