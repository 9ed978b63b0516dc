"""Errors of the operating system -> the file they concern: errors of an open file name none, and libraries hide them."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)  # a full disk, or a user's full quota
TOO_MANY = (errno.EMFILE, errno.ENFILE)  # open files, of a process or of the machine
NAMELESS = (*FULL, *TOO_MANY, errno.EFBIG, errno.EIO, errno.EROFS)  # errors of a write to an open file, or a pipe
REFUSALS = (*NAMELESS, errno.EACCES, errno.EPERM)
# in TensorFlow's form: the operation, the path and the reason; other libraries give the reason only
TEXT = re.compile(rf"(?:^(?:{{{{.*?}}}} )?(?P<path>[^\n;]*); )?(?P<reason>{'|'.join(map(os.strerror, REFUSALS))})")


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Adds `path` to an error of writing that names no file, such as a full disk: errors of an open file do not name it."""
    try:
        yield
    except OSError as error:
        if error.errno in NAMELESS and error.filename is None:
            error.filename = str(path)
        raise


def hidden(error: BaseException) -> OSError | None:
    """The refusal of the system behind an error that a library raised; None if there was none.

    The library handled it and then failed elsewhere, or repeats its text, as TensorFlow does.
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
    """True if the system refused to open or write a file. Then nothing is known of its bytes, and no other copy helps."""
    refused = hidden(error)
    return refused is not None and refused.errno != errno.EIO  # which is how a bad disk answers
