"""Errors of the operating system -> the file that they are about: those of an open file name none, and libraries hide them."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)  # a disk, or the part of it that one user may fill
TOO_MANY = (errno.EMFILE, errno.ENFILE)  # open files, of a process or of the machine
NAMELESS = (*FULL, *TOO_MANY, errno.EFBIG, errno.EIO, errno.EROFS)  # what a write to an open file, or a pipe, may meet
REFUSALS = (*NAMELESS, errno.EACCES, errno.EPERM)
# as TensorFlow says it: the operation, the path and the reason; other libraries say the reason only
TEXT = re.compile(rf"(?:^(?:{{{{.*?}}}} )?(?P<path>[^\n;]*); )?(?P<reason>{'|'.join(map(os.strerror, REFUSALS))})")


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Within, an error of writing, as that of a full disk, names `path` if it names no file: those of an open one do not."""
    try:
        yield
    except OSError as error:
        if error.errno in NAMELESS and error.filename is None:
            error.filename = str(path)
        raise


def hidden(error: BaseException) -> OSError | None:
    """What the system refused, if a library raised an error of its own because of it; None if it did not.

    The library handled it, and then failed at another place, or repeats its text, as TensorFlow does.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in REFUSALS:
            return cause
        if text := TEXT.search(str(cause)):
            code = next(code for code in REFUSALS if os.strerror(code) == text["reason"])
            return OSError(code, text["reason"], text["path"]) if text["path"] else OSError(code, text["reason"])
        cause = cause.__cause__ or cause.__context__
    return None


def is_refusal(error: BaseException) -> bool:
    """Did the system refuse to open a file, or to write one? Then nothing is known of its bytes, and no other copy helps."""
    refused = hidden(error)
    return refused is not None and refused.errno != errno.EIO  # which is how a bad disk answers
