"""Revisit records and the records of a site -> the answers that they refer to.

A crawler that has an answer already writes a revisit record instead (WARC 1.1, 6.7): "the same as there", by address and date,
by record id, or by digest alone. The record "there" must be found in the files of the site.
"""

from collections.abc import Iterable
from dataclasses import replace

from sengu.warc.archive import Entry
from sengu.warc.reading import Name, digest, record_id

SECOND = len("2013-10-05T20:00:00")  # some dates have fractions, and revisits may cite them without


class Originals:
    """The answers of a site, by the names that a revisit record may use."""

    def __init__(self, entries: Iterable[tuple[Entry, Name]]):
        self.by_url: dict[str, list[Entry]] = {}
        self.by_record: dict[str, list[Entry]] = {}
        self.by_payload: dict[str, list[Entry]] = {}
        self.payloads: dict[Entry, str] = {}
        self.revisits: dict[str, list[Entry]] = {}  # by URL; another one may refer to a revisit in the place of its answer
        for entry, name in entries:
            if entry.refers:
                self.revisits.setdefault(entry.url, []).append(entry)
                continue
            self.by_url.setdefault(entry.url, []).append(entry)
            if name.record:
                self.by_record.setdefault(name.record, []).append(entry)
            if name.payload:
                self.by_payload.setdefault(name.payload, []).append(entry)
                self.payloads[entry] = name.payload

    def answer(self, revisit: Entry) -> Entry | None:
        """The answer that a revisit record refers to, with the URL and date of the revisit; None if it is not here."""
        original, step, known = self._original(revisit), revisit, {revisit}
        while original is None and not step.header("WARC-Payload-Digest"):
            url = step.header("WARC-Refers-To-Target-URI").strip("<> ") or step.url
            others = [entry for entry in self.revisits.get(url, []) if entry not in known]
            if not others:
                break
            step = others[-1]
            known.add(step)
            original = self._original(step)
        return None if original is None else replace(original, url=revisit.url, fetched=revisit.fetched)

    def _original(self, revisit: Entry) -> Entry | None:
        url, date = revisit.header("WARC-Refers-To-Target-URI").strip("<> "), revisit.header("WARC-Refers-To-Date")
        payload, record = digest(revisit.header("WARC-Payload-Digest")), record_id(revisit.header("WARC-Refers-To"))
        at_url = self.by_url.get(url or revisit.url, [])
        that_day = [entry for entry in at_url if date and entry.fetched[:SECOND] == date[:SECOND]]
        candidates = [
            *that_day,
            *self.by_record.get(record, []),
            *([] if date else _latest_first(at_url, revisit.fetched)),
            *_latest_first(self.by_payload.get(payload, []), revisit.fetched),
        ]
        if payload:
            # a reference with another digest is wrong
            candidates = [entry for entry in candidates if self._may_have(entry, payload)]
        return candidates[0] if candidates else None

    def _may_have(self, entry: Entry, payload: str) -> bool:
        """True if an answer may have this payload. Digests of two algorithms cannot be compared."""
        own = self.payloads.get(entry, "")
        return own == payload or own.partition(":")[0] != payload.partition(":")[0]


def _latest_first(entries: Iterable[Entry], date: str) -> list[Entry]:
    """Sorts those not after a date first, the latest first, then the others; whatever has no date is last."""
    ordered = sorted(entries, key=lambda entry: entry.fetched, reverse=True)
    return [entry for entry in ordered if entry.fetched <= date] + [entry for entry in ordered if entry.fetched > date]


def explained(revisit: Entry) -> str:
    """The record that a revisit refers to, in words."""
    url, date = revisit.header("WARC-Refers-To-Target-URI").strip("<> "), revisit.header("WARC-Refers-To-Date")
    record, payload = revisit.header("WARC-Refers-To"), revisit.header("WARC-Payload-Digest")
    there = f"{url or revisit.url}{f' of {date}' if date else ''}" if url or date else record or payload or "an earlier answer"
    return f"a revisit of {there}, which none of the files holds"
