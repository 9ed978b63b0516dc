"""The commands of `sengu remote` on a small repository, with a bucket and folders as remotes."""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import chdir
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from bucket import BUCKET, SECRETS, Handmade, Server, fill, handmade, sengu, served, upload
from project import run

from sengu.base.tables import tombstones
from sengu.remote import pins
from sengu.repository import verified

OPEN = "project: {{ purpose: Birds., contact: me@example.org }}\nremote: {{ bucket: {{ tls_only: false }}, {more} }}\n"
PRICES = "prices: { classes: { STANDARD: { month: 1000 }, GLACIER: { month: 10 } }, write: 5, read: 1, transfer: 90 }"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with served() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """Empty, with versions."""
    client = running.client
    for page in client.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            client.delete_object(Bucket=BUCKET, Key=item["Key"], VersionId=item["VersionId"])
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return running


@pytest.fixture
def made(server: Server, tmp_path: Path) -> Handmade:
    """Five archive files, pushed."""
    options = {"endpointurl": server.endpoint}
    made = handmade(tmp_path / "project", 5, 2000, f"s3://{BUCKET}/pre", options, OPEN.format(more=PRICES))
    upload(server, made.objects, "pre")
    return made


def key(oid: str) -> str:
    return f"pre/files/md5/{oid[:2]}/{oid[2:]}"


def archive(made: Handmade, number: int = 0) -> str:
    return made.paths[f"data/raw/birds/birds-{number:05}.bin"]


def test_check_says_who_needs_what_and_how_to_mend_it(made: Handmade, server: Server) -> None:
    assert sengu(made.folder, "remote", "check").code == 0
    server.client.delete_object(Bucket=BUCKET, Key=key(archive(made)))
    server.put(key(made.paths["models/classifier/weights.npz"]), b"other")
    said = sengu(made.folder, "remote", "check")
    assert said.code == 1
    lines = [re.split(r"  +", line) for line in said.out.splitlines()]
    needed = "HEAD, main, working tree (+2)"
    assert lines == [
        ["state", "worth", "remote", "path", "stage", "needed by", "versions", "models", "cure"],
        [
            *("missing", "irreplaceable", "store", "data/raw/birds/birds-00000.bin", "crawl@birds", needed),
            *("v1 v1.0.0", "classifier v1.0.0", "sengu remote heal"),
        ],
        [
            *("damaged", "rebuildable", "store", "models/classifier/weights.npz", "train", needed),
            *("v1 v1.0.0", "classifier v1.0.0", "sengu remote heal"),
        ],
    ]
    assert "1 missing, 1 damaged; 3 requests, 0 bytes read" in said.err
    (finding, _) = json.loads(sengu(made.folder, "remote", "check", "--json").out)["findings"]
    assert finding["tags"] == ["classifier@v1.0.0", "dataset=v1@v1.0.0"]


def test_a_deep_check_reads_the_least_recently_read_first_and_remembers(made: Handmade) -> None:
    total = sum(map(len, made.objects.values()))
    read = []
    for _ in range(3):
        said = sengu(made.folder, "remote", "check", "--deep", "--budget", "50%")
        read.append(int(re.search(r"([\d,]+) bytes read", said.err)[1].replace(",", "")))
    assert all(0 < one <= total / 2 for one in read)
    with chdir(made.folder):
        from sengu.remote.memory import Memory

        assert set(Memory("store").verified()) == set(made.objects)  # after twice a half everything was read once
    assert sengu(made.folder, "remote", "check", "--deep", "--budget", "a lot").err.startswith(
        "error: budget 'a lot': give a share"
    )


def test_what_check_has_read_and_what_verify_has_hashed_are_one_memory(made: Handmade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.folder)
    assert sengu(made.folder, "remote", "check", "--deep").code == 0
    assert sengu(made.folder, "verify").code == 0
    with verified.opened() as memory:
        places = set(memory.times())
    assert {f"remote store {oid}" for oid in made.objects} <= places
    assert {f"cache {oid}" for oid in made.objects} <= places
    Path(".sengu/verified.sqlite").write_bytes(b"no database")  # it costs reading again, no more
    assert sengu(made.folder, "remote", "check", "--deep").code == 0


