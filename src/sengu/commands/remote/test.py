"""A remote -> its abilities, tried with a probe object that is removed afterwards."""

import hashlib
import sys
import uuid
from collections.abc import Callable

import click

from sengu.base.errors import SenguError
from sengu.remote import configuration
from sengu.remote.checking import store_of
from sengu.remote.findings import aligned
from sengu.remote.folder import FolderStore
from sengu.remote.s3 import Probe, S3Store

FIRST, SECOND = b"sengu's probe\n", b"sengu's probe, overwritten\n"


@click.command("test")
@click.option("--remote", "name", default="", help="A remote; by default the default one.")
def command(name: str) -> None:
    """Send, read, overwrite and remove a probe object, and list what the remote can do; exit with 1 if it is unusable."""
    store = store_of(configuration.named(name))
    store.check()
    rows = on_bucket(store) if isinstance(store, S3Store) else on_folder(store)
    click.echo(aligned([("what", "result", "meaning"), *rows]))
    if any(result.startswith("no: ") for _, result, _ in rows):
        sys.exit(1)


def on_bucket(store: S3Store) -> list[tuple[str, str, str]]:
    probe = store.probe(f"sengu-probe-{uuid.uuid4().hex}")
    rows = []
    try:
        rows.append(_tried("write", lambda: probe.write(FIRST), "`dvc push`"))
        if rows[0][1] != "yes":
            return rows
        rows.append(_tried("read back the same", lambda: _same(probe.read(), FIRST), "`dvc pull`"))
        md5 = hashlib.md5(FIRST, usedforsecurity=False).hexdigest()
        is_md5 = probe.etag() == md5
        reading = "`sengu remote check` need not read objects" if is_md5 else "`sengu remote check --deep` must read objects"
        rows.append(("ETag is the MD5", _yes(is_md5), reading))
        rows.append(_tried("overwrite", lambda: _overwritten(probe), "needed by heal"))
        count = probe.version_count()
        rows.append(("keeps old versions", _yes(count == 2), "restore" if count == 2 else "no restore: `sengu remote apply`"))
        refused = _tried("refuses to overwrite (If-None-Match)", lambda: probe.write(FIRST, IfNoneMatch="*"), "")
        rows.append((refused[0], _yes(refused[1] != "yes"), "not used: `dvc push` does not send it"))
        checksum = _tried("checksums (CRC32)", lambda: probe.write(FIRST, ChecksumAlgorithm="CRC32"), "not needed")
        rows.append((checksum[0], _yes(checksum[1] == "yes"), checksum[2]))
    finally:
        removed = _tried("remove", lambda: bool(probe.remove()), "needed by prune and forget")
        rows.append(removed)
    return rows


def on_folder(store: FolderStore) -> list[tuple[str, str, str]]:
    name = f"sengu-probe-{uuid.uuid4().hex}"
    try:
        rows = [_tried("write", lambda: store.publish(name, FIRST, ""), "`dvc push`")]
        rows.append(_tried("read back the same", lambda: _same(store.read_published(name), FIRST), "`dvc pull`"))
        rows.append(_tried("overwrite", lambda: store.publish(name, SECOND, ""), "needed by heal"))
        rows.append(("keeps old versions", "no", "`sengu remote restore` cannot work; heal uses the cache and other remotes"))
    finally:
        store.withdraw([name])
    rows.append(("remove", _yes(store.read_published(name) is None), "needed by prune and forget"))
    return rows


def _overwritten(probe: Probe) -> None:
    probe.write(SECOND)
    _same(probe.read(), SECOND)


def _same(received: bytes | None, expected: bytes) -> None:
    if received != expected:
        raise SenguError("other bytes came back than were sent")


def _tried(what: str, action: Callable[[], object], use: str) -> tuple[str, str, str]:
    try:
        action()
    except (SenguError, OSError) as error:
        return what, f"no: {error}", use
    return what, "yes", use


def _yes(value: bool) -> str:
    return "yes" if value else "no"
