"""Annotation sheets and known objects -> words: who labelled which object how, when and by which rule."""

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.base.tables import letters
from sengu.labels.sheets import Sheet, read, repeated

IMPORT, MODEL = "import", "model"
HOW = ("blind", "suggested", "page", "group", "repeat", "quiz", IMPORT, MODEL)
RULE = re.compile(r"[Rr](?P<number>[0-9]{1,6})(@(?P<hash>[0-9a-fA-F]{8,64}))?")
DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|z|[+-]\d\d(:?\d\d)?)?)?")
PLAIN_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z")
SECOND = "2026-01-01T00:00:00Z"  # how a date to the second is written
FIRST = np.datetime64("0001-01-01", "us").astype(np.int64)  # before it, numpy knows dates and Python does not
SHOWN = 50  # faults; a file of another kind has one in each line
SLACK = timedelta(days=1)  # clocks and time zones of others
BEFORE_ALL = np.iinfo(np.int64).min  # the time of a word without a date
NONE = -1  # the value of a word that takes a label back
NO_CLASS = -2  # the value of a word that says that no class fits
NO_CLASS_CELL = "-"  # how a sheet writes that

Cell = TypeVar("Cell", int, str)

logger = logging.getLogger("label")


@dataclass(frozen=True)
class Known:
    """Names for sheets: `objects` has objectId, filename, video; `rejected` has filename, reason; `erased` are SHA-1s."""

    objects: pd.DataFrame
    rejected: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"filename": [], "reason": []}, dtype="str"))
    erased: Collection[str] = ()

    @classmethod
    def of(cls, captures: pd.DataFrame, index: pd.DataFrame, rejected: pd.DataFrame, erased: Collection[str]) -> "Known":
        """Names from the tables of all sites, each with a column site."""
        names = captures[["site", "urlId", "filename"]]
        if (names["filename"] != "").any():
            objects = index[["site", "objectId", "urlId", "video"]].merge(names, on=["site", "urlId"])
        else:  # as of sites that were crawled
            objects = index.assign(filename="")
        refused = rejected[["site", "urlId", "reason"]].merge(names, on=["site", "urlId"])
        return cls(objects[["objectId", "filename", "video"]], refused[["filename", "reason"]], erased)


def words(paths: Iterable[Path], known: Known, classes: Sequence[str]) -> pd.DataFrame:
    """One row for each object that a line names, in the order of the sheets and lines.

    objectId; value, the number of the class, NO_CLASS, or NONE where the label is taken back; annotator, by default the sheet's
    name; labelledAt, in UTC or empty, and time, the same in microseconds; rule, how, note, subject; sheet and line; and object,
    a number that stands for objectId in this frame.
    A value is a class, its number, or NO_CLASS_CELL, which means the same as an empty value with a date and `how`. The file
    name of a video stands for its frames too. Lines that name a rejected or an erased picture are counted in the log, with the
    reasons. Raises SenguError with all lines that are wrong.
    """
    table, faults = look(paths, known, classes)
    if faults:
        listed = faults if len(faults) <= SHOWN else [*faults[:SHOWN], f"… and {len(faults) - SHOWN} more"]
        raise SenguError(listed[0] if len(faults) == 1 else "\n  ".join([f"{len(faults)} lines of sheets are wrong:", *listed]))
    return table