def test_a_folder_is_read_and_a_flipped_byte_of_the_same_time_is_found(made: Handmade, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    fill(folder, made.objects)
    with (made.folder / ".dvc/config").open("a") as stream:
        stream.write(f"['remote \"beside\"']\n    url = {folder}\n    verify = true\n")
    assert sengu(made.folder, "remote", "check", "--remote", "beside").code == 0
    oid = archive(made)
    path = folder / "files/md5" / oid[:2] / oid[2:]
    stat = path.stat()
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    said = sengu(made.folder, "remote", "check", "--remote", "beside", "--json")
    assert [(one["state"], one["oid"]) for one in json.loads(said.out)["findings"]] == [("damaged", oid)]
    made.forget_locally([oid])
    said = sengu(made.folder, "remote", "heal", "--remote", "beside")
    assert "remote store" in said.out
    assert path.read_bytes() == made.objects[oid]


def test_copies_are_counted_where_they_are_independent(made: Handmade, server: Server, tmp_path: Path) -> None:
    config = f"['remote \"second\"']\n    url = s3://{BUCKET}/other\n    endpointurl = {server.endpoint}\n    verify = true\n"
    config += f"['remote \"disk\"']\n    url = {tmp_path / 'disk'}\n    verify = true\n"
    with (made.folder / ".dvc/config").open("a") as stream:
        stream.write(config)
    upload(server, made.objects, "other")
    params = made.folder / "params.yaml"
    params.write_text(params.read_text().replace("prices:", "copies: 2, further: [second], prices:"))
    said = sengu(made.folder, "remote", "check")
    assert said.code == 1
    assert "remote.copies is 2, but these are 1 places" in said.err  # two prefixes of one bucket
    params.write_text(params.read_text().replace("[second]", "[disk]"))
    fill(tmp_path / "disk", {oid: data for oid, data in made.objects.items() if oid != archive(made)})
    said = sengu(made.folder, "remote", "check")
    assert "fewer than 2 independent copies of 1 object:" in said.err
    assert "disk" in said.out
    assert sengu(made.folder, "remote", "heal").code == 0
    assert sengu(made.folder, "remote", "check").code == 0


def test_plan_and_apply_converge_and_what_is_ignored_is_named(made: Handmade, server: Server) -> None:
    server.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    said = sengu(made.folder, "remote", "plan")
    assert said.code == 0
    assert said.out.splitlines() == [
        "would keep old versions of objects (versioning)",
        "would block public access",
        "would encrypt with SSE-S3, whose ETags stay MD5s",
        "would abort unfinished uploads after 7 days; expire old versions after 90 days",
    ]
    assert sengu(made.folder, "remote", "apply").code == 0
    assert "is as params.yaml says" in sengu(made.folder, "remote", "plan").out
    params = made.folder / "params.yaml"
    params.write_text(params.read_text().replace("tls_only: false", "tags: { team: birds }"))
    said = sengu(made.folder, "remote", "apply")
    assert said.code == 1
    assert "has no TLS, so tls_only would lock you out" in said.err
    assert server.client.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == [{"Key": "team", "Value": "birds"}]
    assert sengu(made.folder, "remote", "check").code == 0  # nobody is locked out


def test_a_setting_that_the_store_drops_is_named(made: Handmade, monkeypatch: pytest.MonkeyPatch) -> None:
    from sengu.remote.s3 import S3Store

    keep = S3Store.settings
    monkeypatch.setattr(S3Store, "settings", lambda self: {**keep(self), "encryption": None})
    said = sengu(made.folder, "remote", "apply")
    assert said.code == 1
    assert "the store accepted, but does not keep, encryption: it does not support this" in said.err


def test_test_says_what_a_remote_can_do_and_leaves_nothing(made: Handmade, server: Server, tmp_path: Path) -> None:
    before = set(server.keys())
    lines = sengu(made.folder, "remote", "test").out.splitlines()
    rows = {row[0]: row[1] for row in (re.split(r"  +", line) for line in lines)}
    assert rows["read back the same"] == rows["ETag is the MD5"] == rows["keeps old versions"] == rows["remove"] == "yes"
    assert set(server.keys()) == before
    with (made.folder / ".dvc/config").open("a") as stream:
        stream.write(f"['remote \"beside\"']\n    url = {tmp_path / 'folder'}\n    verify = true\n")
    (tmp_path / "folder").mkdir()
    assert sengu(made.folder, "remote", "test", "--remote", "beside").code == 0
    assert list((tmp_path / "folder").iterdir()) == []


def test_report_counts_classes_sites_versions_and_growth(made: Handmade, server: Server) -> None:
    said = sengu(made.folder, "remote", "report")
    rows = {tuple(row[:2]): row[2:] for row in (re.split(r"  +", line) for line in said.out.splitlines())}
    total = sum(map(len, made.objects.values()))
    assert rows["total", str(len(made.objects))][-1] == f"{total / 1e9 * 1000:.4f}"
    assert rows["site", "birds"][0] == "6"  # five files and their list
    assert "this is the first report here" in said.err
    server.put(key("e" * 32), b"x" * 1_000_000)
    said = sengu(made.folder, "remote", "report")
    assert "+1 objects, +1.0 MB, +1.0000 USD a month" in said.err
    assert "pinned by nothing" in said.out
    assert "1,000,000" not in (made.folder / "reports/remote.html").read_text()
    assert "1.0 MB" in (made.folder / "reports/remote.html").read_text()


def test_a_cold_object_is_called_cold_until_it_is_thawed(made: Handmade, server: Server) -> None:
    oid = archive(made)
    server.client.put_object(Bucket=BUCKET, Key=key(oid), Body=made.objects[oid], StorageClass="GLACIER")
    said = sengu(made.folder, "remote", "check")
    assert (said.code, "cold" in said.out) == (1, True)
    assert "sengu remote thaw data/raw/birds/birds-00000.bin" in said.out
    made.forget_locally([oid])
    said = sengu(made.folder, "remote", "pull")
    assert "error: 1 object in cold storage: run `sengu remote thaw data/raw/birds/birds-00000.bin`" in said.err
    assert "nothing pinned lies at elsewhere" in sengu(made.folder, "remote", "thaw", "elsewhere").err
    said = sengu(made.folder, "remote", "thaw", "data/raw", "--wait", "--every", "0.1")
    assert said.code == 0
    assert "readable until" in said.out
    assert sengu(made.folder, "remote", "check").code == 0


def second_commit(made: Handmade) -> None:
    """Two archive files less, on a branch that nobody has any more."""
    lock = yaml.safe_load((made.folder / "dvc.lock").read_text())
    kept = {name: oid for name, oid in made.paths.items() if "birds-" in name and name < "data/raw/birds/birds-00003"}
    rows = [{"md5": oid, "relpath": name.rpartition("/")[2]} for name, oid in sorted(kept.items())]
    listing = json.dumps(rows, sort_keys=True).encode()
    oid = hashlib.md5(listing).hexdigest() + ".dir"
    made.objects[oid] = listing
    path = made.folder / ".dvc/cache/files/md5" / oid[:2] / oid[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(listing)
    lock["stages"]["crawl@birds"]["outs"][0]["md5"] = oid
    lock["stages"]["label"]["outs"][0]["md5"] = "f" * 32
    (made.folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    run(made.folder, "git", "commit", "--quiet", "--all", "--message", "less")
    for tag in ("classifier@v1.0.0", "dataset=v1@v1.0.0"):
        run(made.folder, "git", "tag", "--delete", tag)


def test_prune_lists_asks_and_keeps_what_it_must(made: Handmade, server: Server) -> None:
    second_commit(made)
    upload(server, made.objects, "pre")
    stranger, label = "e" * 32, made.paths["data/label.csv"]
    server.put(key(stranger), b"nobody")
    said = sengu(made.folder, "remote", "prune", "--all")
    assert "0 objects of 0 B may go" in said.err  # all of it is younger than the 90 days of params.yaml
    assert "0 days old, kept for 90" in said.out
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sengu.remote.pruning.DAY", 1e-9)
        assert "nothing was deleted: 'yes' was typed, not " in sengu(made.folder, "remote", "prune", typed="yes\n").err
        assert key(stranger) in set(server.keys())
        said = sengu(made.folder, "remote", "prune", "--dry-run")
        count = int(re.search(r"(\d+) objects of", said.err)[1])
        said = sengu(made.folder, "remote", "prune", typed=f"{count}\n")
    assert said.code == 0
    left = set(server.keys())
    assert key(stranger) not in left
    assert key(label) not in left
    for number in range(3):
        assert key(archive(made, number)) in left
    (made.folder / ".git/shallow").write_text(run(made.folder, "git", "rev-parse", "HEAD"))
    assert "this clone is shallow" in sengu(made.folder, "remote", "prune").err


def test_restore_brings_back_what_was_there_at_a_time(made: Handmade, server: Server) -> None:
    oid, other = archive(made, 0), archive(made, 1)
    server.put(key(oid), b"overwritten")
    server.client.delete_object(Bucket=BUCKET, Key=key(other))
    made.forget_locally([oid, other])
    assert "0 objects would be restored" in sengu(made.folder, "remote", "restore", "--dry-run", "--at", "2001-01-01").err
    assert "time 'then': give it as" in sengu(made.folder, "remote", "restore", "--at", "then").err
    said = sengu(made.folder, "remote", "restore")
    assert "2 objects restored" in said.err
    assert [row.split()[0] for row in said.out.splitlines()[1:]] == ["overwritten", "deleted"]
    assert (server.read(key(oid)), server.read(key(other))) == (made.objects[oid], made.objects[other])


@pytest.mark.parametrize("where", ["bucket", "folder"])
def test_the_catalogue_gives_any_file_back_with_curl_alone(made: Handmade, server: Server, tmp_path: Path, where: str) -> None:
    name = "store"
    if where == "folder":
        name, folder = "beside", tmp_path / "a folder"
        fill(folder, made.objects)
        with (made.folder / ".dvc/config").open("a") as stream:
            stream.write(f"['remote \"beside\"']\n    url = {folder}\n    verify = true\n")
    assert sengu(made.folder, "remote", "catalog", "--remote", name).code == 0
    base = f"{server.endpoint}/{BUCKET}/pre" if where == "bucket" else (tmp_path / "a folder").as_uri()
    alone = tmp_path / "alone"
    alone.mkdir()
    sign = '--aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"' if where == "bucket" else ""
    environment = {"PATH": "/usr/bin:/bin", **SECRETS}

    def shell(command: str) -> str:
        return subprocess.run(
            ["bash", "-ec", command], cwd=alone, env=environment, capture_output=True, text=True, check=True
        ).stdout

    for file in ("README.html", "catalog.json", "catalog.json.sha256", "repository.bundle"):
        shell(f"curl --fail --silent --remote-name {sign} {base}/{file}")
    shell("sha256sum --check catalog.json.sha256")
    catalog = json.loads((alone / "catalog.json").read_text())
    assert catalog["models"] == {"classifier@v1.0.0": "classifier v1.0.0"}
    assert (catalog["purpose"], catalog["contact"]) == ("Birds.", "me@example.org")
    for path, oid in made.paths.items():
        found = catalog["refs"]["classifier@v1.0.0"]["files"][path]
        shell(f"curl --fail --silent --output file {sign} {base}/{catalog['objects'][found]['key']}")
        assert (alone / "file").read_bytes() == made.objects[oid]
    page = (alone / "README.html").read_text()
    command = re.search(r'<pre id="curl">(.*?)</pre>', page, re.S)[1].replace("&#34;", '"').replace("&quot;", '"')
    shell(command)  # the one that stands in the page
    shell("git clone --quiet repository.bundle project")
    assert (alone / "project/dvc.lock").read_bytes() == (made.folder / "dvc.lock").read_bytes()


def test_erased_files_go_with_their_versions_for_good(made: Handmade, server: Server, tmp_path: Path) -> None:
    oid = archive(made)
    other = tmp_path / "disk"
    fill(other, made.objects)
    with (made.folder / ".dvc/config").open("a") as stream:
        stream.write(f"['remote \"disk\"']\n    url = {other}\n    verify = true\n")
    server.put(key(oid), b"overwritten")
    assert sengu(made.folder, "remote", "catalog").code == 0
    server.put("pre/catalog/site-0000.jpg", b"a contact sheet")
    server.put("pre/catalog/site-0000.jpg", b"a later one")
    assert "is not in tombstone_files.csv" in sengu(made.folder, "remote", "forget", oid).err
    with chdir(made.folder):
        tombstones.add_files([oid], "2026-11-27")
    said = sengu(made.folder, "remote", "forget", oid)
    assert said.code == 0
    versions = [
        item["Key"]
        for page in server.client.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
        for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    ]
    assert not [name for name in versions if name == key(oid) or "catalog" in name]
    assert not (other / "files/md5" / oid[:2] / oid[2:]).exists()
    # the cache still has it, and an old branch still pins it: nothing brings it back
    assert sengu(made.folder, "remote", "check").code == 0
    server.client.delete_object(Bucket=BUCKET, Key=key(archive(made, 1)))
    assert sengu(made.folder, "remote", "heal").code == 0
    assert sengu(made.folder, "remote", "restore").code == 0
    assert key(oid) not in set(server.keys())
    assert key(archive(made, 1)) in set(server.keys())
    run(made.folder, "git", "add", "tombstone_files.csv")
    run(made.folder, "git", "commit", "--quiet", "--message", "erased")
    (made.folder / "tombstone_files.csv").unlink()  # as after a checkout of an older commit
    with chdir(made.folder):
        assert pins.erased(pins.refs()) == {oid}
    sengu(made.folder, "remote", "heal")
    assert key(oid) not in set(server.keys())
    sengu(made.folder, "remote", "catalog")
    assert oid in json.loads(server.read("pre/catalog.json"))["erased"]


def test_the_hook_offers_to_push_and_lets_right_commits_through(made: Handmade, server: Server, tmp_path: Path) -> None:
    hook = made.folder / ".git/hooks/pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n")
    assert "already exists and is not Sengu's" in sengu(made.folder, "remote", "hook").err
    hook.unlink()
    assert sengu(made.folder, "remote", "hook").code == 0
    run(tmp_path, "git", "init", "--quiet", "--bare", "bare.git")
    assert "lacks data" not in run(made.folder, "git", "push", str(tmp_path / "bare.git"), "main", **SECRETS)
    server.client.delete_object(Bucket=BUCKET, Key=key(archive(made)))
    run(made.folder, "git", "commit", "--quiet", "--allow-empty", "--message", "more")
    said = run(
        made.folder, "setsid", "git", "push", str(tmp_path / "bare.git"), "main", **SECRETS
    )  # no terminal: it only says so
    assert "the remote lacks data of these commits: run `make push`" in said
    assert sengu(made.folder, "remote", "hook", "--remove").code == 0
    assert not hook.exists()


# faults


def test_a_listing_that_is_gone_is_healed_first_and_then_what_it_names(made: Handmade, server: Server) -> None:
    listing = next(oid for oid in made.objects if oid.endswith(".dir"))
    for oid in (listing, archive(made)):
        server.client.delete_object(Bucket=BUCKET, Key=key(oid))
    shutil.rmtree(made.folder / ".dvc/cache")
    said = sengu(made.folder, "remote", "check")
    assert "could not be checked, because the list of files is in neither the cache nor a remote" in said.err
    said = sengu(made.folder, "remote", "heal")
    assert (said.code, "2 objects healed, 0 not" in said.err) == (0, True)


def test_a_damaged_copy_in_the_cache_heals_nothing(made: Handmade, server: Server) -> None:
    oid = archive(made)
    for version in server.client.list_object_versions(Bucket=BUCKET, Prefix=key(oid))["Versions"]:
        server.client.delete_object(Bucket=BUCKET, Key=key(oid), VersionId=version["VersionId"])
    (made.folder / ".dvc/cache/files/md5" / oid[:2] / oid[2:]).write_bytes(b"damaged, too")
    said = sengu(made.folder, "remote", "heal")
    assert said.code == 1
    assert "missing: data/raw/birds/birds-00000.bin (irreplaceable): no copy is here" in said.err
    assert key(oid) not in set(server.keys())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda text: text.replace(f"s3://{BUCKET}/pre", "s3://no-such-bucket/pre"),
            "NoSuchBucket: .*make it, or correct",
        ),
        (
            lambda text: re.sub(r"http://127.0.0.1:\d+", f"http://127.0.0.1:{free_port()}", text),
            "does not answer",
        ),
    ],
    ids=["no bucket", "endpoint down"],
)
def test_what_is_not_there_is_named_with_the_cure(made: Handmade, edit, message: str) -> None:
    path = made.folder / ".dvc/config.local"
    path.write_text(edit(path.read_text()))
    said = sengu(made.folder, "remote", "check")
    assert said.code == 1
    assert re.search(f"^error: s3://.*{message}", said.err)


