"""Archives in a remote of their own, as `remote:` at an output says: pushed, checked, healed, copied and pulled from there."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from bucket import handmade, sengu
from project import run

from sengu.commands.remote import push


@pytest.fixture
def made(tmp_path: Path) -> Path:
    for name in ("main", "archives", "second"):
        (tmp_path / name).mkdir()
    made = handmade(tmp_path / "project", 4, 300, str(tmp_path / "main"), more="remote: { further: [second] }\n")
    folder = made.folder
    document = yaml.safe_load((folder / "dvc.yaml").read_text())
    document["stages"]["crawl"]["do"]["outs"][0]["data/raw/${key}"]["remote"] = "archives"
    (folder / "dvc.yaml").write_text(yaml.safe_dump(document))
    with (folder / ".dvc/config").open("a") as stream:
        for name in ("archives", "second"):
            stream.write(f"['remote \"{name}\"']\n    url = {tmp_path / name}\n    verify = true\n")
    assert sengu(folder, "remote", "init").code == 0
    run(folder, "git", "commit", "--quiet", "--all", "--amend", "--no-edit")
    for tag in run(folder, "git", "tag").split():
        run(folder, "git", "tag", "--force", tag)
    return folder


def oids(folder: Path) -> set[str]:
    return {path.parent.name + path.name for path in (folder / "files/md5").glob("*/*")}


def archives(folder: Path) -> set[str]:
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    listing = lock["stages"]["crawl@birds"]["outs"][0]["md5"]
    files = json.loads((folder / ".dvc/cache/files/md5" / listing[:2] / listing[2:]).read_text())
    return {listing, *(file["md5"] for file in files)}


def test_archives_go_to_their_own_remote_and_come_from_there(made: Path, tmp_path: Path) -> None:
    (made / "data/raw").mkdir(parents=True)
    said = sengu(made, "remote", "push", "--no-catalog")
    assert said.code == 0, said.err
    apart = made.parent / "archives"
    assert oids(apart) == archives(made)
    listing = next(oid for oid in archives(made) if oid.endswith(".dir"))
    assert listing not in oids(made.parent / "main")
    assert oids(made.parent / "second") >= archives(made)  # a further remote has everything
    assert "second: " in said.err
    assert sengu(made, "remote", "check").code == 0

    lost = sorted(archives(made) - {listing})[-1]
    (apart / "files/md5" / lost[:2] / lost[2:]).unlink()
    said = sengu(made, "remote", "check", "--json")
    assert {(one["remote"], one["oid"]) for one in json.loads(said.out)["findings"]} == {("archives", lost)}
    assert sengu(made, "remote", "heal").code == 0
    assert oids(apart) == archives(made)

    other = tmp_path / "other"
    run(tmp_path, "git", "clone", "--quiet", str(made), str(other))
    shutil.copy(made / ".dvc/config.local", other / ".dvc/config.local")
    assert sengu(other, "remote", "pull").code == 0
    assert len(list((other / "data/raw/birds").iterdir())) == 4


def test_pushing_asks_for_older_versions_only_where_something_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise AssertionError("a role that pushes must not list versions")

    monkeypatch.setattr(push, "archives_of_erased", lambda _: refused)
    pin, other = SimpleNamespace(remotes={"", "archives"}, oid="aa"), SimpleNamespace()
    store = SimpleNamespace(
        remote=SimpleNamespace(name="second"), objects=lambda: [SimpleNamespace(oid="aa")], keeps_versions=True, versions=refused
    )
    project: Any = SimpleNamespace(pins=lambda: ({"aa": pin}, []), stores=[store, other], cache=None, erased=frozenset())
    push._copy_owned(project, cast("Any", store))
