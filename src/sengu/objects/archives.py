"""Archive files of this repository -> the same files in DVC's remote, from which workers elsewhere read them.

DVC keeps a file under its MD5, and dvc.lock says which: so the remote is a copy of the archives that can be read in place.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from sengu import warc
from sengu.base.errors import SenguError

REMOTE = "remote"

Locate = Callable[[warc.Place], warc.Place]


def locate(where: str) -> Locate | None:
    """A function from the place of a record in data/raw to one in DVC's remote; None if it is to be read in data/raw.

    `where` is `archives` of params.yaml. It raises SenguError for an archive file that the remote does not have.
    """
    if where != REMOTE:
        return None
    copies = cache(_copies)

    def located(place: warc.Place) -> warc.Place:
        path = Path(place.file)
        files, filesystem = copies(path.parent)
        if path.name not in files:
            raise SenguError(f"{path} is not what dvc.lock pins: run `dvc repro` for its site, then `dvc push`")
        return place.at(files[path.name], filesystem)

    return located


def _copies(folder: Path) -> tuple[dict[str, str], Any]:
    """The names in DVC's remote of the files in a folder, and the file system of fsspec that reads them."""
    from dvc.exceptions import DvcException  # most runs do without: DVC takes a second to start
    from dvc.repo import Repo

    try:
        with Repo(Repo.find_root(str(folder))) as repo:
            (output,) = repo.find_outs_by_path(str(folder))
            listing = output.get_obj()
            if listing is None:
                raise SenguError(f"{folder}: DVC's cache has no list of its files: run `dvc pull {folder}`")
            remote = repo.cloud.get_remote_odb(output.remote)
            files = {"/".join(key): str(remote.oid_to_path(digest.value)) for key, _, digest in listing}
            there = remote.fs.exists(list(files.values()))
            missing = [name for name, exists in zip(files, there, strict=True) if not exists]
            if missing:
                raise SenguError(f"{folder}: the remote does not have {missing[0]}: run `dvc push {folder}`")
            return files, remote.fs.fs
    except DvcException as error:
        raise SenguError(f"{folder}: the remote of DVC cannot be read ({error}): see `dvc remote list`") from error
