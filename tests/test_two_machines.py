"""The first machine pushes and leaves, the bucket is wounded, and the second heals, verifies, explains, rebuilds and finds.

Two homes, two folders, one S3; nothing of the first is left but Git's origin, the bucket, and a model that somebody has by mail.
"""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from bucket import BUCKET, SECRETS, Server, sengu, served
from commands.test_rebuild import index, libraries_in, wheel
from onnx import helper
from project import ROOT, environment, run
from released import tiny_model
from reruns import stubs

from sengu.release import bundle

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv")]

TRAIN = [f"{number:040x}.jpg" for number in range(4)]
TABLE = "objectId,value,type\n" + "".join(f"{name},{i % 2},train\n" for i, name in enumerate(TRAIN)) + f"{9:040x}.jpg,0,test\n"
STAGES = {
    "v1": {
        "cmd": "mkdir -p data/dataset/v1 && cut -d, -f1,2 source.csv > data/dataset/v1/label.csv",
        "deps": ["source.csv"],
        "outs": ["data/dataset/v1"],
    },
    "split": {"cmd": "cp source.csv data/split_label.csv", "deps": ["data/dataset/v1"], "outs": ["data/split_label.csv"]},
    "extract": {"cmd": "python run_extract.py source.csv data/extract", "deps": ["run_extract.py"], "outs": ["data/extract"]},
    "export": {
        "cmd": "mkdir -p models/release && cp made/*.zip models/release/",
        "deps": ["made", "data/split_label.csv"],
        "outs": ["models/release"],
    },
}
PARAMS = """sites: { birds: { fetch: { source: folder, folder: ../birds, reproducible: true } } }
project: { name: Birds, purpose: Tells birds from the sky., contact: ann@example.org }
label: { classes: [sky, bird] }
export: { name: tiny, version: 0.1.0 }
remote: { bucket: { tls_only: false } }
"""
PROGRAM = "import sys, ada\nopen(sys.argv[2], 'w').write(f'value\\n{ada.answer()}\\n')\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name, value in {**SECRETS, "PYTHONPATH": str(ROOT / "src")}.items():
        monkeypatch.setenv(name, value)
    for name, value in environment().items():
        if name.startswith("GIT_") or name == "PATH":
            monkeypatch.setenv(name, value)
    with served(versioned=True) as server:
        yield server


