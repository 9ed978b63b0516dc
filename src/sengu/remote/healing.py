"""Missing and damaged objects of a remote -> put back: from the cache, older versions, another remote, or a rebuild."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sengu.base import digests
from sengu.base.errors import SenguError
from sengu.remote.checking import Store
from sengu.remote.findings import Finding
from sengu.remote.folder import md5
from sengu.remote.pins import Cache, Pin
from sengu.remote.stored import OldVersion, md5_of

WARC = ".warc.gz"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one finding; `source` is empty where no whole copy was found, and `why` then says more."""

    finding: Finding
    source: str = ""
    why: str = ""


@dataclass(frozen=True)
class Sources:
    """Sources of copies, in the order in which they are tried; `holding` says which erased objects an archive file holds."""

    cache: Cache
    others: Sequence[Store]
    erased_files: frozenset[str]
    holds_erased: Callable[[Path], bool]
    rebuild: Callable[[Pin], Mapping[str, Path]] | None = None


def heal(store: Store, findings: Iterable[Finding], sources: Sources) -> Iterator[Outcome]:
    """Puts back what a remote lacks, one by one, and says from where. Erased files never come back."""
    versions = newest_right(store.versions()) if store.keeps_versions else {}
    rebuilt: dict[str, Path] = {}
    tried: set[str] = set()
    for finding in findings:
        oid = finding.oid
        if md5_of(oid) in sources.erased_files or oid in sources.erased_files:
            yield Outcome(finding, why="it was erased for good")
            continue
        try:
            source = _from_copies(store, finding, versions.get(oid, []), sources)
            if not source and sources.rebuild is not None and not finding.pin.is_irreplaceable:
                if finding.pin.stage not in tried:
                    tried.add(finding.pin.stage)
                    rebuilt.update(sources.rebuild(finding.pin))
                if oid in rebuilt and _may_return(rebuilt[oid], finding.pin, sources):
                    store.write(oid, rebuilt[oid])
                    source = f"rebuilt by {finding.pin.stage}"
        except _ErasedError:
            yield Outcome(finding, why="it holds an erased object")
            continue
        if source and not _arrived(store, oid):
            yield Outcome(finding, why=f"from {source}, but it did not arrive whole")
            continue
        yield Outcome(finding, source, "" if source else _advice(finding, sources.rebuild is not None))


class _ErasedError(Exception):
    """Raised for a copy that must not come back."""


def _from_copies(store: Store, finding: Finding, versions: Sequence[OldVersion], sources: Sources) -> str:
    oid = finding.oid
    if copy := sources.cache.path(oid):
        _may_return(copy, finding.pin, sources)
        store.write(oid, copy)
        return "local cache"
    for version in versions:
        with temporary(_version_chunks(store, version)) as path:
            if digests.md5(path) != md5_of(oid):
                continue
            _may_return(path, finding.pin, sources)
        store.write_version(version)
        return "older version in the bucket"
    for other in sources.others:
        try:
            with temporary(other.chunks(oid)) as path:
                if digests.md5(path) == md5_of(oid):
                    _may_return(path, finding.pin, sources)
                    store.write(oid, path)
                    return f"remote {other.remote.name}"
        except (SenguError, OSError):  # it is missing there, too, or cold
            continue
    return ""


def _version_chunks(store: Store, version: OldVersion) -> Iterator[bytes]:
    return store.chunks(version.oid, version.version)  # type: ignore[call-arg]  # of buckets only


def _may_return(copy: Path, pin: Pin, sources: Sources) -> bool:
    """Raises _ErasedError for an archive that holds what was erased."""
    if any(path.endswith(WARC) for path in pin.paths) and sources.holds_erased(copy):
        raise _ErasedError
    return True


def _arrived(store: Store, oid: str) -> bool:
    stored = store.head(oid)
    if stored is None:
        return False
    return stored.etag == md5_of(oid) if stored.etag and not stored.is_composite else md5(store.chunks(oid)) == md5_of(oid)


def _advice(finding: Finding, rebuilding: bool) -> str:
    if finding.pin.is_irreplaceable:
        return "no copy is here, in older versions or in other remotes: `dvc push` in a clone that has it"
    if not rebuilding:
        return "no copy; `sengu remote heal --rebuild` runs its stage again"
    return f"{finding.pin.stage} made no such file again"


def newest_right(versions: Iterable[OldVersion], until: float = float("inf")) -> dict[str, list[OldVersion]]:
    """The versions of each object that may be right, the newest first: their ETag is the MD5, or composite."""
    by_object: dict[str, list[OldVersion]] = {}
    for version in versions:
        is_right = version.etag == md5_of(version.oid) or "-" in version.etag
        if is_right and not version.is_deletion and version.modified <= until:
            by_object.setdefault(version.oid, []).append(version)
    return {oid: sorted(of_oid, key=lambda v: -v.modified) for oid, of_oid in by_object.items()}


@contextmanager
def temporary(chunks: Iterable[bytes]) -> Iterator[Path]:
    """A temporary file with the chunks, which is there within."""
    with tempfile.NamedTemporaryFile(prefix="sengu-") as stream:
        for chunk in chunks:
            stream.write(chunk)
        stream.flush()
        yield Path(stream.name)
