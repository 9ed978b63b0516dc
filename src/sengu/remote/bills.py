"""The contents of a remote and a price list -> size and monthly cost, by class, site, dataset version and kind. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sengu.base.params import Prices, StoragePrice
from sengu.remote.pins import Pin
from sengu.remote.pruning import site_of
from sengu.remote.stored import Stored

GB = 1_000_000_000
KINDS = {
    "data/raw": "archives", "data/failed": "archives", "data/dataset": "datasets", "data/pixels": "arrays",
    "data/features": "arrays", "data/embeddings": "arrays", "models": "models", "reports": "reports", "data": "tables",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line of a bill: objects, bytes, and their monthly cost."""

    objects: int = 0
    size: int = 0
    cost: float = 0.0

    def __add__(self, other: "Line") -> "Line":
        return Line(self.objects + other.objects, self.size + other.size, self.cost + other.cost)


@dataclass(frozen=True)
class Bill:
    """A bill: lines by heading and name; `requests` has the cost of one check, push and pull of everything."""

    total: Line
    by: Mapping[str, Mapping[str, Line]]
    requests: Mapping[str, float]
    currency: str
    unpriced: tuple[str, ...] = ()  # storage classes that the price list does not have

    def as_dict(self) -> dict[str, Any]:
        by = {heading: {name: asdict(line) for name, line in lines.items()} for heading, lines in self.by.items()}
        return {"total": asdict(self.total), "by": by, "requests": dict(self.requests), "currency": self.currency}


def bill(
    present: Iterable[Stored],
    old_versions: Iterable[int],
    pins: Mapping[str, Pin],
    prices: Prices,
    unfinished: Iterable[int] = (),
) -> Bill:
    """The bill of a month.

    `old_versions` are the sizes of what is kept of overwritten and deleted objects, `unfinished` those of uploads only begun.
    """
    lines: dict[str, dict[str, Line]] = {"storage class": {}, "kind": {}, "site": {}, "dataset version": {}}
    total, unpriced, everything = Line(), set(), list(present)
    for stored in everything:
        if stored.storage_class not in prices.classes:
            unpriced.add(stored.storage_class)
        line = Line(1, stored.size, cost(stored.size, price_of(stored.storage_class, prices)))
        total += line
        pin = pins.get(stored.oid)
        _count(lines["storage class"], stored.storage_class, line)
        _count(lines["kind"], kind_of(pin), line)
        _count(lines["site"], next((s for path in sorted(pin.paths) if (s := site_of(path))), "-") if pin else "-", line)
        for version in (pin.versions if pin else []) or ["-"]:
            _count(lines["dataset version"], version, line)
    for name, sizes in (("old versions", old_versions), ("unfinished uploads", unfinished)):
        for size in sizes:
            line = Line(1, size, cost(size, price_of("STANDARD", prices)))
            total += line
            _count(lines["kind"], name, line)
    gigabytes = sum(stored.size for stored in everything) / GB
    retrieval = sum(stored.size / GB * price_of(stored.storage_class, prices).retrieval for stored in everything)
    requests = {
        "a check": len(everything) / 1000 * prices.write / 1000,
        "a push of everything": len(everything) * prices.write / 1000,
        "a pull of everything": len(everything) * prices.read / 1000
        + max(0.0, gigabytes - prices.free_transfer) * prices.transfer
        + retrieval,
    }
    return Bill(total, lines, requests, prices.currency, tuple(sorted(unpriced)) if prices.classes else ())


def cost(size: int, price: StoragePrice) -> float:
    """The monthly cost of an object."""
    return max(size, price.floor) / GB * price.month + price.objects / 1000


def price_of(storage_class: str, prices: Prices) -> StoragePrice:
    return prices.classes.get(storage_class, prices.classes.get("STANDARD", StoragePrice(month=0.0)))


def kind_of(pin: Pin | None) -> str:
    if pin is None:
        return "pinned by nothing"
    path = min(pin.paths)
    return next((kind for prefix, kind in KINDS.items() if path == prefix or path.startswith(f"{prefix}/")), "other")


def _count(lines: dict[str, Line], name: str, line: Line) -> None:
    lines[name] = lines.get(name, Line()) + line


def human(size: float) -> str:
    """A number of bytes for people, in steps of 1,000."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