def look(paths: Iterable[Path], known: Known, classes: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """The words of all correct lines, and the faults of the others, as "FILE:LINE: reason and cure"."""
    reader = _Reader(known, classes)
    parts = [reader.words(read(path)) for path in paths]
    table = pd.concat(parts, ignore_index=True) if parts else _none()
    return table, [*reader.faults, *_same_people(table)]


def _none() -> pd.DataFrame:
    texts = ("objectId", "annotator", "labelledAt", "rule", "how", "note", "subject", "sheet")
    return pd.DataFrame({name: pd.array([], dtype="str") for name in texts}).assign(
        **{name: np.array([], np.int64) for name in ("object", "value", "time", "line")}
    )


def _same_people(table: pd.DataFrame) -> list[str]:
    """Faults of annotators: one name in two spellings, and two labels of an object by one person at one time in two sheets."""
    faults = []
    spellings: dict[str, str] = {}
    for name in table["annotator"].unique():
        other = spellings.setdefault(name.casefold(), name)
        if other != name:
            sheet, line = table.loc[table["annotator"] == name, ["sheet", "line"]].iloc[0]
            faults.append(
                f"{sheet}:{line}: annotator {name!r} is spelled {other!r} elsewhere: use one spelling or, for two people, two "
                "different names"
            )
    sheets_of = table[["annotator", "sheet"]].drop_duplicates()["annotator"].value_counts()
    dated = table[(table["labelledAt"] != "") & table["annotator"].isin(sheets_of.index[sheets_of > 1])]
    twice = dated[dated.duplicated(["object", "annotator", "time"], keep=False)]
    for (name, annotator, _), group in twice.groupby(["objectId", "annotator", "time"], sort=False):
        if group["value"].nunique() > 1 and group["sheet"].nunique() > 1:
            first, second = group.drop_duplicates("sheet").head(2).itertuples()
            faults.append(
                f"{second.sheet}:{second.line}: annotator {annotator!r} gives {name} two different labels at "
                f"{second.labelledAt}, here and in {first.sheet}:{first.line}: an annotator is one person with one sheet; if "
                "these are two people, rename one"
            )
    return faults


def written(times: np.ndarray) -> np.ndarray:
    """Microseconds since 1970 as ISO 8601 in UTC, to the second; empty for BEFORE_ALL."""
    stamps = np.where(times == BEFORE_ALL, 0, times).astype("datetime64[us]").astype("datetime64[s]")
    texts = np.datetime_as_string(stamps, timezone="UTC").astype(object)
    return np.where(times == BEFORE_ALL, "", texts)


class _Reader:
    """A reader of sheets that gives words and collects `faults`."""

    def __init__(self, known: Known, classes: Sequence[str]):
        self.erased = known.erased
        self.different = known.objects["objectId"].drop_duplicates()
        self.ids = pd.Index(self.different)
        self.lower = pd.Index([])
        named = known.objects[known.objects["filename"] != ""].drop_duplicates()
        self.named = named.assign(filename=_nfc(named["filename"]))
        whole = self.named[self.named["video"] == ""].drop_duplicates(["filename", "objectId"])
        self.several = whole["filename"].value_counts().loc[lambda counts: counts > 1].to_dict()
        refused = known.rejected.assign(filename=_nfc(known.rejected["filename"]))
        self.refused = dict(zip(refused["filename"], refused["reason"], strict=True))
        self.numbers = {str(number): number for number in range(len(classes))}
        self.numbers |= {NO_CLASS_CELL: NO_CLASS} | {_composed(name): number for number, name in enumerate(classes)} | {"": NONE}
        self.choices = ", ".join([*classes, *map(str, range(len(classes)))]) + f", or {NO_CLASS_CELL} if no class fits"
        self.latest = datetime.now(UTC) + SLACK
        self.faults: list[str] = []

    def words(self, sheet: Sheet) -> pd.DataFrame:
        self.faults += sheet.faults
        cells = sheet.cells
        self._check_one_annotator(sheet)
        row, places, wrong = self._objects(sheet)
        value = self._numbers(sheet, "value", wrong, self._value, NONE)
        rule = self._texts(sheet, "rule", wrong, self._rule)
        how = self._texts(sheet, "how", wrong, self._how)
        time, labelled_at = self._times(sheet, wrong)
        keep = ~wrong[row]
        row, places = row[keep], places[keep]
        annotator = cells["annotator"].where(cells["annotator"] != "", sheet.path.stem)
        if without := int((cells["value"] == "").sum()):
            logger.info("%s: %s without a value", sheet.path, counted(without, "line"))
        columns = {
            "value": value, "annotator": annotator.array, "labelledAt": labelled_at, "time": time,
            "rule": rule, "how": how, "note": cells["note"].array, "subject": cells["subject"].array, "line": sheet.lines,
        }  # fmt: skip
        if not np.array_equal(row, np.arange(len(cells))):
            columns = {name: column.take(row) for name, column in columns.items()}
        columns |= {"sheet": repeated(str(sheet.path), len(row)), "object": places}
        table = _without_blanks(pd.DataFrame({"objectId": self.ids.array.take(places), **columns}))
        is_decision = (table["value"] == NONE) & (table["how"] != "") & (table["how"] != MODEL) & (table["labelledAt"] != "")
        return table.assign(value=table["value"].mask(is_decision, NO_CLASS)) if is_decision.any() else table

    def _fault(self, sheet: Sheet, row: int, reason: str) -> None:
        self.faults.append(f"{sheet.path}:{sheet.lines[row]}: {reason}")

    def _check_one_annotator(self, sheet: Sheet) -> None:
        names = sheet.cells["annotator"].reset_index(drop=True)
        people = names[names != ""].drop_duplicates()
        rows = people.index.to_numpy()
        if len(people) > 1:
            lines = [f"{name} (line {sheet.lines[row]})" for row, name in zip(rows[:2], people, strict=False)]
            self.faults.append(
                f"{sheet.path}:{sheet.lines[rows[1]]}: the sheet names {len(people)} annotators, "
                f"{' and '.join(lines)}: give each of them a separate sheet; `sengu label import` splits such a file"
            )

    def _numbers(self, sheet: Sheet, column: str, wrong: np.ndarray, convert: Callable[[str], int], nothing: int) -> np.ndarray:
        codes, results = self._converted(sheet, column, wrong, convert, nothing)
        numbers: np.ndarray = np.array(results, dtype=np.int64)[codes]
        return numbers

    def _texts(self, sheet: Sheet, column: str, wrong: np.ndarray, convert: Callable[[str], str]) -> ExtensionArray:
        codes, results = self._converted(sheet, column, wrong, convert, "")
        return pd.array(results, dtype="str").take(codes)

    def _converted(
        self, sheet: Sheet, column: str, wrong: np.ndarray, convert: Callable[[str], Cell], nothing: Cell
    ) -> tuple[np.ndarray, list[Cell]]:
        """Applies `convert` to the different cells: the place of each row's result, and the results.

        Rows whose cell raises ValueError get `nothing`, and become `wrong` and faults.
        """
        codes, different = pd.factorize(sheet.cells[column])
        results = []
        bad = {}
        for number, cell in enumerate(different.tolist()):
            try:
                results.append(convert(cell))
            except ValueError as error:
                bad[number] = str(error)
                results.append(nothing)
        if bad:
            for row in np.flatnonzero(np.isin(codes, list(bad))).tolist():
                if not wrong[row]:
                    self._fault(sheet, row, bad[codes[row]])
                    wrong[row] = True
        return codes, results

    def _value(self, cell: str) -> int:
        if cell not in self.numbers:
            raise ValueError(f"value {cell!r} is not a class: expected one of {self.choices}")
        return self.numbers[cell]

    def _rule(self, cell: str) -> str:
        if not cell:
            return ""
        match = RULE.fullmatch(cell)
        if match is None:
            raise ValueError(f"rule is {cell!r}: write its number, as R3, or with the hash of its text, as R3@1f2e3d4c")
        return f"R{int(match['number'])}" + (f"@{match['hash'].lower()}" if match["hash"] else "")

    def _how(self, cell: str) -> str:
        if cell and cell.lower() not in HOW:
            raise ValueError(f"how is {cell!r}: expected one of {', '.join(HOW)}, or nothing")
        return cell.lower()

    def _times(self, sheet: Sheet, wrong: np.ndarray) -> tuple[np.ndarray, ExtensionArray]:
        """Microseconds since 1970 of each row, and the same as `written`."""
        cells = sheet.cells["labelledAt"]
        plain = self._whole_seconds(cells)
        if plain is not None:
            return plain, cells.array
        plain = self._plain_times(cells)
        time = self._numbers(sheet, "labelledAt", wrong, self._time, BEFORE_ALL) if plain is None else plain
        return time, pd.array(written(time).tolist(), dtype="str")

    def _whole_seconds(self, cells: pd.Series) -> np.ndarray | None:
        """The times of dates such as SECOND; None if one is another, or wrong."""
        spelled = letters.of(cells, len(SECOND)) if len(cells) else None
        if spelled is None:
            return None
        model = np.frombuffer(SECOND.encode(), np.uint8)
        is_digit = np.char.isdigit(np.array(list(SECOND)))
        if (spelled[:, ~is_digit] != model[~is_digit]).any() or (spelled[:, is_digit] - ord("0") > 9).any():  # below 0 wraps
            return None
        try:
            stamps = np.ascontiguousarray(spelled[:, :-1]).view(f"S{len(SECOND) - 1}").ravel().astype("datetime64[us]")
        except ValueError:  # as for 30 February
            return None
        times = stamps.astype(np.int64)
        return times if times.min() >= FIRST and times.max() <= self.latest.timestamp() * 1e6 else None

    def _plain_times(self, cells: pd.Series) -> np.ndarray | None:
        """The times of dates as `sengu` writes them, with or without milliseconds; None if one is another, or wrong."""
        if not len(cells) or not cells.str.fullmatch(PLAIN_DATE.pattern).all():
            return None
        try:
            times = pd.to_datetime(cells, format="ISO8601", utc=True).dt.as_unit("us").astype("int64").to_numpy()
        except ValueError:  # as for 30 February
            return None
        return None if times.max() > self.latest.timestamp() * 1e6 else times

    def _time(self, cell: str) -> int:
        if not cell:
            return BEFORE_ALL
        try:
            if DATE.fullmatch(cell) is None:
                raise ValueError
            when = datetime.fromisoformat(cell)
        except ValueError:
            raise ValueError(f"labelledAt is {cell!r}: write it as 2026-11-27T09:30:00Z, or leave it empty") from None
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
        if when > self.latest:
            raise ValueError(f"labelledAt is {cell!r}, which lies in the future: correct it, or the clock of this machine")
        return round(when.timestamp()) * 1_000_000 + when.microsecond if not when.microsecond else int(when.timestamp() * 1e6)

    def _objects(self, sheet: Sheet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows and the places in `ids` of the objects that they name, a row several times for a video; and which name none."""
        cells, filename = sheet.cells["objectId"], sheet.cells["filename"]
        codes, _ = pd.factorize(pd.concat([self.different, cells], ignore_index=True))  # quicker than get_indexer
        places = codes[len(self.ids) :]
        places[places >= len(self.ids)] = -1
        wrong = np.zeros(len(cells), dtype=bool)
        passed: Counter[str] = Counter()
        by_name: list[tuple[int, str]] = []
        by_file = ((cells == "") & (filename != "")).to_numpy()
        for row in np.flatnonzero((places < 0) & ~by_file).tolist():
            name = cells.iloc[row]
            if name.partition(".")[0].lower() in self.erased:
                passed["erased"] += 1
                wrong[row] = True
                continue
            try:
                by_name.append((row, self._named(name, "objectId" if name or not (filename != "").any() else "filename")))
            except ValueError as error:
                self._fault(sheet, row, str(error))
                wrong[row] = True
        if by_name:
            places[[row for row, _ in by_name]] = self.ids.get_indexer([text for _, text in by_name])
        rows = np.flatnonzero((places >= 0) & ~wrong)
        if (filename != "").any():
            more = self._files(sheet, places, wrong, passed)
            rows = rows[~wrong[rows]]
            objects = np.concatenate([places[rows], more[1]])
            rows = np.concatenate([rows, more[0]])
            order = np.argsort(rows, kind="stable")
            rows, objects = rows[order], objects[order]
        else:
            objects = places[rows]
        for reason, count in sorted(passed.items()):
            lines = counted(count, "line")
            logger.warning("%s: %s ignored, because the picture was rejected or erased: %s", sheet.path, lines, reason)
        return rows, objects, wrong

    def _named(self, name: str, column: str) -> str:
        """The object that a text names, also in upper case or without extension. Raises ValueError."""
        text = name.lower()
        if text in self.ids:
            return text
        if len(text) == 40:
            if not len(self.lower):
                self.lower = pd.Index(self.ids.str.slice(0, 40))
            same = self.ids[self.lower == text]
            if len(same) == 1:
                return str(same[0])
            if len(same) > 1:
                raise ValueError(f"objectId {name!r} is one of {', '.join(same)}: write the extension")
        raise ValueError(f"no object has the {column} {name!r}: correct the sheet, or crawl the site it comes from")

    def _files(self, sheet: Sheet, places: np.ndarray, wrong: np.ndarray, passed: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
        """Rows and places of objects by file name, of rows without an object id; checks the file name of those with both."""
        filename = sheet.cells["filename"]
        rows = np.flatnonzero((filename != "").to_numpy() & ~wrong)
        asked = pd.DataFrame({"row": rows, "filename": filename.to_numpy()[rows]})
        joined = asked.merge(self.named[["filename", "objectId"]].drop_duplicates(), on="filename", how="left")
        both = places[joined["row"]] >= 0
        given = pd.Series(self.ids.to_numpy()[places[joined["row"]]] if len(self.ids) else None, joined.index)
        equal = joined.assign(equal=joined["objectId"] == given)[both].groupby("row")["equal"].any()
        for row in equal.index[~equal]:
            name, file = self.ids[places[row]], filename.iloc[row]
            theirs = joined.loc[joined["row"] == row, "objectId"].dropna()
            what = f"which is {theirs.iloc[0]}" if len(theirs) else "which no object has"
            self._fault(sheet, row, f"objectId {name} and filename {file!r}, {what}, are different pictures: correct one of them")
            wrong[row] = True
        alone = joined[~both]
        unknown = alone[alone["objectId"].isna()]
        for row, name in zip(unknown["row"], unknown["filename"], strict=True):
            wrong[row] = True
            if name in self.refused:
                passed[self.refused[name]] += 1
            else:
                self._fault(
                    sheet, row, f"no object has the filename {name!r}: correct the sheet, or crawl the site it comes from"
                )
        alone = alone[alone["objectId"].notna()]
        if self.several:
            for row, name in (
                alone.loc[alone["filename"].isin(list(self.several)), ["row", "filename"]].drop_duplicates().to_numpy()
            ):
                self._fault(sheet, row, f"{self.several[name]} objects have the filename {name!r}: use the column objectId")
                wrong[row] = True
            alone = alone[~wrong[alone["row"]]]
        return alone["row"].to_numpy(), self.ids.get_indexer(alone["objectId"])


def _without_blanks(table: pd.DataFrame) -> pd.DataFrame:
    """Words without the lines of a sheet that is being filled in: no value, no date, and nothing above them to take back."""
    blank = (table["value"] == NONE) & (table["labelledAt"] == "")
    if not blank.any():
        return table
    return table[~blank | table.duplicated(["object", "annotator"])].reset_index(drop=True)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _nfc(texts: pd.Series) -> pd.Series:
    values = texts.tolist()
    if all(map(str.isascii, values)):
        return texts
    return pd.Series(list(map(_composed, values)), texts.index, dtype="str")
