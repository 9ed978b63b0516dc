"""The lines that a native library prints while it loads -> those that a user can act on."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(noise: re.Pattern[str]) -> Iterator[None]:
    """Drops lines on file descriptor 2 that match `noise`; the rest is printed at the end.

    After an exception everything is printed: apparent noise may be the reason. Use it for a library that offers no other way.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        terminal = os.dup(2)
        os.dup2(caught.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            caught.seek(0)
            for line in caught.read().decode("utf-8", "replace").splitlines():
                if failed or not noise.search(line):
                    print(line, file=sys.stderr)
