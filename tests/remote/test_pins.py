"""What lock files pin, against DVC's own word on it and by hand."""

import json
import sys
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from bucket import handmade
from project import ROOT, run

from sengu.base.errors import SenguError
from sengu.remote import pins
from sengu.remote.pins import Output, Ref

A, B = "a" * 32, "b" * 32


def lock(**outs: dict[str, object]) -> bytes:
    return yaml.safe_dump({"stages": {name: {"outs": [out]} for name, out in outs.items()}}).encode()


def test_paths_stages_worth_and_remote_of_outputs() -> None:
    stages = {
        "crawl": {"foreach": "${sites}", "do": {"outs": [{"raw/${key}": {"persist": True, "remote": "archives"}}]}},
        "objects": {"foreach": "${sites}", "do": {"outs": [{"object/${key}": {"cache": False}}]}},
        "model": {"outs": ["model"], "metrics": [{"metrics.json": {"push": False}}]},
    }
    files = {
        "dvc.yaml": yaml.safe_dump({"stages": stages}).encode(),
        "dvc.lock": yaml.safe_dump(
            {
                "stages": {
                    "crawl@web": {"outs": [{"path": "raw/web", "md5": f"{A}.dir", "size": 9}]},
                    "crawl@demo": {"outs": [{"path": "raw/demo", "md5": B}]},
                    "objects@web": {"outs": [{"path": "object/web", "md5": A}]},
                    "model": {"outs": [{"path": "model", "md5": A, "size": 4}, {"path": "metrics.json", "md5": B}]},
                }
            }
        ).encode(),
        "params.yaml": b"sites: { web: { fetch: { source: generic } }, demo: { fetch: { reproducible: true } } }\n",
        "datasets/dvc.yaml": b"stages: { v1: { wdir: .., outs: [data/dataset/v1] } }\n",
        "datasets/dvc.lock": lock(v1={"path": "data/dataset/v1", "md5": B}),
        "more/extra.zip.dvc": yaml.safe_dump({"outs": [{"path": "extra.zip", "md5": A, "size": 7}]}).encode(),
    }
    assert {output.path: output for output in pins.parse(files)} == {
        "data/dataset/v1": Output(B, "data/dataset/v1", "datasets/dvc.yaml:v1"),
        "raw/web": Output(f"{A}.dir", "raw/web", "crawl@web", 9, True, "archives"),
        "raw/demo": Output(B, "raw/demo", "crawl@demo", -1, False, "archives"),
        "model": Output(A, "model", "model", 4),
        "more/extra.zip": Output(A, "more/extra.zip", "more/extra.zip.dvc", 7, True),
    }


@pytest.mark.parametrize(("text", "message"), [(b"", "dvc.lock is empty: restore it"), (b"a: [", "dvc.lock: not YAML")])
def test_a_damaged_lock_file_is_named(text: bytes, message: str) -> None:
    with pytest.raises(SenguError, match=message):
        pins.parse({"dvc.lock": text})


def test_tags_say_which_model_and_which_dataset_version() -> None:
    assert pins.model_of("classifier@v1.2.0") == "classifier v1.2.0"
    assert pins.version_of("datasets=v1@v1.0.0") == "v1 v1.0.0"
    assert [pins.model_of("datasets=v1@v1.0.0"), pins.version_of("classifier@v1.2.0"), pins.model_of("release-3")] == ["", "", ""]


def test_branches_remote_branches_and_tags_pin(tmp_path: Path) -> None:
    made = handmade(tmp_path / "project", 3, 100, "s3://bucket/x")
    run(made.folder, "git", "update-ref", "refs/remotes/origin/theirs", "HEAD")
    with chdir(made.folder):
        names = {(ref.kind, ref.name) for ref in pins.refs()}
        found, unknown = pins.pinned(pins.refs(), lambda oid: made.objects[oid])
        assert pins.pinned(pins.refs(), lambda oid: None)[1] == [oid for oid in made.objects if oid.endswith(".dir")]
    assert ("remote branch", "origin/theirs") in names
    assert ("tag", "classifier@v1.0.0") in names
    assert unknown == []
    assert set(found) == set(made.objects)
    pin = found[made.paths["data/raw/birds/birds-00001.bin"]]
    assert (pin.stage, pin.is_irreplaceable) == ("crawl@birds", True)
    assert (pin.models, pin.versions) == (["classifier v1.0.0"], ["v1 v1.0.0"])


def test_the_pins_of_this_repository_are_what_dvc_would_push() -> None:
    script = (
        "import json\nfrom dvc.repo import Repo\n"
        "with Repo() as repo:\n"
        "    outs = [o for o in repo.index.outs if o.use_cache and o.can_push and o.hash_info]\n"
        "    print(json.dumps(sorted(o.hash_info.value for o in outs)))\n"
    )
    expected = json.loads(run(ROOT, sys.executable, "-c", script).splitlines()[-1])
    with chdir(ROOT):
        found = pins.outputs(Ref(pins.HERE, "tree"))
    assert sorted({output.oid for output in found}) == sorted(set(expected))
