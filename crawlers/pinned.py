"""dvc.lock and an archive folder -> an error if a crawl may not run, or a regenerated archive differs from the pinned one."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sengu import warc
from sengu.base.digests import md5
from sengu.base.errors import SenguError
from sengu.repository import verified
from sengu.repository.dvc_lock import LOCK, dvc_hash, hash_of, pinned_output, stages


def refuse_if_linked(folder: Path) -> None:
    """Raises SenguError if an archive would be outside the repository, behind a link that DVC does not follow."""
    root = Path.cwd().resolve()
    for place in reversed([folder, *folder.parents]):
        if place.is_symlink() and not place.resolve().is_relative_to(root):
            raise SenguError(
                f"{place} is a link to {place.resolve()}, and DVC takes no output outside the repository: make it a folder; to "
                "keep data on another disk, move DVC's cache there (`dvc cache dir`), or `mount --bind` a folder of that disk"
            )


def refuse_if_missing(site: str, folder: Path, lock: Path = LOCK) -> None:
    """Raises SenguError if dvc.lock pins more of the site than is here: crawling would overwrite the pin."""
    pinned = pinned_output(f"crawl@{site}", folder, lock)
    here = sum(path.stat().st_size for path in folder.glob("*.warc.gz"))
    if pinned is not None and here < pinned["size"]:
        raise SenguError(
            f"{lock} pins {pinned['size']} bytes of archives of site {site} ({pinned['md5']}), and {folder} has {here}: "
            "crawling would replace what is missing; "
            f"fetch it with `sengu heal {folder}`, or give it up by removing crawl@{site} from {lock}"
        )


def refuse_if_damaged(site: str, folder: Path, memory: verified.Memory, lock: Path = LOCK) -> None:
    """Raises SenguError if a file that dvc.lock pins has other bytes now: crawling would pin the damage.

    A file is read only if it has changed in appearance since it was last found whole.
    """
    pinned = pinned_output(f"crawl@{site}", folder, lock)
    if pinned is None:
        return
    paths = warc.files(folder, site)
    bar = tqdm(paths, desc=f"check the archive of {site}", unit="file", disable=None)
    digests = {path.name: memory.digest(os.fspath(path), verified.stamp(path)) or md5(path) for path in bar}
    whole = _pinned_files(digests, pinned["md5"])
    if whole is None:
        listing = _listing(pinned["md5"]) or {}
        whole = {name: digest for name, digest in listing.items() if digests.get(name) == digest}
        wrong = sorted(listing.keys() - whole.keys())
        if wrong or not listing:
            which = f"{folder / wrong[0]} is damaged or missing" if wrong else f"{folder} is damaged"
            raise SenguError(
                f"{which}: {lock} pins {listing.get(wrong[0]) if wrong else pinned['md5']}, which is not what is here; "
                f"nothing was fetched, and the pin is as it was: `sengu heal {folder}` restores what is pinned"
            )
    for name, digest in whole.items():
        memory.remember(os.fspath(folder / name), digest, verified.stamp(folder / name))


def _pinned_files(digests: Mapping[str, str], pinned: str) -> Mapping[str, str] | None:
    """The files that together have the pinned hash; files of later crawls come after them."""
    names = sorted(digests)
    for count in range(len(names), 0, -1):
        files = {name: digests[name] for name in names[:count]}
        if hash_of(files) == pinned:
            return files
    return None


def _listing(pinned: str) -> Mapping[str, str] | None:
    """The MD5s of the files of a pinned folder, by name, as DVC's cache knows them; None if it does not."""
    from sengu.repository import pins

    try:
        with pins.repository() as repo:
            return pins.listing(repo, pinned)
    except SenguError:  # such as: this is no repository
        return None


def refuse_if_different(site: str, folder: Path, fetch: dict[str, Any], lock: Path = LOCK) -> None:
    """Raises SenguError if an archive regenerated from the params that are pinned is not the archive that is pinned."""
    pinned = pinned_output(f"crawl@{site}", folder, lock)
    if pinned is None or stages(lock)[f"crawl@{site}"].get("params", {}).get("params.yaml") != {f"sites.{site}.fetch": fetch}:
        return
    regenerated = dvc_hash(folder)
    if regenerated != pinned["md5"]:
        raise SenguError(
            f"{folder} was regenerated as {regenerated}, but {lock} pins {pinned['md5']}: install exactly requirements.txt "
            f"(`make install`), or, if the site was changed on purpose, remove crawl@{site} from {lock} and repeat"
        )
