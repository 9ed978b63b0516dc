"""Sheets that are written line by line, killed, torn and changed by others."""

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from labels.said import CLASSES, KNOWN, A, B, C

from sengu.base.errors import SenguError
from sengu.labels import words
from sengu.labels.ledger import Ledger, Word
from sengu.labels.merging import latest
from sengu.labels.sheets import COLUMNS, cells, sheets

HEADER = ",".join(COLUMNS) + "\n"
KILLS = 1000 if os.environ.get("SENGU_SOAK") else 50


def ledger(folder: Path, name: str = "anna") -> Ledger:
    return Ledger(folder / f"{name}.csv", name, CLASSES)


def lines(folder: Path, name: str = "anna") -> list[str]:
    return (folder / f"{name}.csv").read_text().splitlines()[1:]


def values(folder: Path) -> dict[str, int]:
    """What the pipeline makes of the sheets."""
    table = latest(words.words(sheets(folder), KNOWN, CLASSES))
    return dict(zip(table["objectId"], table["value"], strict=True))


def test_a_label_is_a_line_that_the_pipeline_reads(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    assert not (tmp_path / "anna.csv").exists()
    book.append([Word(A, "dots", "R1@de59af3f", "blind", 'a "note",\nof two lines\x00')])
    (line,) = lines(tmp_path)
    assert line.startswith(f"{A},dots,anna,20")
    assert line.endswith('Z,R1@de59af3f,blind,"a ""note"", of two lines"')
    assert values(tmp_path) == {A: 0}


def test_one_write_and_one_fsync_for_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = ledger(tmp_path)
    book.append([Word(C, "dots", how="blind")])
    calls = []
    for name in ("write", "fsync"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, real=real: (calls.append(name), real(*given))[1])
    book.append([Word(A, "dots", how="page"), Word(B, "dots", how="page")])
    assert calls == ["write", "fsync"]


def test_a_look_makes_no_sheet_and_an_empty_one_gets_its_header(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    assert (book.undo(), book.refresh()) == ([], False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "anna.csv").touch()
    ledger(tmp_path).append([Word(A, "dots")])
    assert values(tmp_path) == {A: 0}


def test_undo_writes_what_stood_before_and_has_no_end(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    for word in (Word(A, "dots", how="blind"), Word(A, "stripes", how="suggested"), Word(B, "dots", how="blind")):
        book.append([word])
    assert [change.after.objectId for change in book.undo()] == [B]
    assert book.undo()[0].after == Word(A, "dots", how="blind")
    assert values(tmp_path) == {A: 0, B: -1}
    assert book.undo()[0].after == Word(A, "")
    assert book.undo() == []
    assert values(tmp_path) == {A: -1, B: -1}
    assert len(lines(tmp_path)) == 6


def test_undo_goes_on_after_a_restart_and_takes_a_page_as_a_whole(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.append([Word(C, "stripes", how="blind")])
    book.append([Word(A, "dots", how="page"), Word(B, "dots", how="page"), Word(C, "dots", how="page")])
    book.append([Word(B, "stripes", how="blind")])
    book = ledger(tmp_path)
    assert [change.after.value for change in book.undo()] == ["dots"]
    book = ledger(tmp_path)
    assert {change.after.objectId: change.after.value for change in book.undo()} == {A: "", B: "", C: "stripes"}
    book = ledger(tmp_path)
    assert [change.after for change in book.undo()] == [Word(C, "")]
    assert not ledger(tmp_path).can_undo
    assert set(values(tmp_path).values()) == {-1}


def test_a_page_with_corrections_is_taken_back_as_a_whole_after_a_restart(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    for value in CLASSES:
        book.append([Word(C, value, how="suggested")])  # at the keyboard, many in a second
    book.append([Word(A, "dots", how="page"), Word(B, "stripes", how="suggested"), Word(C, "dots", how="page")])
    book.append([Word(A, "stripes", how="suggested"), Word(B, "dots", how="suggested")])  # every picture was corrected
    for expected in ({A: "dots", B: "stripes"}, {A: "", B: "", C: CLASSES[1]}, {C: CLASSES[0]}, {C: ""}):
        book = ledger(tmp_path)
        assert {change.after.objectId: change.after.value for change in book.undo()} == expected
    assert not ledger(tmp_path).can_undo


def test_a_page_by_an_earlier_sengu_is_taken_back_as_a_whole(tmp_path: Path) -> None:
    hows = {A: "page", B: "suggested", C: "page"}
    text = "".join(f"{name},dots,anna,2026-01-01T00:00:00Z,,{how},\n" for name, how in hows.items())
    (tmp_path / "anna.csv").write_text(HEADER + text)
    assert len(ledger(tmp_path).undo()) == 3


def test_a_page_that_shows_a_picture_twice_takes_back_nothing_more(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.append([Word(C, "dots", how="blind")])
    book.append([Word(A, "dots", how="page"), Word(B, "dots", how="page"), Word(A, "stripes", how="suggested")])
    book.undo()
    for again in (book, ledger(tmp_path)):
        assert [word.objectId for word in again.standing.values() if word.value] == [C]
        assert (again.labelled, again.can_undo) == (1, True)


def test_a_note_cannot_pass_for_an_undone_line(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.append([Word(A, "dots", note="(undone) is what I write")])
    assert ledger(tmp_path).can_undo


def test_a_clock_that_was_set_back_undoes_nothing(tmp_path: Path) -> None:
    later = f"{time.gmtime().tm_year + 1}-01-01T00:00:00Z"
    (tmp_path / "anna.csv").write_text(f"{HEADER}{A},dots,anna,{later},,blind,\n")
    ledger(tmp_path).append([Word(A, "stripes", how="blind")])
    assert lines(tmp_path)[1].startswith(f"{A},stripes,anna,{later.replace('Z', '.001Z')}")


@pytest.mark.parametrize(
    "torn", [f"{B},do", f'{B},dots,anna,2026-01-01T00:00:00Z,,blind,"a no', "\0\0\0\0", f"{B},dots,ann\udce9"]
)
def test_a_torn_last_line_is_kept_aside(tmp_path: Path, torn: str) -> None:
    whole = f"{HEADER}{A},dots,anna,2026-01-01T00:00:00Z,,blind,\n"
    (tmp_path / "anna.csv").write_bytes((whole + torn).encode("utf-8", "surrogateescape"))
    book = ledger(tmp_path)
    assert (tmp_path / "anna.csv").read_text() == whole
    assert (tmp_path / ".anna.csv.torn").read_bytes() == (torn + "\n").encode("utf-8", "surrogateescape")
    book.append([Word(C, "stripes", how="blind")])
    assert values(tmp_path) == {A: 0, C: 1}


def test_a_whole_last_line_without_its_end_stays(tmp_path: Path) -> None:
    text = f'{HEADER}{A},dots,anna,2026-01-01T00:00:00Z,,blind,"two\nlines"'
    (tmp_path / "anna.csv").write_text(text)
    ledger(tmp_path).append([Word(B, "dots", how="blind")])
    assert (tmp_path / "anna.csv").read_text().startswith(text + "\n" + B)
    assert not (tmp_path / ".anna.csv.torn").exists()


def test_a_full_disk_leaves_the_sheet_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = ledger(tmp_path)
    book.append([Word(A, "dots")])
    before = (tmp_path / "anna.csv").read_bytes()
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    with pytest.raises(OSError, match="No space left") as caught:
        book.append([Word(B, "dots")])
    assert caught.value.filename == str(tmp_path / "anna.csv")
    assert (tmp_path / "anna.csv").read_bytes() == before
    assert B not in book.standing


def test_a_file_that_git_put_in_its_place_is_noticed_and_loses_nothing(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.append([Word(A, "dots", how="blind")])
    pulled = tmp_path / "pulled"
    pulled.write_text((tmp_path / "anna.csv").read_text() + f"{B},stripes,anna,2026-01-01T00:00:00Z,,blind,\n")
    pulled.replace(tmp_path / "anna.csv")
    assert book.changed == 0
    book.append([Word(C, "dots", how="blind")])
    assert book.changed == 1
    assert book.standing[B].value == "stripes"
    assert values(tmp_path) == {A: 0, B: 1, C: 0}
    assert not book.refresh()
    with (tmp_path / "anna.csv").open("a") as stream:
        stream.write(f"{B},,anna,2026-01-01T00:00:00Z,,blind,\n")
    assert book.refresh()
    assert book.standing[B].value == ""


def test_a_sheet_that_is_replaced_while_a_label_is_written_gets_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = ledger(tmp_path)
    book.append([Word(A, "dots", how="blind")])
    pulled = (tmp_path / "anna.csv").read_text() + f"{B},stripes,anna,2026-01-01T00:00:00Z,,blind,\n"
    real = os.fsync
    pulls = [pulled]

    def fsync(descriptor: int) -> None:
        real(descriptor)
        if pulls:  # Git puts its file there, after the look and before the label is called saved
            (tmp_path / "pulled").write_text(pulls.pop())
            (tmp_path / "pulled").replace(tmp_path / "anna.csv")

    monkeypatch.setattr(os, "fsync", fsync)
    book.append([Word(C, "dots", how="blind")])
    assert values(tmp_path) == {A: 0, B: 1, C: 0}
    assert (book.changed, book.standing[B].value, book.labelled) == (1, "stripes", 3)
    pulls.append(pulled)
    assert [change.after.objectId for change in book.undo()] == [B]  # what was done last in the sheet that is there now
    assert values(tmp_path) == {A: 0, B: -1}


def test_an_editor_that_writes_beside_a_label_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = ledger(tmp_path)
    book.append([Word(A, "dots", how="blind")])
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        with (tmp_path / "anna.csv").open("a") as stream:
            stream.write(f"{B},stripes,anna,2026-01-01T00:00:00Z,,blind,\n")
        return real(descriptor, data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        book.append([Word(C, "dots", how="blind")])
    assert book.refresh()
    assert book.standing[B].value == "stripes"
    assert values(tmp_path) == {A: 0, B: 1, C: 0}


def test_a_sheet_of_another_person_or_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "anna.csv").write_text(f"{HEADER}{A},dots,ben,,,,\n")
    with pytest.raises(SenguError, match="is the sheet of ben"):
        ledger(tmp_path)
    (tmp_path / "anna.csv").write_text(HEADER.replace(",", ";"))
    with pytest.raises(SenguError, match="must name the columns"):
        ledger(tmp_path)


def test_two_programs_and_two_threads_write_whole_lines(tmp_path: Path) -> None:
    books = [ledger(tmp_path), ledger(tmp_path), ledger(tmp_path, "ben")]
    names = [f"{number:040x}.jpg" for number in range(60)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: books[one[0] % 3].append([Word(one[1], "dots")]), enumerate(names)))
    table, _, faults = cells(tmp_path / "anna.csv")
    assert faults == ()
    assert sorted([*table["objectId"], *cells(tmp_path / "ben.csv")[0]["objectId"]]) == names
    assert books[0].refresh() or books[1].refresh()
    assert books[0].standing == books[1].standing


@pytest.mark.soak
def test_no_acknowledged_label_is_lost_however_often_it_is_killed(tmp_path: Path) -> None:
    chance = random.Random(20)
    acknowledged: dict[str, str] = {}
    whole: dict[str, Word] = {}
    for number in range(KILLS):
        if not number % 10:  # a sheet of hundreds of thousands of lines would be read again and again
            whole |= ledger(tmp_path).standing
            (tmp_path / "anna.csv").unlink(missing_ok=True)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                book, count = ledger(tmp_path), 0
                while True:
                    count += 1
                    size = 1 if count % 5 else 30
                    page = [Word(f"{number:08x}{count:08x}{one:024x}.jpg", CLASSES[count % 2], how="page") for one in range(size)]
                    book.append(page)
                    os.write(writing, "".join(f"{word.objectId} {word.value}\n" for word in page).encode())
            finally:
                os._exit(1)
        os.close(writing)
        told = os.read(reading, 1 << 16)  # at least one is written by then
        time.sleep(chance.random() / 50)  # not to wait for anything: to kill at any moment
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while more := os.read(reading, 1 << 16):
            told += more
        os.close(reading)
        acknowledged |= dict(line.split(" ") for line in told.decode().splitlines())
        if chance.random() < 0.3:  # what a power cut leaves of a line that nobody was told of
            with (tmp_path / "anna.csv").open("a") as stream:
                stream.write(f"{'f' * 40}.jpg,dots,anna,2026"[: chance.randrange(1, 60)])
    whole |= ledger(tmp_path).standing
    assert len(acknowledged) >= KILLS
    assert {name: whole[name].value for name in acknowledged} == acknowledged
    assert not [name for name in whole if name.startswith("f" * 40)]
    assert cells(tmp_path / "anna.csv")[2] == ()
