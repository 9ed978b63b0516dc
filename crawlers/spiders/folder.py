"""A local or NFS folder as a place of files, each under file://<site>/<relative path>."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit

from crawlers.spiders.files import File


class Folder:
    """Every file below the folder, in order of its path; hidden files are left out."""

    def __init__(self, site: str, folder: Path):
        self.site, self.folder = site, folder

    def files(self) -> Iterator[File]:
        unread: list[OSError] = []
        names = (Path(top) / name for top, _, files in os.walk(self.folder, onerror=unread.append) for name in files)
        for path in sorted(names):
            relative = path.relative_to(self.folder)
            if any(part.startswith(".") for part in relative.parts):
                continue
            url = f"file://{self.site}/{quote(os.fsencode(relative.as_posix()))}"
            try:
                if path.is_file():
                    yield File(url, _modified(path))
            except OSError as error:  # gone since the folder was listed, or not ours to read
                yield File(url, "", str(error))
        for problem in unread:
            yield File(
                f"file://{self.site}/{quote(os.path.relpath(os.fsencode(problem.filename), os.fsencode(self.folder)))}/",
                "",
                str(problem),
            )

    def read(self, url: str) -> tuple[bytes, str]:
        path = self.folder / os.fsdecode(unquote_to_bytes(urlsplit(url).path.lstrip("/")))
        return path.read_bytes(), _modified(path)


def _modified(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
