"""A bucket that keeps versions -> pinned objects as they were, at a time or before somebody overwrote or deleted them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sengu.base.errors import SenguError
from sengu.remote.healing import newest_right
from sengu.remote.pins import Pin
from sengu.remote.s3 import S3Store
from sengu.remote.stored import OldVersion, md5_of


@dataclass(frozen=True)
class Restored:
    oid: str
    pin: Pin
    version: OldVersion
    what: str  # "deleted" or "overwritten"


def plan(versions: Iterable[OldVersion], pins: Mapping[str, Pin], until: float = float("inf")) -> list[Restored]:
    """The version of each pinned object that must become current: the newest right one that was there at `until`."""
    known = list(versions)
    latest = {version.oid: version for version in known if version.is_latest}
    right = newest_right(known, until)
    planned = []
    for oid, pin in pins.items():
        now = latest.get(oid)
        if now is not None and now.etag == md5_of(oid):
            continue
        candidates = [version for version in right.get(oid, []) if version is not now]
        if now is not None and not now.is_deletion and "-" in now.etag:
            continue  # in several parts: `check` compares it, and `heal` repairs it
        if candidates:
            what = "overwritten" if now is not None and not now.is_deletion else "deleted"
            planned.append(Restored(oid, pin, candidates[0], what))
    return planned


def restore(store: S3Store, restored: Iterable[Restored]) -> Iterator[Restored]:
    for item in restored:
        store.write_version(item.version)
        yield item


def moment(text: str) -> float:
    """A time such as 2026-11-27T12:00, in UTC unless it says otherwise, as seconds since 1970. Raises SenguError."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise SenguError(f"time {text!r}: give it as 2026-11-27 or 2026-11-27T12:00, in UTC") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
