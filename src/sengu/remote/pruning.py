"""Stored objects, and present and past pins -> what may be deleted. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sengu.base.params import Retention
from sengu.remote.pins import Output
from sengu.remote.stored import Stored

DAY = 86_400.0


@dataclass(frozen=True)
class Leftover:
    """One object that no known branch or tag pins; `path` is where history had it, empty if nothing knows it."""

    stored: Stored
    path: str
    keep: str = ""  # why it stays; empty if it may go


@dataclass(frozen=True)
class Needed:
    """Git's knowledge of objects: those that branches and tags pin, those of any commit, and those that must never go."""

    pinned: Collection[str]
    history: Mapping[str, Sequence[Output]]  # by oid
    last: Collection[str]  # the newest version of every irreplaceable path


def leftovers(present: Mapping[str, Stored], needed: Needed, retention: Retention, now: float) -> list[Leftover]:
    """Every object that is not pinned, with the reason why it stays, if it does."""
    unpinned = []
    for oid, stored in sorted(present.items()):
        if oid in needed.pinned:
            continue
        known = needed.history.get(oid, ())
        path = min((output.path for output in known), default="")
        days = retention_days(known, retention)
        age = (now - stored.modified) / DAY
        if oid in needed.last:
            keep = "the last version of what cannot be made again"
        elif age < days:
            keep = f"{age:.0f} days old, kept for {days}"
        else:
            keep = ""
        unpinned.append(Leftover(stored, path, keep))
    return unpinned


def retention_days(known: Sequence[Output], retention: Retention) -> int:
    """The days for which an object is kept, by its sites; an unknown object may belong to any site."""
    if not known:
        return max([retention.days, *retention.sites.values()])
    sites = {site for output in known if (site := site_of(output.path))}
    return max([retention.sites.get(site, retention.days) for site in sites], default=retention.days)


def site_of(path: str) -> str:
    """The site of an output such as data/raw/birds/birds-00000.warc.gz or data/index/birds.csv; empty if it is of none."""
    parts = path.split("/")
    per_site = ("raw", "failed", "captures", "index", "rejected", "object")
    return parts[2].removesuffix(".csv") if len(parts) > 2 and parts[0] == "data" and parts[1] in per_site else ""


def last_versions(commits: Iterable[Sequence[Output]]) -> set[str]:
    """The newest version of every irreplaceable path; `commits` come newest first."""
    seen: dict[str, str] = {}
    for outputs in commits:
        for output in outputs:
            if output.is_irreplaceable:
                seen.setdefault(output.path, output.oid)
    return set(seen.values())
