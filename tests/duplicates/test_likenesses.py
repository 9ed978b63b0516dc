from pathlib import Path

import numpy as np
import pytest

from crawlers.demo import pictures
from sengu.duplicates import groups
from sengu.duplicates.fingerprints import fingerprint, record
from sengu.duplicates.groups import Looks
from sengu.duplicates.likenesses import Known

NO_LINKS = np.empty((0, 2), int)


@pytest.fixture
def prints() -> np.ndarray:
    """Twelve drawings, a lighter copy of six of them, and mirror images of two."""
    drawn = [pictures.draw("stripes", number) for number in range(12)]
    lighter = [np.clip(picture.astype(int) + 12, 0, 255).astype(np.uint8) for picture in drawn[:6]]
    every = [*drawn, *lighter, *(np.ascontiguousarray(picture[:, ::-1]) for picture in drawn[6:8])]
    return np.concatenate([record(str(place), fingerprint(picture)) for place, picture in enumerate(every)])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The pictures of each pair that was measured."""
    pairs_of: list[set[int]] = []
    measure = groups.likenesses

    def counted(pairs: np.ndarray, looks: Looks, is_mirror: bool) -> np.ndarray:
        pairs_of.extend(map(set, pairs.tolist()))
        return measure(pairs, looks, is_mirror)

    monkeypatch.setattr(groups, "likenesses", counted)
    return pairs_of


def grouped(prints: np.ndarray, folder: Path) -> list[list[int]]:
    known = Known(folder, prints["pixels"])
    made = groups.groups(Looks.of(prints), NO_LINKS, known.likenesses)
    known.save()
    plain = groups.groups(Looks.of(prints), NO_LINKS)
    assert [made.labels.tolist(), made.mirrored.tolist()] == [plain.labels.tolist(), plain.mirrored.tolist()]
    return [np.unique(made.labels, return_inverse=True)[1].tolist(), np.unique(made.mirrored, return_inverse=True)[1].tolist()]


def measured(prints: np.ndarray, folder: Path, asked: list[set[int]]) -> list[set[int]]:
    """The pairs that are measured although some likenesses are known."""
    asked.clear()
    known = Known(folder, prints["pixels"])
    groups.groups(Looks.of(prints), NO_LINKS, known.likenesses)
    known.save()
    return list(asked)


def test_only_pairs_with_a_new_picture_are_measured(prints: np.ndarray, tmp_path: Path, asked: list[set[int]]) -> None:
    alike, mirrored = grouped(prints[:-1], tmp_path)
    assert alike != list(range(len(alike)))
    assert mirrored != alike
    assert measured(prints[:-1], tmp_path, asked) == []
    pairs = measured(prints, tmp_path, asked)
    assert pairs
    assert all(len(prints) - 1 in pair for pair in pairs)
    grouped(prints, tmp_path)


def test_pairs_are_known_by_their_pixels_not_by_their_place(prints: np.ndarray, tmp_path: Path, asked: list[set[int]]) -> None:
    grouped(prints, tmp_path)
    grouped(prints[3:], tmp_path)
    assert measured(prints[3:], tmp_path, asked) == []
    assert measured(prints, tmp_path, asked), "what was not asked for is forgotten"


@pytest.mark.parametrize("cut", [1, 60, None])
def test_a_damaged_file_costs_time_only(prints: np.ndarray, tmp_path: Path, asked: list[set[int]], cut: int | None) -> None:
    grouped(prints, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    flipped = bytes([*whole[:50], whole[50] ^ 1, *whole[51:]])
    path.write_bytes(flipped if cut is None else whole[:-cut])
    assert measured(prints, tmp_path, asked)
    assert path.read_bytes() == whole


def test_files_of_older_code_go(prints: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "older").write_bytes(b"any")
    grouped(prints, tmp_path)
    assert not (tmp_path / "older").exists()
