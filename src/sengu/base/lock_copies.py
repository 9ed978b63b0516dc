"""dvc.lock -> a copy in .sengu/, and the cure if DVC was killed while it wrote dvc.lock, which it empties first.

Every stage and every command checks the files before it begins, so the copy is the state before the stage that DVC was
about to record.
"""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

LOCKS = (Path("dvc.lock"), Path("datasets/dvc.lock"))
COPIES = Path(".sengu/lock_files")
BLOCK = 8192  # bytes that Python writes at once


def keep() -> str:
    """Copies the lock files in the current folder that are whole; says what is wrong with one that is not, or empty text."""
    for path in LOCKS:
        if not path.is_file():
            continue
        data, copy = path.read_bytes(), COPIES / path
        before = copy.read_bytes() if copy.is_file() else b""
        if _is_cut_off(data, before):
            return _cure(path, data, copy)
        if data != before:
            _copy(data, copy)
    return ""


def _is_cut_off(data: bytes, before: bytes) -> bool:
    """True if a file is empty, ends within a line, or, having become shorter, ends where a write ends."""
    return not data.endswith(b"\n") or (len(data) % BLOCK == 0 and len(data) < len(before))


def _cure(path: Path, data: bytes, copy: Path) -> str:
    what = f"{path} is {'cut off' if data else 'empty'}, as happens when DVC is killed while writing it: "
    committed = subprocess.run(
        ["git", "log", "--max-count=1", "--format=%ct", "--", str(path)], capture_output=True, text=True, check=False
    ).stdout.strip()
    if copy.is_file() and int(committed or 0) <= copy.stat().st_mtime:
        return f"{what}`cp {copy} {path}` restores its previous content"
    if committed:
        return f"{what}`git checkout {path}` restores the committed one; stages that ran since then will run again"
    return f"{what}`rm {path}`, and `dvc commit --force` rebuilds it from the outputs in this clone"


def _copy(data: bytes, copy: Path) -> None:
    ignored = COPIES.parent / ".gitignore"
    partial = copy.with_name(f".{copy.name}.{os.getpid()}.partial")
    with suppress(OSError):  # a full or read-only disk: the program that must write reports it
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not ignored.is_file():  # in a repository that does not ignore .sengu, Git would call the tree changed
            ignored.write_text("*\n", encoding="utf-8")
        for left in copy.parent.glob(f".{copy.name}.*.partial"):  # by processes that were killed
            left.unlink(missing_ok=True)
        with partial.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(copy)
    with suppress(OSError):
        partial.unlink(missing_ok=True)
