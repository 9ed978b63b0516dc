"""What a release carries as predict.py: that it sees pictures as Sengu does, and is short."""

from pathlib import Path

import numpy as np
import pytest
from released import odd_pictures

from sengu import images, standalone


@pytest.mark.parametrize("name", odd_pictures())
def test_it_decodes_as_sengu_does(name: str, tmp_path: Path) -> None:
    data = odd_pictures()[name]
    (tmp_path / name).write_bytes(data)
    found = standalone.decode(str(tmp_path / name))
    assert found.dtype == np.uint8
    assert np.array_equal(found, images.decode(data))


def test_it_has_at_most_forty_lines() -> None:
    assert len(Path(standalone.__file__).read_text().splitlines()) <= 40
