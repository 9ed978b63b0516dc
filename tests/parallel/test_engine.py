import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import archived
import pytest
from bucket import SECRETS, served
from project import BIN, ROOT, attempt, environment, run

from crawlers.demo import pictures
from sengu import warc
from sengu.base import params, tables
from sengu.base.errors import SenguError
from sengu.base.ids import url_id
from sengu.parallel import engine

DATE = "2013-10-05T20:00:00Z"
STAGE = ("-m", "sengu.stages.objects", "raw", "site.csv", "tombstones.csv", "tree", "index.csv", "rejected.csv")


def start(*command: str, folder: Path, **extra: str) -> subprocess.Popen[bytes]:
    with (folder / f"{command[1]}.log").open("ab") as log:
        return subprocess.Popen([BIN / command[0], *command[1:]], cwd=folder, env=environment(**extra), stdout=log, stderr=log)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a Dask scheduler with two workers, which stand in another directory than the stages."""
    folder = tmp_path_factory.mktemp("cluster")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    port = address.rpartition(":")[2]
    started = [start("dask", "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", folder=folder)]
    workers = ("dask", "worker", address, "--nworkers", "2", "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard")
    started.append(start(*workers, folder=folder))
    from distributed import Client

    try:
        with Client(address, timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, started
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def site(folder: Path, where: str) -> Path:
    folder.mkdir()
    fetch = 'sites: { site: { fetch: { source: generic, start: ["http://a.example/"] } } }\n'
    (folder / "params.yaml").write_text(f"{fetch}objects: {{ max_pixels: 100000000 }}\nengine: {where}\n")
    writer = warc.Writer(folder / "raw", "site", {})
    rows = []
    for number in range(40):
        url, data = f"http://a.example/{number}", pictures.jpeg(pictures.draw("dots", number % 30))
        writer.response(url, DATE, 200, [], data[:-200] if number % 7 == 0 else data)
        rows.append(tables.Capture(url_id(url), url, "", "", "", "", DATE, "", 200))
    writer.close()
    tables.write(folder / "site.csv", tables.frame(rows, tables.Capture), tables.Capture)
    return folder


def results(folder: Path) -> dict[str, bytes]:
    tables_ = [folder / "index.csv", folder / "rejected.csv"]
    leaves = [path for path in (folder / "tree").rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in [*tables_, *leaves]}


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes(tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]) -> None:
    here, there = site(tmp_path / "here", "processes"), site(tmp_path / "there", cluster[0])
    run(here, sys.executable, *STAGE)
    before = tasks(cluster[0])
    run(there, sys.executable, *STAGE)
    assert tasks(cluster[0]) > before  # it was the cluster that worked
    assert len(results(here)) > 20
    assert results(there) == results(here)


@pytest.mark.slow
def test_workers_need_no_file_of_the_repository(tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]) -> None:
    from dvc.repo import Repo

    here, there = archived.project(tmp_path / "here"), archived.project(tmp_path / "there")
    archived.settings(here, tree=True)
    archived.run(here)
    archived.settings(there, tree=False, engine=cluster[0], archives="remote")
    with served() as server:
        with chdir(there), Repo.init(no_scm=True) as repo:
            keys = {
                "access_key_id": SECRETS["AWS_ACCESS_KEY_ID"],
                "secret_access_key": SECRETS["AWS_SECRET_ACCESS_KEY"],
                "region": "us-east-1",
            }
            with repo.config.edit("local") as conf:
                conf["core"]["remote"] = "bucket"
                conf["remote"]["bucket"] = {"url": "s3://sengu/store", "endpointurl": server.endpoint, **keys}
            repo.add(str(archived.RAW))
        with pytest.raises(
            SenguError, match=r"data/raw/a: the remote does not have a-0000\d.warc.gz: run `dvc push .*data/raw/a`"
        ):
            archived.run_objects(there)
        with chdir(there), Repo() as repo:
            repo.push()
        # what this machine has been read once for its index; from now on only the bucket has it
        for path in warc.files(there / archived.RAW, "a"):
            times, size = path.stat(), path.stat().st_size
            path.unlink()  # DVC's cache may hold the same file
            path.write_bytes(bytes(size))
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        before = tasks(cluster[0])
        archived.run(there)
        assert tasks(cluster[0]) > before  # it was the cluster that worked
    assert len(archived.outputs(here)) > 8
    assert archived.outputs(there) == archived.outputs(here)
    frames = tables.read(here / "data/index/a.csv", tables.IndexRow).query("video != ''")["objectId"]
    assert archived.leaves(there) == {"records.csv", *frames}


def tasks(address: str) -> int:
    """How many transitions the scheduler has seen: any work adds some."""
    from distributed import Client

    with Client(address, timeout=10) as client:
        return int(client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter))


def test_a_worker_with_threads_is_refused(tmp_path: Path) -> None:
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", protocol="tcp") as cluster,
        pytest.raises(SenguError, match=r"has 2 threads: start it with `dask worker tcp://.* --nthreads 1`"),
        engine.running(cluster.scheduler_address),
    ):
        pass


def test_a_scheduler_without_workers_is_refused() -> None:
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0", protocol="tcp") as cluster,
        pytest.raises(
            SenguError, match=r"the scheduler at (tcp://\S*) has no worker: start some with `dask worker \1 --nthreads 1`"
        ),
        engine.running(cluster.scheduler_address),
    ):
        pass


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda package: (package / "pictures/images.py").write_text("# of another commit"), ""),
        (lambda package: (package / "parallel/engine.py").write_text("import not_installed"), "No module named 'not_installed'"),
    ],
    ids=["another commit", "no such library"],
)
def test_a_worker_with_other_code_is_refused(tmp_path: Path, change: Callable[[Path], None], named: str) -> None:
    from distributed import Client, LocalCluster

    shutil.copytree(ROOT / "src/sengu", tmp_path / "there/sengu", ignore=shutil.ignore_patterns("__pycache__"))
    change(tmp_path / "there/sengu")
    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0", protocol="tcp") as cluster:
        address = cluster.scheduler_address
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
        worker = start("dask", "worker", address, *options, folder=tmp_path, PYTHONPATH=str(tmp_path / "there"))
        try:
            with Client(address, timeout=60) as client:
                client.wait_for_workers(1, timeout=60)
            with (
                pytest.raises(SenguError, match=rf"worker tcp://\S* has other code or libraries .*{named}.*check out the same"),
                engine.running(address),
            ):
                pass
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(30)


def test_a_scheduler_that_does_not_answer_is_named_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PATIENCE", 1)
    with (
        pytest.raises(SenguError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9: .*set `engine: processes`"),
        engine.running("tcp://127.0.0.1:9"),
    ):
        pass


def test_an_address_that_is_none_is_an_error_of_params(tmp_path: Path) -> None:
    folder = site(tmp_path / "a", "somewhere")
    done = attempt(folder, sys.executable, *STAGE)
    assert done.returncode == 1
    assert "params.yaml: engine:" in done.stdout.strip().splitlines()[-1]


def test_without_the_section_it_is_processes(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("objects: { max_pixels: 1 }\n")
    assert params.engine(path) == engine.PROCESSES
    path.write_text("engine: tcp://host:8786\n")
    assert params.engine(path) == "tcp://host:8786"


def test_no_stage_depends_on_the_engine() -> None:
    from test_pipeline import stages

    assert not [name for name, stage in stages().items() if any(p.startswith("engine") for p in stage.get("params", []))]
