"""Which worker a process is, and that workers end together, whoever ends first; without TensorFlow."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import environment

from sengu.base.errors import SenguError
from sengu.training.workers import Place, place, supervise

CLUSTER = {"worker": ["a:1", "b:1"]}
# a worker that leaves its number and its TF_CONFIG, and then does as it is told for its rank
WORKER = """
import json, os, sys, time
from pathlib import Path
from sengu.training import workers
config = os.environ["TF_CONFIG"]
found = workers.place(2, os.environ)
Path(f"{found.rank}.json").write_text(config)
Path(f"{found.rank}.pid").write_text(str(os.getpid()))
workers.end_with_supervisor()
exec(sys.argv[1 + found.rank])
"""
SLEEP = "time.sleep(60)"


def config(cluster: object, kind: str, index: int) -> dict[str, str]:
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


@pytest.mark.parametrize(
    ("workers", "variables", "expected"),
    [
        (1, {}, Place(0, 1)),
        (1, config({"worker": ["a:1"]}, "worker", 0), Place(0, 1)),
        (2, {}, None),
        (2, config(CLUSTER, "worker", 0), Place(0, 2)),
        (2, config(CLUSTER, "worker", 1), Place(1, 2)),
        (3, config({**CLUSTER, "chief": ["c:1"]}, "worker", 1), Place(2, 3)),
        (3, config({**CLUSTER, "chief": ["c:1"]}, "chief", 0), Place(0, 3)),
    ],
)
def test_place(workers: int, variables: dict[str, str], expected: Place | None) -> None:
    assert place(workers, variables) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("worker 1", "TF_CONFIG is 'worker 1': it must name the cluster's workers"),
        ("[]", "must name"),
        ('{"cluster": {}}', "must name"),
        (config(CLUSTER, "worker", 2)["TF_CONFIG"], "must name"),
        (config(CLUSTER, "ps", 0)["TF_CONFIG"], "must name"),
        (config({"worker": ["a:1", "b:1", "c:1"]}, "worker", 2)["TF_CONFIG"], r"names 3 workers, but train\.workers .* is 2"),
    ],
)
def test_a_config_that_does_not_fit_is_an_error(value: str, message: str) -> None:
    with pytest.raises(SenguError, match=message):
        place(2, {"TF_CONFIG": value})


def test_a_cluster_for_a_training_by_one_worker_is_an_error() -> None:
    with pytest.raises(SenguError, match=r"names 2 workers, but train\.workers in params\.yaml is 1"):
        place(1, config(CLUSTER, "worker", 1))


def started(folder: Path) -> list[int]:
    """The process ids of both workers, once both run."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        files = [folder / f"{rank}.pid" for rank in (0, 1)]
        if all(file.is_file() and file.read_text() for file in files):
            return [int(file.read_text()) for file in files]
        time.sleep(0.05)
    raise AssertionError("the workers did not start")


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_workers_know_each_other_and_end_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    supervise([sys.executable, "-c", WORKER, "pass", "time.sleep(0.3)"], 2)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["cluster"] == second["cluster"]
    assert len({address for address in first["cluster"]["worker"] if address.startswith("127.0.0.1:")}) == 2
    assert (first["task"]["index"], second["task"]["index"]) == (0, 1)


@pytest.mark.parametrize(("end", "status"), [("sys.exit(3)", "3"), ("os.kill(os.getpid(), 9)", "-9")], ids=["an error", "a kill"])
def test_a_worker_that_fails_ends_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, status: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sengu.training.workers.GRACE", 0.5)
    with pytest.raises(SenguError, match=f"worker 1 of 2 ended with exit status {status}"):
        supervise([sys.executable, "-c", WORKER, SLEEP, f"time.sleep(1); {end}"], 2)
    assert not any(alive(pid) for pid in started(tmp_path))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_do_not_outlive_who_started_them(tmp_path: Path, how: signal.Signals) -> None:
    default = "signal.signal(signal.SIGINT, signal.default_int_handler)"  # which a shell in whose background we run has ignored
    supervising = "workers.supervise([sys.executable, *sys.argv[1:]], 2)"
    begin = f"import signal, sys; {default}; from sengu.training import workers; {supervising}"
    command = [sys.executable, "-c", begin, "-c", WORKER, SLEEP, SLEEP]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL) as process:
        pids = started(tmp_path)
        os.kill(process.pid, how)
    until = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)
