"""Names and contents -> a zip file, the same bytes whenever and by whichever Python it is written."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can say


def write(path: Path, files: Mapping[str, bytes]) -> None:
    """Stored, not deflated, as what zlib makes of the same bytes depends on its version; in the order of the names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files.items()):
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16  # as on Unix, whatever wrote it
            archive.writestr(info, data)