def test_no_credentials_are_named(made: Handmade, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "no credentials: set AWS_ACCESS_KEY_ID" in sengu(made.folder, "remote", "check").err


class Answers(BaseHTTPRequestHandler):
    """A store that answers every request with one error."""

    status, code = 500, "InternalError"

    def do_GET(self) -> None:
        body = f"<Error><Code>{self.code}</Code><Message>told so</Message></Error>".encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (500, "InternalError", "the store has an error of its own"),
        (403, "AccessDenied", "the credentials may not do this"),
        (400, "AuthorizationHeaderMalformed", "the bucket is in another region"),
        (503, "SlowDown", "asks for a pause"),
    ],
)
def test_errors_of_the_store_are_named_with_the_cure(
    made: Handmade, monkeypatch: pytest.MonkeyPatch, status: int, code: str, message: str
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0)
    store = HTTPServer(("127.0.0.1", 0), type("One", (Answers,), {"status": status, "code": code}))
    thread = threading.Thread(target=store.serve_forever)
    thread.start()
    try:
        path = made.folder / ".dvc/config.local"
        path.write_text(re.sub(r"http://127.0.0.1:\d+", f"http://127.0.0.1:{store.server_port}", path.read_text()))
        said = sengu(made.folder, "remote", "check")
    finally:
        store.shutdown()
        store.server_close()
        thread.join()
    assert said.code == 1
    assert message in said.err


def test_a_lock_file_that_is_no_yaml_comes_back_from_git(made: Handmade) -> None:
    path = made.folder / "datasets/dvc.lock"
    path.parent.mkdir(exist_ok=True)
    path.write_text("stages: {}\n")
    run(made.folder, "git", "add", "--force", "datasets/dvc.lock")
    run(made.folder, "git", "commit", "--quiet", "--message", "versions")
    path.write_text("stages: [\n")
    said = sengu(made.folder, "remote", "check")
    cure = re.search("not YAML: .*: restore it with `(git checkout [^`]*)`", said.err)
    assert cure is not None, said.err
    run(made.folder, *cure[1].split())
    assert sengu(made.folder, "remote", "check").code == 0


def test_an_empty_lock_file_is_named(made: Handmade) -> None:
    (made.folder / "dvc.lock").write_text("")
    said = sengu(made.folder, "remote", "check")
    assert said.err.startswith("error: dvc.lock is empty, as happens when DVC is killed while writing it: `")
