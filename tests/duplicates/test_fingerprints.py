import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from crawlers.demo import pictures
from sengu.duplicates.fingerprints import RECORD, Fingerprint, Journal, fingerprint, record
from sengu.pictures import images

NAMES = [f"{number:040x}.jpg" for number in range(3)]


def bits(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """In how many bits each hash of one picture differs from the hash of the whole of the other."""
    return np.bitwise_count(one ^ other[0]).sum(axis=1)


def journal_of_three(folder: Path) -> tuple[Journal, np.ndarray]:
    journal = Journal(folder)
    made = np.concatenate([record(name, fingerprint(pictures.draw("dots", n))) for n, name in enumerate(NAMES)])
    with journal.appending() as file:
        file.write(made.tobytes())
    return journal, made


def test_a_fingerprint_has_the_same_bytes_every_time() -> None:
    one, two = (fingerprint(pictures.draw("dots", 1)) for _ in range(2))
    assert record(NAMES[0], one).tobytes() == record(NAMES[0], two).tobytes()
    assert (one.hashes.shape, one.hashes.dtype, one.thumbnail.shape) == ((3, 8), np.uint8, (64, 64))


def test_recompression_hardly_moves_a_hash_and_a_crop_is_near_to_the_hash_of_a_crop() -> None:
    whole = pictures.draw("dots", 4)
    height, width, _ = whole.shape
    first = fingerprint(whole)
    assert bits(first.hashes, fingerprint(images.decode(pictures.jpeg(whole, quality=40))).hashes)[0] <= 6
    y, x = height * 85 // 1000, width * 85 // 1000
    crop = bits(first.hashes, fingerprint(whole[y:-y, x:-x]).hashes)
    assert crop[2] <= 8 < crop[0]
    assert bits(first.hashes, fingerprint(pictures.draw("dots", 5)).hashes).min() > 12


def test_pixels_tell_pictures_of_one_size_and_of_equal_bytes_but_other_shape_apart() -> None:
    flat = np.zeros((10, 20, 3), np.uint8)
    dotted = flat.copy()
    dotted[5, 5, 0] = 1
    found = {fingerprint(pixels).pixels.tobytes() for pixels in (flat, flat.reshape(20, 10, 3), dotted)}
    assert len(found) == 3


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (3, 2, 3)])
def test_the_smallest_pictures_have_fingerprints(shape: tuple[int, int, int]) -> None:
    assert isinstance(fingerprint(np.full(shape, 7, np.uint8)), Fingerprint)


def test_a_journal_gives_back_what_was_written(tmp_path: Path) -> None:
    journal, made = journal_of_three(tmp_path / "journal")
    assert journal.read(NAMES).tobytes() == made.tobytes()
    assert not Journal(tmp_path / "none").read(NAMES)["objectId"].any()
    assert journal.read(NAMES[::-1]).tobytes() == made[::-1].tobytes()


def test_a_record_that_is_cut_off_is_lost_and_what_is_appended_afterwards_is_not(tmp_path: Path) -> None:
    journal, made = journal_of_three(tmp_path)
    journal.path.write_bytes(made.tobytes()[:-100])
    assert journal.read(NAMES).tobytes() == made[:2].tobytes() + bytes(RECORD.itemsize)
    assert journal.path.read_bytes() == made[:2].tobytes()
    with journal.appending() as file:
        file.write(made[2:].tobytes())
    assert journal.read(NAMES).tobytes() == made.tobytes()


def test_a_record_of_which_one_bit_changed_is_lost(tmp_path: Path) -> None:
    journal, made = journal_of_three(tmp_path)
    data = bytearray(made.tobytes())
    data[RECORD.itemsize + 1000] ^= 1
    journal.path.write_bytes(data)
    assert journal.read(NAMES)["objectId"].tolist() == [NAMES[0].encode(), b"", NAMES[2].encode()]


def test_records_that_nobody_wants_leave_the_file(tmp_path: Path) -> None:
    journal, made = journal_of_three(tmp_path)
    assert journal.read(NAMES[1:]).tobytes() == made[1:].tobytes() == journal.path.read_bytes()


def test_the_journal_of_other_code_is_not_read_and_goes(tmp_path: Path) -> None:
    journal, _ = journal_of_three(tmp_path)
    other = journal.path.with_name("0" * 40)
    journal.path.rename(other)
    assert not journal.read(NAMES)["objectId"].any()
    with journal.appending():
        pass
    assert not other.exists()


def test_a_journal_is_held_in_memory_once(tmp_path: Path) -> None:
    """The fingerprints of half a million pictures are two gigabytes."""
    names = [f"{number:040x}.png" for number in range(4000)]
    made = np.zeros(len(names), RECORD)
    made["objectId"] = names
    journal = Journal(tmp_path)
    with journal.appending() as file:
        for each in made:
            each["check"] = zlib.crc32(each.tobytes()[:-4])
        file.write(made.tobytes())
    for wanted in (names, names[1:]):  # of the second, the file is written again
        tracemalloc.start()
        assert (journal.read(wanted)["objectId"] != b"").all()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1.7 * made.nbytes
    assert journal.path.stat().st_size == made.nbytes - RECORD.itemsize
