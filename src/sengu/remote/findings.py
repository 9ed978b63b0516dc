"""Pinned and stored objects of a remote -> findings: missing, damaged or cold, who needs it, and the cure. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sengu.remote.pins import Pin
from sengu.remote.stored import COLD, Stored, md5_of

MISSING, DAMAGED, COLD_STATE = "missing", "damaged", "cold"
RIGHT, UNREAD = "right", "unread"  # states without a finding: verified, or not yet
SHOWN = 3  # refs of a kind in a cell of the table


@dataclass(frozen=True)
class Finding:
    """One missing, damaged or cold object of one remote."""

    state: str
    oid: str
    remote: str
    pin: Pin
    detail: str = ""
    is_cached: bool = False  # is there a file of that name in the local cache?

    @property
    def worth(self) -> str:
        return "irreplaceable" if self.pin.is_irreplaceable else "rebuildable"

    @property
    def cure(self) -> str:
        """The command that cures it."""
        if self.state == COLD_STATE:
            return f"sengu remote thaw {min(self.pin.paths)}"
        if self.is_cached:
            return "sengu remote heal"
        return "sengu remote heal; or a clone that has it" if self.pin.is_irreplaceable else "sengu remote heal --rebuild"

    def as_dict(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "worth": self.worth,
            "remote": self.remote,
            "oid": self.oid,
            "paths": sorted(self.pin.paths),
            "stage": self.pin.stage,
            "branches": self.pin.branches,
            "commits": self.pin.commits,
            "tags": self.pin.tags,
            "versions": self.pin.versions,
            "models": self.pin.models,
            "detail": self.detail,
            "cure": self.cure,
        }


def judge(oid: str, size: int, stored: Stored | None) -> tuple[str, str]:
    """The state of an object by a listing, and the reason; UNREAD if the listing does not show the content."""
    if stored is None:
        return MISSING, ""
    if size >= 0 and stored.size != size:
        return DAMAGED, f"{stored.size} bytes, expected {size}"
    if stored.storage_class in COLD:
        return COLD_STATE, stored.storage_class
    if not stored.etag or stored.is_composite:
        return UNREAD, ""
    return (RIGHT, "") if stored.etag == md5_of(oid) else (DAMAGED, f"content has MD5 {stored.etag}")


def table(findings: Sequence[Finding]) -> str:
    """The findings for a person, the irreplaceable ones first."""
    rows = [("state", "worth", "remote", "path", "stage", "needed by", "versions", "models", "cure")]
    for finding in sorted(findings, key=lambda f: (f.worth, f.state, f.remote, min(f.pin.paths))):
        needed_by = [*finding.pin.branches, *finding.pin.tags]
        path = min(finding.pin.paths) + (f" (+{len(finding.pin.paths) - 1})" if len(finding.pin.paths) > 1 else "")
        pin = finding.pin
        rows.append(
            (
                finding.state,
                finding.worth,
                finding.remote,
                path,
                pin.stage,
                _few(needed_by),
                _few(pin.versions),
                _few(pin.models),
                finding.cure,
            )
        )
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text in columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" (+{len(names) - SHOWN})" if len(names) > SHOWN else "") if names else "-"


def copies(states: Mapping[str, Mapping[str, str]], devices: Mapping[str, str]) -> dict[str, int]:
    """The number of independent copies of each object, by its state in each remote and the devices that the remotes stand on."""
    counts: dict[str, int] = {}
    for oid in {oid for of_remote in states.values() for oid in of_remote}:
        places = {devices[remote] for remote, of_remote in states.items() if of_remote.get(oid) not in (None, MISSING, DAMAGED)}
        counts[oid] = len(places)
    return counts
