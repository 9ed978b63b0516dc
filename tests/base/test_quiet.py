"""What a native library prints: noise is dropped, all else arrives, and everything does when something fails."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, re, sys
from sengu.base.quiet import quiet
with quiet(re.compile("^I0000")):
    os.write(2, b"I0000 noise\\nE0000 trouble\\n")
    print("python", file=sys.stderr)
    {}
os.write(2, b"I0000 afterwards\\n")
"""


def printed(line: str) -> list[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(line)], capture_output=True, text=True, check=False
    ).stderr.splitlines()


def test_noise_is_dropped_and_all_else_arrives() -> None:
    assert printed("pass") == ["E0000 trouble", "python", "I0000 afterwards"]


def test_a_failure_shows_everything() -> None:
    lines = printed("raise ImportError('libcuda')")
    assert lines[:3] == ["I0000 noise", "E0000 trouble", "python"]
    assert lines[-1] == "ImportError: libcuda"


@pytest.mark.slow
def test_tensorflow_is_loaded_without_a_word() -> None:
    program = "import sengu\nfrom sengu.networks.runtime import tf\nprint(float(tf.constant(1.0) + 1))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("2.0\n", "")