def home(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sits down at a machine of which there is nothing yet."""
    (place / "home").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(place / "home"))
    return place


def first_machine(place: Path, origin: Path, server: Server, programs: Path) -> None:
    """Makes the project, registers a model, pushes everything."""
    folder = place / "project"
    for part in ("labels", "made"):
        (folder / part).mkdir(parents=True)
    (folder / "labels/RULES.md").write_text("# Rules\n\nA bird has feathers.\n")
    (folder / "tombstones.csv").write_text("objectId,reason,date\n")
    (folder / "source.csv").write_text(TABLE)
    (folder / "run_extract.py").write_text(PROGRAM)
    model = tiny_model()
    helper.set_model_props(model, {"name": "tiny"})
    manifest = bundle.Manifest(
        name="tiny", version="0.1.0", created_by="a test", classes=["sky", "bird"], threshold=None, inputs=[], outputs=[],
        preprocessing={}, dataset={"version": "v1"}, backbone={}, classifier={}, metrics={}, files={},
    )  # fmt: skip
    bundle.write(folder / "made", manifest, {bundle.MODEL: model.SerializeToString()})
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "Makefile").write_text(stubs.MAKEFILE)
    (folder / "requirements.txt").write_text("ada==1 \\\n    --hash=sha256:0\n")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "stub"\nversion = "1"\ndependencies = ["ada==1"]\n[project.optional-dependencies]\ntest = []\n'
    )
    (folder / ".gitignore").write_text("/data/\n/models/\n/.sengu/\n/reports/*\n!/reports/certificates/\n")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "dvc", "init", "--quiet")
    assert sengu(folder, "remote", "init", f"s3://{BUCKET}/birds", "--endpoint-url", server.endpoint).code == 0
    run(folder, "dvc", "repro", "--quiet", PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    stubs.commit(folder, "the whole project")
    run(folder, "git", "tag", "classifier@v0.1.0")
    run(folder, "git", "remote", "add", "origin", str(origin))
    run(folder, "git", "push", "--quiet", "origin", "main", "--tags")
    said = sengu(folder, "remote", "push")
    assert said.code == 0, said.err


def wound(server: Server, keys: list[str]) -> None:
    """Deletes one object, overwrites another, and cuts a third."""
    server.client.delete_object(Bucket=BUCKET, Key=keys[0])
    server.put(keys[1], b"<html>502 Bad Gateway</html>")
    server.put(keys[2], server.read(keys[2])[:3])


def test_a_second_machine_goes_on_where_the_first_has_left(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(tmp_path / "wheels", "ada", "1", "def answer():\n    return 42\n")
    for name, value in index(tmp_path).items():
        monkeypatch.setenv(name, value)
    programs = libraries_in(tmp_path, {"ada": "1"})
    origin = tmp_path / "origin.git"
    run(tmp_path, "git", "init", "--quiet", "--bare", "--initial-branch", "main", str(origin))
    first = home(tmp_path / "first-machine", monkeypatch)
    first_machine(first, origin, server, programs)
    with zipfile.ZipFile(first / "project/models/release/tiny-0.1.0.zip") as archive:
        (tmp_path / "model from a mail.onnx").write_bytes(archive.read("model.onnx"))
    shutil.rmtree(first)
    keys = sorted(key for key in server.keys("birds/files/md5/"))
    wound(server, keys)

    second = home(tmp_path / "second-machine", monkeypatch)
    run(second, "git", "clone", "--quiet", str(origin), "project")
    folder = second / "project"
    assert sengu(folder, "remote", "init", "--endpoint-url", server.endpoint).code == 0
    # heals
    said = sengu(folder, "remote", "check")
    assert said.code == 1
    said = sengu(folder, "remote", "heal")
    assert (said.code, "3 objects healed, 0 not" in said.err) == (0, True)
    assert sengu(folder, "remote", "check").code == 0
    assert sengu(folder, "remote", "pull").code == 0
    # verifies, in an environment like the first one's
    with monkeypatch.context() as there:
        there.setattr("sys.executable", str(programs / "python"))
        said = sengu(folder, "handover", "verify", "--quick")
    assert (said.code, "4 same" in said.out) == (0, True), said.err
    stubs.commit(folder, "verified")
    # writes the document, and is told what is missing still
    said = sengu(folder, "handover", "document")
    assert said.code == 0, said.err
    document = (folder / "HANDOVER.md").read_text()
    assert "Tells birds from the sky." in document
    assert "a rerun of the stages before training did so on 1 machine more" in document
    stubs.commit(folder, "the document")
    assert "on this machine only: " in sengu(folder, "handover", "status").out
    # rebuilds with the newest libraries
    wheel(tmp_path / "wheels", "ada", "2", "def answer():\n    return 42\n")
    said = sengu(folder, "rebuild", "--latest")
    assert "ready for review: git diff HEAD...rebuild/" in said.out, said.err
    # gets one file with curl alone
    assert curl(server, "birds/catalog.json")
    catalog = json.loads(curl(server, "birds/catalog.json"))
    oid = catalog["refs"]["classifier@v0.1.0"]["files"]["data/split_label.csv"]
    assert curl(server, f"birds/{catalog['objects'][oid]['key']}").decode() == TABLE
    # finds, from a model, the pictures that it was trained on
    said = sengu(folder, "where", str(tmp_path / "model from a mail.onnx"))
    assert "tags:        classifier@v0.1.0" in said.out
    trained = next(line for line in said.out.splitlines() if line.startswith("trained on:"))
    command = trained.partition(":")[2].partition(",")[0].strip()
    run(folder, "bash", "-c", f"{command} --out {tmp_path}/trained.csv")
    rows = (line.split(",") for line in (tmp_path / "trained.csv").read_text().splitlines()[1:])
    assert [name for name, _, kind in rows if kind == "train"] == TRAIN


def curl(server: Server, key: str) -> bytes:
    sign = ("--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{SECRETS['AWS_ACCESS_KEY_ID']}:{SECRETS['AWS_SECRET_ACCESS_KEY']}")
    command = ("curl", "--fail", "--silent", *sign, f"{server.endpoint}/{BUCKET}/{key}")
    return subprocess.run(command, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"}).stdout
