from contextlib import closing
from pathlib import Path

import pytest

from sengu.caches.outcomes import Outcomes

NAMES = [f"sha1:{number:032}" for number in range(10)]
ROW = ["0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33.jpg", "jpg", 640, 480, 3, 0, "ü"]


def run(path: Path, times: int, key: str = "k") -> None:
    """Appends an outcome of every name, another one each of so many times."""
    for time in range(times):
        with closing(Outcomes(path, key)) as journal:
            journal.append((name, [[*ROW, time]]) for name in NAMES)


def test_a_journal_in_which_most_lines_are_stale_is_rewritten_once(tmp_path: Path) -> None:
    path = tmp_path / "site.journal"
    run(path, 2)
    assert len(path.read_bytes().splitlines()) == 21
    Outcomes(path, "k")  # half of them: not yet
    assert len(path.read_bytes().splitlines()) == 21
    with closing(Outcomes(path, "k")) as journal:
        journal.append([(NAMES[0], "broken gzip encoding")])
    again = Outcomes(path, "k")
    assert len(path.read_bytes().splitlines()) == 11
    assert again.find(NAMES[0]) == "broken gzip encoding"
    assert [again.find(name) for name in NAMES[1:]] == [[[*ROW, 1]]] * 9
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_appended_behind_a_rewritten_journal_counts(tmp_path: Path) -> None:
    path = tmp_path / "site.journal"
    run(path, 7)
    with closing(Outcomes(path, "k")) as journal:
        journal.append([("new", "empty")])
    found = Outcomes(path, "k")
    assert found.find("new") == "empty"
    assert found.find(NAMES[9]) == [[*ROW, 6]]
    assert len(path.read_bytes().splitlines()) <= 2 * len(NAMES) + 2


def test_a_journal_is_not_rewritten_under_another_key(tmp_path: Path) -> None:
    path = tmp_path / "site.journal"
    run(path, 3)
    before = path.read_bytes()
    assert Outcomes(path, "other").find(NAMES[0]) is None
    assert path.read_bytes() == before


def test_a_disk_that_is_full_while_it_is_rewritten_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "site.journal"
    run(path, 2)
    with closing(Outcomes(path, "k")) as journal:
        journal.append([(NAMES[0], "empty")])
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[:100])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with closing(Outcomes(path, "k")) as journal:
        assert path.read_bytes() == before
        journal.append([(NAMES[1], "unknown")])
    assert path.read_bytes()[: len(before)] == before
    monkeypatch.undo()
    found = Outcomes(path, "k")
    assert [found.find(name) for name in NAMES[:3]] == ["empty", "unknown", [[*ROW, 1]]]
    assert len(path.read_bytes().splitlines()) == 11
