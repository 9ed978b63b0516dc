"""The lock file for GPUs is the other one with NVIDIA's libraries, and both leave it to pip where packages come from."""

import re

from project import ROOT

PINNED = re.compile(r"([\w.-]+)==(\S+)( ; [^\\]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+")


def locked(name: str) -> dict[str, str]:
    """Version by package and marker."""
    text = (ROOT / name).read_text()
    assert "://" not in text
    blocks = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]
    found = [PINNED.match(f"{block}\n") for block in blocks]
    assert all(found)
    return {f"{match[1]}{match[3] or ''}": match[2] for match in found if match}


def test_the_lock_file_for_gpus_is_the_other_one_with_more() -> None:
    plain, gpu = locked("requirements.txt"), locked("requirements-gpu.txt")
    assert plain.items() <= gpu.items()
    more = [name for name in gpu if name not in plain]
    assert more
    assert all(name.startswith("nvidia-") for name in more)
