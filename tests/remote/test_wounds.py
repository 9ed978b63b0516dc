"""A hundred wounds: seeded injuries to a remote of many objects, all of which check finds, and nothing else."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from bucket import BUCKET, SECRETS, Handmade, Server, fill, handmade, md5_of, sengu, served, upload
from project import environment
from proxied import Proxy, proxied

SOAK = bool(os.environ.get("SENGU_SOAK"))
# objects and wounds; `make soak` and a twentieth of it
SIZES = [pytest.param(250, 24, id="small"), pytest.param(5000, 120, marks=pytest.mark.soak, id="soak")]
SIZE = 20_000  # bytes of an object
PREFIX = "wounds"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with served(versioned=True) as server:
        yield server


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with proxied(server.endpoint) as proxy:
        yield proxy


def key(oid: str) -> str:
    return f"{PREFIX}/files/md5/{oid[:2]}/{oid[2:]}"


def damaged(data: bytes, kind: str, random: Random) -> bytes:
    """Another content in the way of `kind`."""
    place = random.randrange(len(data))
    return {
        "flipped": data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :],
        "truncated": data[:place],
        "emptied": b"",
        "lengthened": data + b"\0",
        "replaced": b"<html>502 Bad Gateway</html>",
        "zeroed": bytes(len(data)),
        "in parts": random.randbytes(len(data)),
    }[kind]


CONTENT = ("flipped", "truncated", "emptied", "lengthened", "replaced", "zeroed", "in parts")
KINDS = (*CONTENT, "deleted", "gone", "swapped")


def wound(server: Server, made: Handmade, count: int, seed: int, spared: str = "", listing: bool = True) -> dict[str, str]:
    """Injures `count` objects of the bucket, each kind as often, one of them a `listing` of a folder; returns oid -> kind."""
    random = Random(seed)
    listings = sorted(oid for oid in made.objects if oid.endswith(".dir"))[: int(listing)]
    oids = [*random.sample(sorted(set(made.paths.values()) - {spared}), count - len(listings)), *listings]
    wounds = {oid: KINDS[number % len(KINDS)] for number, oid in enumerate(oids)}
    for oid, kind in wounds.items():
        if kind in CONTENT:
            data = damaged(made.objects[oid], kind, random)
            if kind == "in parts":
                in_parts(server, key(oid), data)
            else:
                server.put(key(oid), data)
        elif kind == "swapped":  # another object, of the same size if there is one
            others = sorted(set(made.objects) - {oid}, key=lambda o: (len(made.objects[o]) != len(made.objects[oid]), o))
            server.put(key(oid), made.objects[others[0]])
        else:
            server.client.delete_object(Bucket=BUCKET, Key=key(oid))
            if kind == "gone":
                for version in server.client.list_object_versions(Bucket=BUCKET, Prefix=key(oid))["Versions"]:
                    server.client.delete_object(Bucket=BUCKET, Key=key(oid), VersionId=version["VersionId"])
    return wounds


def in_parts(server: Server, name: str, data: bytes) -> None:
    """As other tools send big files: the ETag is no MD5."""
    upload_id = server.client.create_multipart_upload(Bucket=BUCKET, Key=name)["UploadId"]
    part = server.client.upload_part(Bucket=BUCKET, Key=name, UploadId=upload_id, PartNumber=1, Body=data)
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    server.client.complete_multipart_upload(Bucket=BUCKET, Key=name, UploadId=upload_id, MultipartUpload=parts)


def made_in(tmp_path: Path, server: Server, objects: int, endpoint: str = "") -> Handmade:
    options = {"endpointurl": endpoint or server.endpoint}
    made = handmade(tmp_path / "project", objects, SIZE, f"s3://{BUCKET}/{PREFIX}", options)
    upload(server, made.objects, PREFIX)
    return made


@pytest.mark.parametrize(("objects", "count"), SIZES)
def test_check_finds_every_wound_and_heal_mends_what_there_is_a_copy_of(
    server: Server, proxy: Proxy, tmp_path: Path, objects: int, count: int
) -> None:
    if objects > 1000 and not SOAK:
        pytest.skip("make soak")
    made = made_in(tmp_path, server, objects, proxy.endpoint)
    assert sengu(made.folder, "remote", "check").code == 0
    # a whole object that somebody sent in parts is no wound
    unhurt = max(made.paths.values())
    in_parts(server, key(unhurt), made.objects[unhurt])
    wounds = wound(server, made, count, seed=20, spared=unhurt)
    gone = [oid for oid, kind in wounds.items() if kind == "gone"]
    # the next machine has half of it, and of what is gone in the bucket some is in a further remote, and some nowhere
    in_two = [oid for number, oid in enumerate(sorted(made.paths.values())) if number % 2]
    # without a copy here, what was sent in parts must be read, if it is small: one of these will do
    parts = [unhurt, *[oid for oid, kind in wounds.items() if kind == "in parts"][1:]]
    made.forget_locally(set(in_two) - set(parts))
    made.forget_locally(gone)
    lost, kept = gone[0], gone[1:]
    fill(tmp_path / "second", {oid: made.objects[oid] for oid in kept})
    with (made.folder / ".dvc/config").open("a") as stream:
        stream.write(f"['remote \"second\"']\n    url = {tmp_path / 'second'}\n    verify = true\n")
    total = sum(map(len, made.objects.values()))

    before = proxy.bytes_sent
    said = sengu(made.folder, "remote", "check", "--json")
    assert said.code == 1
    document = json.loads(said.out)
    assert {finding["oid"] for finding in document["findings"]} == set(wounds)
    states = {finding["oid"]: finding["state"] for finding in document["findings"]}
    assert {oid for oid, state in states.items() if state == "missing"} == {
        oid for oid, kind in wounds.items() if kind in ("deleted", "gone")
    }
    read, requests = bytes_read(said.err)
    assert read == proxy.bytes_sent - before  # what check says that it reads, the store has counted
    assert read < total / 100
    print(f"{count} wounds, {len(made.objects)} objects of {total:,} bytes: {read:,} bytes read in {requests} requests")
    assert requests <= 3 + len(made.objects) // 1000 + 2 * count  # one for each thousand, and a look at what is wrong

    said = sengu(made.folder, "remote", "heal")
    assert said.code == 1
    assert f"{len(wounds) - 1} objects healed, 1 not" in said.err
    for source in ("local cache", "older version in the bucket", "remote second"):
        assert source in said.out
    for oid in wounds.keys() - {lost}:
        assert server.read(key(oid)) == made.objects[oid]
    left = json.loads(sengu(made.folder, "remote", "check", "--json").out)["findings"]
    assert [finding["oid"] for finding in left] == [lost]


def bytes_read(said: str) -> tuple[int, int]:
    line = next(line for line in said.splitlines() if line.startswith("store: "))
    words = line.replace(",", "").split()
    return int(words[words.index("bytes", words.index("requests")) - 1]), int(words[words.index("requests") - 1])


@pytest.mark.parametrize(("objects", "count"), SIZES)
def test_restore_brings_back_exactly_the_pinned_keys(server: Server, tmp_path: Path, objects: int, count: int) -> None:
    if objects > 1000 and not SOAK:
        pytest.skip("make soak")
    made = made_in(tmp_path, server, objects)
    server.put(key("0" * 32), b"nobody pins this")
    server.client.delete_object(Bucket=BUCKET, Key=key("0" * 32))
    wounds = wound(server, made, count, seed=21)
    shutil.rmtree(made.folder / ".dvc/cache")
    in_listing = {"gone", "in parts"}
    # the listing itself may be wounded: then the first call restores it, and the second what it names
    for _ in range(2):
        sengu(made.folder, "remote", "restore")
    for oid, kind in wounds.items():
        if kind not in in_listing:
            assert server.read(key(oid)) == made.objects[oid], kind
    assert key("0" * 32) not in set(server.keys())


@pytest.mark.soak
@pytest.mark.parametrize("listing", [True, False], ids=["listing", "whole listings"])
def test_how_many_wounds_the_commands_of_dvc_find(server: Server, tmp_path: Path, listing: bool) -> None:
    """Prints the figures of docs/remote.md."""
    if not SOAK:
        pytest.skip("make soak")
    objects, count = int(os.environ.get("SENGU_OBJECTS", "5000")), int(os.environ.get("SENGU_WOUNDS", "120"))
    made = made_in(tmp_path, server, objects)
    (made.folder / "data/raw").mkdir(parents=True)
    wounds = wound(server, made, count, seed=20, listing=listing)
    names = {oid: {path for path, other in made.paths.items() if other == oid} or {"data/raw/birds"} for oid in wounds}

    def dvc(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            ["dvc", *arguments], cwd=made.folder, env=environment(**SECRETS), capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def named(text: str) -> int:
        return sum(oid in text or f"{oid[:2]}/{oid[2:]}" in text or any(p in text for p in names[oid]) for oid in wounds)

    found = {}
    code, text = dvc("status", "--cloud")
    found["status --cloud"] = (code, named(text))
    code, text = dvc("data", "status", "--not-in-remote", "--granular", "--json")
    document = json.loads(text[text.index("{") :]) if code == 0 else {}
    found["data status --not-in-remote --granular"] = (code, named("\n".join(document.get("not_in_remote", []))))
    code, text = dvc("push")
    pushed = text[-600:]
    found["push"] = (code, sum(safe(server, oid) == made.objects[oid] for oid in wounds))
    shutil.rmtree(made.folder / ".dvc/cache")
    code, text = dvc("fetch")
    found["fetch"] = (code, named(text))
    here = [path for path in (made.folder / ".dvc/cache/files/md5").glob("*/*") if path.is_file()]
    wrong = sum(md5_of(path.read_bytes()) != (path.parent.name + path.name).removesuffix(".dir") for path in here)
    print(f"\n{count} wounds, {len(made.objects)} objects; command: (exit status, found): {found}")
    print(f"after the fetch {len(here)} objects are here, {wrong} of them wrong; push said {pushed}; fetch said {text[-600:]}")
    assert all(number < count for _, number in found.values())


def safe(server: Server, oid: str) -> bytes | None:
    try:
        return server.read(key(oid))
    except server.client.exceptions.NoSuchKey:
        return None
