"""Names and contents -> a zip file, with the same bytes at any time and under any Python."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can hold


def write(path: Path, files: Mapping[str, bytes]) -> None:
    """Writes a zip file in the order of the names. Files are stored, because zlib's output depends on its version."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files.items()):
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16  # as on Unix, on any system
            archive.writestr(info, data)
