"""A local S3, moto's server, with a bucket; and a small DVC repository with history."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import boto3
import yaml
from click.testing import CliRunner
from project import run

from sengu.base.errors import SenguError
from sengu.commands.main import sengu as group

SECRETS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "not-in-git", "AWS_DEFAULT_REGION": "us-east-1"}
BUCKET = "sengu"


@dataclass
class Server:
    endpoint: str
    client: Any

    def keys(self, prefix: str = "") -> dict[str, int]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def read(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)


@contextmanager
def served(versioned: bool = False) -> Iterator[Server]:
    """A server with an empty bucket; credentials are any."""
    server = import_module("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="not-in-git"
        )
        import_module("requests").post(f"{endpoint}/moto-api/reset", timeout=30)  # buckets outlive a server of this process
        client.create_bucket(Bucket=BUCKET)
        if versioned:
            client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield Server(endpoint, client)
    finally:
        server.stop()


PARAMS = """\
sites: { birds: { fetch: { source: folder, folder: ../birds } } }
backbone: { source: embedded }
"""


def repository(folder: Path, files: int = 3, size: int = 500) -> Path:
    """A Git and DVC repository with an archive of some files, a table made of it and a cached metric, in two commits.

    The first is tagged classifier@v1.0.0 and dataset=v1@v1.0.0; everything is committed, nothing is pushed.
    """
    folder.mkdir(parents=True)
    stages = {
        "crawl": {
            "foreach": "${sites}",
            "do": {"cmd": "true", "outs": [{"data/raw/${key}": {"persist": True}}, {"data/seen/${key}": {"cache": False}}]},
        },
        "label": {
            "cmd": "mkdir -p data reports && cat data/raw/birds/* | md5sum > data/label.csv && wc -c < data/label.csv "
            "> reports/size && ls data/raw/birds | wc -l | sed 's/^/{\"files\": /; s/$/}/' > reports/metrics.json",
            "deps": ["data/raw/birds"],
            "outs": ["data/label.csv", "reports/size"],
            "metrics": ["reports/metrics.json"],
        },
    }
    artifacts = {"classifier": {"path": "data/label.csv", "type": "model"}}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages, "artifacts": artifacts}))
    (folder / "params.yaml").write_text(PARAMS)
    (folder / ".gitignore").write_text("/data/\n/reports/\n/.sengu/\n")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "dvc", "init", "--quiet")
    run(folder, "dvc", "remote", "add", "--default", "--quiet", "local", "../sengu-remote")
    run(folder, "dvc", "remote", "modify", "local", "verify", "true")
    add_files(folder, 0, files, size)
    commit(folder, "first")
    for tag in ("classifier@v1.0.0", "dataset=v1@v1.0.0"):
        run(folder, "git", "tag", "--annotate", "--message", tag, tag)
    add_files(folder, files, files + 1, size)
    commit(folder, "second")
    return folder


def add_files(folder: Path, first: int, last: int, size: int) -> None:
    for part in ("raw", "seen"):
        (folder / f"data/{part}/birds").mkdir(parents=True, exist_ok=True)
    (folder / "data/seen/birds/note.txt").write_text("seen\n")
    for number in range(first, last):
        (folder / f"data/raw/birds/birds-{number:05}.bin").write_bytes(f"picture {number} ".encode() * (size // 10))


def commit(folder: Path, message: str) -> None:
    run(folder, "dvc", "commit", "--force", "--quiet", "crawl@birds")
    run(folder, "dvc", "repro", "--quiet")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", message)


@dataclass
class Handmade:
    """A repository of many objects, written without a call of DVC; `objects` has the content of each by its oid."""

    folder: Path
    objects: dict[str, bytes]
    paths: dict[str, str]  # path -> oid, of single files

    def forget_locally(self, oids: Iterable[str]) -> None:
        """Takes objects out of the local cache."""
        for oid in oids:
            (self.folder / ".dvc/cache/files/md5" / oid[:2] / oid[2:]).unlink(missing_ok=True)


LOCK_STAGES = {"crawl@birds": "data/raw/birds", "label": "data/label.csv", "train": "models/classifier"}


def handmade(
    folder: Path, archives: int, size: int, url: str, options: Mapping[str, str] | None = None, more: str = ""
) -> Handmade:
    """`archives` random files of `size` bytes in data/raw/birds, a table and a model; committed, tagged, all in the cache."""
    random = Random(archives)
    files = {f"data/raw/birds/birds-{number:05}.bin": random.randbytes(size) for number in range(archives)}
    files |= {"data/label.csv": b"objectId,value\n", "models/classifier/weights.npz": random.randbytes(size)}
    folder.mkdir(parents=True)
    made = Handmade(folder, {}, {})
    lock: dict[str, Any] = {}
    for stage, output in LOCK_STAGES.items():
        inside = {name[len(output) + 1 :]: data for name, data in files.items() if name.startswith(f"{output}/")}
        if inside:
            made.paths |= {f"{output}/{name}": md5_of(data) for name, data in inside.items()}
            listing = json.dumps(
                [{"md5": md5_of(data), "relpath": name} for name, data in sorted(inside.items())], sort_keys=True
            )
            made.objects |= {md5_of(data): data for data in inside.values()}
            oid = md5_of(listing.encode()) + ".dir"
            made.objects[oid] = listing.encode()
            size_of = {"size": sum(map(len, inside.values())), "nfiles": len(inside)}
        else:
            oid = made.paths[output] = md5_of(files[output])
            made.objects[oid] = files[output]
            size_of = {"size": len(files[output])}
        lock[stage] = {"cmd": "true", "outs": [{"path": output, "hash": "md5", "md5": oid, **size_of}]}
    stages = {
        "crawl": {"foreach": "${sites}", "do": {"cmd": "true", "outs": [{"data/raw/${key}": {"persist": True}}]}},
        "label": {"cmd": "true", "outs": ["data/label.csv"]},
        "train": {"cmd": "true", "outs": ["models/classifier"]},
    }
    for oid, data in made.objects.items():
        path = folder / ".dvc/cache/files/md5" / oid[:2] / oid[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": lock}))
    (folder / "params.yaml").write_text(PARAMS + more)
    (folder / ".gitignore").write_text("/data/\n/models/\n/.sengu/\n/.dvc/config.local\n/.dvc/cache\n/.dvc/tmp\n")
    (folder / ".dvc/config").write_text(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {url}\n    verify = true\n")
    lines = "".join(f"    {key} = {value}\n" for key, value in (options or {}).items())
    (folder / ".dvc/config.local").write_text(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {url}\n{lines}")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "handmade")
    for tag in ("classifier@v1.0.0", "dataset=v1@v1.0.0"):
        run(folder, "git", "tag", tag)
    return made


def upload(server: Server, objects: Mapping[str, bytes], prefix: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda oid: server.put(f"{prefix}/files/md5/{oid[:2]}/{oid[2:]}", objects[oid]), objects))


def fill(folder: Path, objects: Mapping[str, bytes]) -> None:
    """The same in a folder."""
    for oid, data in objects.items():
        path = folder / "files/md5" / oid[:2] / oid[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def md5_of(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@dataclass
class Said:
    code: int
    out: str
    err: str


def sengu(folder: Path, *arguments: str, typed: str = "") -> Said:
    """`sengu` run in a folder but in this process; an error is its text on `err`, as the program prints it."""
    with chdir(folder):
        done = CliRunner().invoke(group, arguments, input=typed)
    if isinstance(done.exception, SenguError):
        return Said(1, done.stdout, f"{done.stderr}error: {done.exception}\n")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Said(done.exit_code, done.stdout, done.stderr)
