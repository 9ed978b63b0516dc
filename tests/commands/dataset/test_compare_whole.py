"""`sengu dataset compare` as a program: real experiments of DVC, what they leave behind, and what an interrupt leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tiny
import versioned
import yaml
from click.testing import CliRunner
from project import ROOT, environment, run

from sengu.base import tables
from sengu.base.tables import versions
from sengu.commands.dataset import compare
from sengu.commands.main import sengu

COMPARE = (sys.executable, "-m", "sengu.commands.main", "dataset", "compare")
# the last byte of an id says which part of the split it is in: 00 test, 32 validation, ff train
IDS = [f"{kind:038x}{byte}.png" for byte in ("00", "32", "ff") for kind in range(2)]
EVALUATE = """
import csv, json, os, pathlib, signal, sys
version = sys.argv[1]
pathlib.Path("reports/plots").mkdir(parents=True, exist_ok=True)
pathlib.Path("reports/metrics.json").write_text(json.dumps({"half written by": version}))
if pathlib.Path(".wait").exists():
    pathlib.Path(".pid.new").write_text(str(os.getpid()))
    os.rename(".pid.new", ".pid")
    while True:
        signal.pause()
rows = list(csv.DictReader(open(f"data/dataset/{version}/label.csv")))
with open("reports/plots/predictions.csv", "w") as stream:
    stream.write("objectId,type,actual,predicted\\n")
    for row in rows:
        part = {"00": "test", "32": "validation", "ff": "train"}[row["objectId"][38:40]]
        said = "0" if version == "A" else row["value"]
        stream.write(f"{row['objectId']},{part},{row['value']},{said}\\n")
"""
PIPELINE = """
stages:
  evaluate:
    cmd: python evaluate.py ${split.dataset}
    params: [split]
    deps: [evaluate.py, "data/dataset/${split.dataset}"]
    outs:
      - reports/plots
      - reports/metrics.json: {cache: false}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the versions A and B, and a stage `evaluate` that trains nothing."""
    folder = tmp_path_factory.mktemp("compare") / "project"
    (folder / "datasets").mkdir(parents=True)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["split"]["dataset"] = "A"
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "evaluate.py").write_text(EVALUATE)
    stages = {name: {"wdir": "..", "cmd": "true", "outs": [{f"data/dataset/{name}": {"persist": True}}]} for name in "AB"}
    (folder / "datasets/dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    for name in "AB":
        rows = [tables.Label(object_id, number % 2) for number, object_id in enumerate(IDS)]
        labels = tables.frame(rows, tables.Label).sort_values("objectId", ignore_index=True)
        (folder / "data/dataset" / name).mkdir(parents=True)
        versions.write(folder / "data/dataset" / name, versions.describe(name, ["dots", "stripes"], labels), labels)
    tables.write(folder / "data/duplicates.csv", tables.empty(tables.Duplicate), tables.Duplicate)
    (folder / ".gitignore").write_text("/data/\n/.wait\n/.pid\n")
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet")
    run(folder, "dvc", "repro", "--quiet", "evaluate", "datasets/dvc.yaml:B")
    versioned.commit(folder, "A")
    return folder


@pytest.fixture
def folder(made: Path) -> Path:
    return versioned.copied(made)


def state(folder: Path) -> dict[str, bytes]:
    """All files but those of Git and DVC, which keep the experiments, and working caches."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    paths = (path for path in paths if path.relative_to(folder).parts[0] not in (".git", ".dvc", ".sengu"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.name not in (".wait", ".pid")}


def compared(folder: Path, *names: str) -> list[dict[str, Any]]:
    command = [*COMPARE, *names, "--json"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_versions_are_compared_and_the_files_are_as_they_were(folder: Path) -> None:
    before = state(folder)
    first, second = compared(folder, "A", "B")
    assert (first["version"], first["accuracy"], second["accuracy"], second["difference"]) == ("A", 0.5, 1.0, 0.5)
    assert first["shared"] == second["shared"] == 2
    assert state(folder) == before
    assert run(folder, "git", "status", "--porcelain") == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupt_ends_the_training_and_restores_the_files(folder: Path, number: signal.Signals) -> None:
    before = state(folder)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / ".wait").touch()
    child = subprocess.Popen(
        [*COMPARE, "B", "A"], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    stage = training(folder, child)
    assert yaml.safe_load((folder / "params.yaml").read_text()) != params, "the experiment has begun"
    child.send_signal(number)
    _, said = child.communicate(timeout=120)
    assert child.returncode == 1, said
    with pytest.raises(ProcessLookupError):
        os.kill(stage, 0)
    assert state(folder) == before
    assert run(folder, "git", "status", "--porcelain") == ""


def training(folder: Path, child: "subprocess.Popen[str]") -> int:
    """Waits until the stage runs; returns its process."""
    while not (folder / ".pid").exists():
        assert child.poll() is None, child.communicate()
        time.sleep(0.05)
    return int((folder / ".pid").read_text())


@pytest.mark.slow
def test_a_tiny_network_learns_each_version(finalised: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = versioned.copied(finalised)
    monkeypatch.setattr(compare, "_dvc", partial(run, folder, "dvc"))  # which loads TensorFlow once, not for each stage
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["split"].update(dataset="v1", test=[0, 60], validation=[61, 170], minimum=1)
    params["prepare"]["size"] = 32
    params["backbone"]["source"] = str(tiny.save(folder / "tiny").relative_to(folder))
    params["train"]["fine_tune"]["epochs"] = 0
    (folder / "models/embedded").mkdir(parents=True)
    (folder / "models/embedded/efficientnet-b0.npz").touch()  # the stage of the backbone depends on it
    params["evaluate"]["bootstrap"] = 20
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    versioned.commit(folder, "settings of a small training")
    before = state(folder)
    with chdir(folder):
        done = CliRunner().invoke(sengu, ["dataset", "compare", "v1", "B", "--json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["version"] for row in rows] == ["v1", "B"]
    assert rows[0]["shared"] == rows[1]["shared"] > 0
    assert all(0 <= row["low"] <= row["accuracy"] <= row["high"] <= 1 for row in rows)
    assert rows[0]["difference"] == 0
    after = state(folder)
    assert {name: after.get(name) for name in before} == before
    # reports/ is new here: the first training writes it, as `dvc repro` would
    assert run(folder, "git", "status", "--porcelain", "--untracked-files=no") == ""
