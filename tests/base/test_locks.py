import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sengu.base import locks
from sengu.base.errors import SenguError

HOLDER = """
import sys
from sengu.base import locks
with locks.held("crawl-web", "the archive of site web is in use"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_holder_is_named_and_its_death_frees_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        named = f"the archive of site web is in use already: process {holder.pid} on {platform.node()}, since "
        with pytest.raises(SenguError, match=named), locks.held("crawl-web", "the archive of site web is in use"):
            pass
        with locks.held("crawl-other", "the archive of site other is in use"):
            pass
        holder.send_signal(signal.SIGKILL)
    with locks.held("crawl-web", "the archive of site web is in use"):
        pass


def test_a_lock_is_free_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        with pytest.raises(RuntimeError), locks.held("a", "a is done"):
            raise RuntimeError
