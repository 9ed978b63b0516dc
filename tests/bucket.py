"""A local S3, moto's server, with a bucket; and a small DVC repository with history."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import yaml
from project import run

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
