"""A push or a pull that is killed, slowed down, refused or out of space: it says so, and nothing wrong is taken for right."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bucket import BUCKET, SECRETS, Handmade, Server, fill, handmade, md5_of, sengu, served, upload
from project import ROOT, attempt, environment, run
from proxied import ERROR, HOLD, PASS, Proxy, Request, proxied

pytestmark = pytest.mark.slow  # DVC takes seconds to start
FILES, SIZE = 6, 3000
CODE = {"PYTHONPATH": str(ROOT / "src")}
# a client that gives up soon, so that no test waits for it
IMPATIENT = {**SECRETS, "AWS_MAX_ATTEMPTS": "2", "AWS_RETRY_MODE": "standard"}
OPTIONS = {"read_timeout": "2", "connect_timeout": "2"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as server:
        yield server


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Handmade:
    return handmade(
        tmp_path_factory.mktemp("faults") / "project", FILES, SIZE, f"s3://{BUCKET}/faults", {"endpointurl": "E", **OPTIONS}
    )


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    for key in server.keys(""):
        server.client.delete_object(Bucket=BUCKET, Key=key)
    with proxied(server.endpoint) as proxy:
        yield proxy


@pytest.fixture
def made(template: Handmade, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Handmade:
    """Everything in the cache, nothing in the bucket, which is reached through the proxy."""
    for name, value in IMPATIENT.items():
        monkeypatch.setenv(name, value)
    folder = shutil.copytree(template.folder, tmp_path / "project", symlinks=True)
    local = folder / ".dvc/config.local"
    local.write_text(local.read_text().replace("endpointurl = E", f"endpointurl = {proxy.endpoint}"))
    (folder / "data/raw").mkdir(parents=True)  # as in a clone, where `labels/` and the like are
    return Handmade(folder, template.objects, template.paths)


def findings(made: Handmade) -> dict[str, str]:
    """oid -> state of all that check finds."""
    return {one["oid"]: one["state"] for one in json.loads(sengu(made.folder, "remote", "check", "--json").out)["findings"]}


def stored(server: Server) -> dict[str, bytes]:
    return {"".join(key.split("/")[-2:]): server.read(key) for key in server.keys("faults/files/md5/")}


def kill_when_held(folder: Path, proxy: Proxy, *command: str) -> None:
    """Starts a command, and kills it and all that it has started once the proxy holds a request of it on."""
    with subprocess.Popen(
        command, cwd=folder, env=environment(), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        try:
            assert proxy.held.wait(120), "the command never came so far"
        finally:
            os.killpg(running.pid, signal.SIGKILL)
    proxy.calm()


def third(method: str, action: str) -> Callable[[Request], str]:
    """Decides that the third request of a method, and all after it, are treated so."""
    return lambda request: action if request.method == method and request.number >= 3 else PASS


def test_what_a_killed_push_left_out_is_named_and_the_next_push_brings_it(made: Handmade, proxy: Proxy, server: Server) -> None:
    proxy.decide = third("PUT", HOLD)
    kill_when_held(made.folder, proxy, "dvc", "push")
    arrived = stored(server)
    assert all(made.objects[oid] == data for oid, data in arrived.items())  # S3 has an object whole or not at all
    assert findings(made) == dict.fromkeys(made.objects.keys() - arrived.keys(), "missing")
    assert len(arrived) < len(made.objects)
    run(made.folder, "dvc", "push")  # DVC's lock was held by a process that is dead
    assert stored(server) == made.objects
    assert findings(made) == {}


def test_what_a_killed_pull_brought_is_whole_and_the_next_pull_brings_the_rest(
    made: Handmade, proxy: Proxy, server: Server
) -> None:
    upload(server, made.objects, "faults")
    shutil.rmtree(made.folder / ".dvc/cache")
    proxy.decide = third("GET", HOLD)
    kill_when_held(made.folder, proxy, "dvc", "pull")
    assert all(md5_of(path.read_bytes()) == path.parent.name + path.name.removesuffix(".dir") for path in cached(made))
    run(made.folder, "dvc", "pull")
    for path, oid in made.paths.items():
        assert (made.folder / path).read_bytes() == made.objects[oid]
    assert sengu(made.folder, "verify").code == 0


def cached(made: Handmade) -> list[Path]:
    """The objects in the cache under their names; what a killed process left under another one is none."""
    return [path for path in (made.folder / ".dvc/cache/files/md5").glob("??/*") if len(path.name.removesuffix(".dir")) == 30]


def test_a_push_outlives_errors_and_slow_answers_in_its_middle(made: Handmade, proxy: Proxy, server: Server) -> None:
    def decide(request: Request) -> str:
        """Of each object that is sent the first attempt fails: by an error, or without an answer until it is given up."""
        if request.method != "PUT" or request.attempt > 1 or request.number < 3:
            return PASS
        return HOLD if request.number == 3 else ERROR

    proxy.decide = decide
    said = sengu_alone(made.folder, "remote", "push", "--no-catalog")
    assert said.returncode == 0, said.stdout
    assert proxy.held.is_set()
    assert stored(server) == made.objects


def test_a_push_killed_between_the_parts_of_an_object_leaves_none_and_its_parts_are_counted(
    made: Handmade, proxy: Proxy, server: Server
) -> None:
    data = bytes(101 << 20)  # the least that DVC sends in parts, of 50 MiB
    oid = md5_of(data)
    path = made.folder / ".dvc/cache/files/md5" / oid[:2] / oid[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    (made.folder / "large.dvc").write_text(f"outs:\n- md5: {oid}\n  hash: md5\n  size: {len(data)}\n  path: large\n")
    local = made.folder / ".dvc/config.local"
    local.write_text(local.read_text().replace("read_timeout = 2", "read_timeout = 60"))
    proxy.decide = lambda request: HOLD if "partNumber=2" in request.path else PASS
    kill_when_held(made.folder, proxy, "dvc", "push")
    assert findings(made)[oid] == "missing"
    said = sengu(made.folder, "remote", "report")
    assert "1 uploads were never finished: the rule that `sengu remote apply` sets aborts them after 7 days" in said.err
    run(made.folder, "dvc", "push")
    assert stored(server) == {**made.objects, oid: data}
    assert findings(made) == {}


def sengu_alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return attempt(folder, sys.executable, "-m", "sengu.commands.main", *arguments, **CODE)


def test_a_push_that_the_store_refuses_says_so_and_nothing_is_taken_for_pushed(
    made: Handmade, proxy: Proxy, server: Server
) -> None:
    proxy.decide = third("PUT", ERROR)
    said = sengu_alone(made.folder, "remote", "push")
    assert said.returncode == 1
    assert said.stdout.splitlines()[-1].startswith("error: `dvc push` failed, as it says above")
    assert "internal error" in said.stdout
    proxy.calm()
    missing = findings(made)
    assert missing == dict.fromkeys(made.objects.keys() - stored(server).keys(), "missing")
    assert missing
    assert sengu_alone(made.folder, "remote", "push", "--no-catalog").returncode == 0
    assert findings(made) == {}


def test_a_check_that_gets_no_answer_ends_and_says_so(
    made: Handmade, proxy: Proxy, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0)
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)  # each waits as long as the connection may
    upload(server, made.objects, "faults")
    proxy.decide = lambda request: HOLD if request.method == "GET" else PASS
    made.forget_locally(made.objects)  # so that the listing of a folder must be read
    said = sengu(made.folder, "remote", "check")
    proxy.calm()
    assert said.code == 1
    assert "could not be checked, because the list of files is in neither the cache nor a remote" in said.err


# blocks of 1,024 bytes that a file may have: then writing fails as on a full disk; DVC's own databases are smaller
FULL = "ulimit -f 2000; exec "


@pytest.fixture
def large(tmp_path: Path) -> Handmade:
    """Objects that a full disk does not take, in the cache and in a folder."""
    made = handmade(tmp_path / "large", 2, 3_000_000, str(tmp_path / "disk"))
    (made.folder / "data/raw").mkdir(parents=True)
    (tmp_path / "disk").mkdir()
    return made


def test_a_pull_onto_a_full_disk_says_so_and_what_is_here_is_whole(large: Handmade, tmp_path: Path) -> None:
    fill(tmp_path / "disk", large.objects)
    shutil.rmtree(large.folder / ".dvc/cache")
    said = attempt(large.folder, "bash", "-c", f"{FULL}{sys.executable} -m sengu.commands.main remote pull", **CODE)
    assert said.returncode != 0
    assert "File too large" in said.stdout
    assert all(is_whole(path) for path in cached(large))
    run(large.folder, "dvc", "pull")
    for path, oid in large.paths.items():
        assert (large.folder / path).read_bytes() == large.objects[oid]


def test_a_remote_on_a_full_disk_is_named_and_has_nothing_by_halves(large: Handmade, tmp_path: Path) -> None:
    for command in ("push --no-catalog", "heal"):
        said = attempt(large.folder, "bash", "-c", f"{FULL}{sys.executable} -m sengu.commands.main remote {command}", **CODE)
        assert said.returncode != 0
        assert "File too large" in said.stdout, command
        assert "Traceback" not in said.stdout
        assert all(is_whole(path) for path in (tmp_path / "disk").glob("files/md5/??/*") if len(path.name) in (30, 34))
    assert sengu(large.folder, "remote", "check").code == 1
    assert sengu(large.folder, "remote", "heal").code == 0
    assert sengu(large.folder, "remote", "check").code == 0


def is_whole(path: Path) -> bool:
    return md5_of(path.read_bytes()) == path.parent.name + path.name.removesuffix(".dir")


def test_locks_of_the_dead_hold_nobody_up_and_those_of_the_living_are_named(made: Handmade) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    temporary = made.folder / ".dvc/tmp"
    temporary.mkdir(exist_ok=True)
    (temporary / "lock").write_text(f" {dead.pid}\n")
    held = {str(made.folder / "data/label.csv"): {"write": {"pid": dead.pid, "cmd": "dvc push"}}}
    (temporary / "rwlock").write_text(json.dumps(held))
    assert sengu_alone(made.folder, "remote", "push", "--no-catalog").returncode == 0
    program = "import fcntl, sys; fcntl.flock(f := open(sys.argv[1], 'a'), fcntl.LOCK_EX); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(temporary / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as living:
        assert living.stdout is not None
        living.stdout.readline()
        said = sengu_alone(made.folder, "remote", "push", "--no-catalog")
        living.communicate(b"\n")
    assert said.returncode == 1
    assert "Unable to acquire lock" in said.stdout
    assert said.stdout.splitlines()[-1].startswith("error: `dvc push` failed, as it says above")


def test_a_shallow_clone_says_that_it_asks_for_what_it_knows(made: Handmade, server: Server, tmp_path: Path) -> None:
    (made.folder / "note").write_text("a second commit")
    run(made.folder, "git", "add", "--force", "note")
    run(made.folder, "git", "commit", "--quiet", "--message", "second")
    upload(server, made.objects, "faults")
    shallow = tmp_path / "shallow"
    run(tmp_path, "git", "clone", "--quiet", "--depth", "1", made.folder.as_uri(), str(shallow))
    shutil.copy(made.folder / ".dvc/config.local", shallow / ".dvc/config.local")
    said = sengu(shallow, "remote", "check")
    assert said.code == 0
    assert "this clone is shallow: what only other branches, tags and older commits pin was not asked for" in said.err
    cure = re.search("`(git fetch [^`]*)` brings them", said.err)
    assert cure is not None
    refused = sengu(shallow, "remote", "prune", "--dry-run")
    assert cure[0].split(" brings")[0] in refused.err
    assert "shallow" not in sengu(made.folder, "remote", "check").err
    key = f"faults/files/md5/{made.paths['data/label.csv'][:2]}/{made.paths['data/label.csv'][2:]}"
    server.client.delete_object(Bucket=BUCKET, Key=key)
    run(shallow, "dvc", "pull", "--allow-missing")
    shutil.copytree(made.folder / ".dvc/cache", shallow / ".dvc/cache", dirs_exist_ok=True)
    assert sengu(shallow, "remote", "heal").code == 0
    assert server.read(key) == made.objects[made.paths["data/label.csv"]]
    said = sengu(shallow, "remote", "catalog")
    assert said.code == 0
    assert "faults/repository.bundle" not in server.keys("faults")
    assert "goes without the repository: `git fetch --unshallow`" in said.err
    run(shallow, *cure[1].split())  # which is the other with more
    assert "shallow" not in sengu(shallow, "remote", "check").err
    assert "shallow" not in sengu(shallow, "remote", "prune", "--dry-run").err
    assert sengu(shallow, "remote", "catalog").code == 0
    assert "faults/repository.bundle" in server.keys("faults")
