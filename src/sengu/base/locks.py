"""A name -> a lock that one process holds at a time; the kernel frees it however that process ends."""

import errno
import fcntl
import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sengu.base import working
from sengu.base.errors import SenguError

TAKEN = (errno.EAGAIN, errno.EACCES)  # the second comes from some network file systems

logger = logging.getLogger(__name__)


@contextmanager
def held(name: str, work: str) -> Iterator[None]:
    """Holds `name` within, against other processes of this clone. Raises SenguError that names host and process of the holder.

    `work` is what is done under it, for the message. Where the file system cannot lock, that is a warning.
    """
    path = working.LOCKS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in TAKEN:
                stream.seek(0)
                holder = stream.read().strip() or "another process"
                raise SenguError(f"{work} already: {holder} ({path}): wait until it has ended, or end it") from None
            only_one = "make sure that only one process does this at a time"
            logger.warning("%s cannot be locked (%s): %s: %s", path, error.strerror, only_one, work)
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {platform.node()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        stream.flush()
        yield
        stream.truncate(0)
