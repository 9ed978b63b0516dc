"""A local or NFS folder as a place of files, each under file://<site>/<relative path>."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit

from crawlers.spiders.files import File


class Folder:
    """Every file below the folder, in order of its path, links followed; hidden files and folders are left out."""

    nothing = "the folder is empty"

    def __init__(self, site: str, folder: Path):
        self.site, self.folder = site, folder
        self._unlisted: list[tuple[Path, str]] = []  # folders that cannot be listed, and why

    def files(self) -> Iterator[File]:
        self._unlisted.clear()
        for path in sorted(self._paths()):
            url = self._url(path)
            try:
                if not path.exists() and path.is_symlink():
                    yield File(url, "", "a link to a file that is not there")
                elif path.is_file():
                    yield File(url, _modified(path))
                else:
                    yield File(url, "", "neither a file nor a folder")
            except OSError as error:  # gone since the folder was listed, or not readable
                yield File(url, "", str(error))
        for folder, reason in self._unlisted:
            yield File(f"{self._url(folder)}/", "", reason)

    def _paths(self) -> Iterator[Path]:
        """Every file below the folder; a link to a folder counts as one, unless it leads to a folder that it lies in."""

        def unlisted(error: OSError) -> None:
            self._unlisted.append((Path(error.filename), str(error)))

        for top, folders, files in os.walk(self.folder, onerror=unlisted, followlinks=True):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in [name for name in folders if (Path(top) / name).is_symlink()]:
                if self._is_above(Path(top) / name):
                    folders.remove(name)
                    self._unlisted.append((Path(top) / name, "a link in a circle"))
            yield from (Path(top) / name for name in files if not name.startswith("."))

    def _is_above(self, link: Path) -> bool:
        """True if a link to a folder leads to one of the folders above it."""
        return Path(os.path.realpath(link)) in Path(os.path.realpath(link.parent) + "/x").parents

    def _url(self, path: Path) -> str:
        return f"file://{self.site}/{quote(os.path.relpath(os.fsencode(path), os.fsencode(self.folder)))}"

    def read(self, url: str) -> tuple[bytes, str]:
        path = self.folder / os.fsdecode(unquote_to_bytes(urlsplit(url).path.lstrip("/")))
        return path.read_bytes(), _modified(path)


def _modified(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
