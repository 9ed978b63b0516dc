"""Errors of the system: which file they are about, and which of them libraries hide behind errors of their own."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sengu.base.io_errors import hidden, is_refusal, named


def without_room() -> None:
    with Path("/dev/full").open("wb", 0) as stream:
        stream.write(b"x")


def refused(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def handled() -> None:
    """As loky, when it gets no pipe: what it closes in the end was never there."""
    try:
        raise refused(errno.EMFILE)
    finally:
        os.close(pipe)  # type: ignore[name-defined]  # noqa: F821


def test_an_error_of_writing_names_the_file() -> None:
    with pytest.raises(OSError, match="No space left on device: 'out'"), named(Path("out")):
        without_room()
    with pytest.raises(OSError, match="No such file or directory: 'other'"), named(Path("out")):
        Path("other").read_bytes()


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("models/a b/variables/part-0; No space left on device [Op:SaveV2]", errno.ENOSPC, "models/a b/variables/part-0"),
        ("{{function_node __wrapped__SaveV2}} models/part-0; File too large", errno.EFBIG, "models/part-0"),
        ("Load model from x.onnx failed: Too many open files", errno.EMFILE, None),
    ],
)
def test_what_a_library_says_in_a_text_is_found(text: str, code: int, path: str | None) -> None:
    found = hidden(RuntimeError(text))
    assert found is not None
    assert (found.errno, found.filename) == (code, path)


@pytest.mark.parametrize(("failing", "code"), [(without_room, errno.ENOSPC), (handled, errno.EMFILE)])
def test_what_a_library_has_handled_is_found(failing: Callable[[], None], code: int) -> None:
    with pytest.raises((OSError, NameError)) as ended:
        failing()
    found = hidden(ended.value)
    assert found is not None
    assert found.errno == code


@pytest.mark.parametrize("error", [ValueError("a bug"), FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "x")])
def test_other_errors_hide_nothing(error: Exception) -> None:
    assert hidden(error) is None
    assert not is_refusal(error)


def test_a_bad_disk_says_something_of_the_bytes_and_a_full_one_does_not() -> None:
    assert not is_refusal(refused(errno.EIO))
    assert is_refusal(refused(errno.ENOSPC))
