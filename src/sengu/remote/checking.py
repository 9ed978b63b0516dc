"""A remote and the pins -> findings. A bucket is listed, and hardly read; a folder is read within a budget."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tqdm import tqdm

from sengu.base.errors import SenguError
from sengu.remote import etags, findings
from sengu.remote.configuration import Remote
from sengu.remote.findings import DAMAGED, MISSING, RIGHT, UNREAD, Finding
from sengu.remote.folder import FolderStore, md5
from sengu.remote.memory import Memory
from sengu.remote.pins import Cache, Pin
from sengu.remote.s3 import ONE_PART, S3Store
from sengu.remote.stored import COLD, Stored, md5_of

Store = S3Store | FolderStore
UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """The amount that may be read again: a share of the bytes, or seconds."""

    share: float = 1.0
    seconds: float = float("inf")

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Raises SenguError for what is neither a share such as 5% nor a time such as 30m or 1h."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(%|s|m|h)", text.strip())
        if match is None or float(match[1]) < 0 or (match[2] == "%" and float(match[1]) > 100):
            raise SenguError(f"budget {text!r}: give a share such as 5%, or a time such as 30m or 1h")
        number = float(match[1])
        return cls(share=number / 100) if match[2] == "%" else cls(seconds=number * UNITS[match[2]])


@dataclass
class Checked:
    """The findings of a check; `states` has every object that was asked for."""

    remote: str
    findings: list[Finding] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)  # why a state is what it is
    present: dict[str, Stored] = field(default_factory=dict)  # everything that lies there, pinned or not
    bytes_read: int = 0
    requests: int = 0

    @property
    def unread(self) -> int:
        return sum(state == UNREAD for state in self.states.values())


def store_of(remote: Remote) -> Store:
    """Raises SenguError for a storage that is neither S3 nor a folder."""
    if remote.is_s3:
        return S3Store(remote)
    if remote.is_folder:
        return FolderStore(remote)
    raise SenguError(f"remote {remote.name!r} is {remote.url}: `sengu remote` knows s3:// and folders")


def check(store: Store, pins: Mapping[str, Pin], cache: Cache, memory: Memory, deep: Budget | None) -> Checked:
    """Asks a remote for every pinned object.

    Content that a listing does not show is compared with a local copy (composite ETags), or read: within `deep`, first what was
    never read or has changed, then the longest unread. None reads nothing.
    """
    result = Checked(store.remote.name)
    result.present = {stored.oid: stored for stored in store.objects()}
    for oid, pin in pins.items():
        stored = result.present.get(oid)
        result.states[oid], result.details[oid] = findings.judge(oid, pin.size, stored)
        if stored is not None and isinstance(store, S3Store):
            _look_closer(store, stored, result, cache)
    verified = memory.verified()
    for oid, state in result.states.items():
        # the content of an object that was read and has not changed since is known
        if state == UNREAD and verified.get(oid, ("", 0.0))[0] == result.present[oid].stamp:
            result.states[oid] = RIGHT
    if deep is not None:
        _read(store, result, memory, verified, deep)
    for oid, pin in pins.items():
        state = result.states[oid]
        if state not in (RIGHT, UNREAD):
            result.findings.append(Finding(state, oid, store.remote.name, pin, result.details[oid], cache.has(oid)))
    result.bytes_read, result.requests = store.bytes_read, store.requests
    return result


def _look_closer(store: S3Store, stored: Stored, result: Checked, cache: Cache) -> None:
    """Checks what one line of a listing does not tell: composite ETags, other encryption, and restored cold objects."""
    oid, states, details = stored.oid, result.states, result.details
    if states[oid] == UNREAD and stored.is_composite:
        copy = cache.path(oid)
        same = etags.is_that_of(copy, stored.etag) if copy else None
        if same is None and stored.size < ONE_PART:  # DVC would have sent it in one part, so another program did: it is read
            same = md5(store.chunks(oid)) == md5_of(oid)
        if same is not None:
            states[oid], details[oid] = (RIGHT, "") if same else (DAMAGED, "another content, sent in parts")
    elif states[oid] == DAMAGED and details[oid].startswith("content") and store.is_kms(oid):
        states[oid], details[oid] = UNREAD, ""
    elif states[oid] == findings.COLD_STATE:
        head = store.head(oid)
        if head is not None and head.storage_class not in COLD:
            states[oid] = findings.judge(oid, -1, head)[0]


def _read(store: Store, result: Checked, memory: Memory, verified: Mapping[str, tuple[str, float]], budget: Budget) -> None:
    """Reads objects, the least recently read first, until the budget is spent."""
    known = [result.present[oid] for oid, state in result.states.items() if state in (RIGHT, UNREAD)]

    def last_read(stored: Stored) -> float:
        stamp, at = verified.get(stored.oid, ("", 0.0))
        return at if stamp == stored.stamp else 0.0

    most, end = budget.share * sum(stored.size for stored in known), time.monotonic() + budget.seconds
    read = 0
    for stored in tqdm(sorted(known, key=last_read), desc=f"read {store.remote.name}", unit="object", disable=None):
        if read + stored.size > most or time.monotonic() > end:
            continue  # a smaller object may still fit; after the time is over, none does
        read += stored.size
        try:
            digest = md5(store.chunks(stored.oid))
        except FileNotFoundError:
            result.states[stored.oid], result.details[stored.oid] = MISSING, "gone since the check began"
            continue
        except OSError as error:
            result.states[stored.oid], result.details[stored.oid] = DAMAGED, f"cannot be read: {error.strerror}"
            continue
        if digest == md5_of(stored.oid):
            result.states[stored.oid] = RIGHT
            memory.remember(stored.oid, stored.stamp)
        else:
            result.states[stored.oid], result.details[stored.oid] = DAMAGED, f"content has MD5 {digest}"
            memory.forget([stored.oid])
    memory.save()


class Listings:
    """The content of .dir objects: of the local cache, else of the remotes."""

    def __init__(self, cache: Cache, stores: list[Store]):
        self.cache, self.stores = cache, stores

    def __call__(self, oid: str) -> bytes | None:
        data = self.cache.listing(oid)
        for store in self.stores if data is None else []:
            try:
                read = b"".join(store.chunks(oid))
            except (SenguError, OSError):  # missing or cold there: the check says so
                continue
            if md5(iter([read])) == md5_of(oid):
                return read
        return data
