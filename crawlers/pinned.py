"""dvc.lock and an archive folder -> whether a crawl may run, and whether a regenerated archive equals the pinned one."""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from sengu.errors import SenguError

LOCK = Path("dvc.lock")


def refuse_if_missing(site: str, folder: Path, lock: Path = LOCK) -> None:
    """Raises SenguError if dvc.lock pins more of the site than is here: crawling would overwrite the pin."""
    pinned = _pinned(site, folder, lock)
    here = sum(path.stat().st_size for path in folder.glob("*.warc.gz"))
    if pinned is not None and here < pinned["size"]:
        raise SenguError(
            f"{lock} pins {pinned['size']} bytes of archives of site {site} ({pinned['md5']}), and {folder} has {here}: "
            "crawling would replace what is missing; "
            f"fetch it with `dvc pull {folder}`, or give it up by removing crawl@{site} from {lock}"
        )


def refuse_if_different(site: str, folder: Path, fetch: dict[str, Any], lock: Path = LOCK) -> None:
    """Raises SenguError if an archive regenerated from the params that are pinned is not the archive that is pinned."""
    pinned = _pinned(site, folder, lock)
    if pinned is None or _stages(lock)[f"crawl@{site}"].get("params", {}).get("params.yaml") != {f"sites.{site}.fetch": fetch}:
        return
    found = dvc_hash(folder)
    if found != pinned["md5"]:
        raise SenguError(
            f"{folder} was regenerated as {found}, but {lock} pins {pinned['md5']}: install exactly requirements.txt "
            f"(`make install`), or, if the site was changed on purpose, remove crawl@{site} from {lock} and repeat"
        )


def dvc_hash(folder: Path) -> str:
    """The hash that DVC gives to a folder: the MD5 of its sorted JSON list of files and their MD5s, with `.dir` added."""
    listing = [
        {"md5": hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(), "relpath": path.relative_to(folder).as_posix()}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    listing.sort(key=lambda file: file["relpath"])
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _pinned(site: str, folder: Path, lock: Path) -> dict[str, Any] | None:
    outs = _stages(lock).get(f"crawl@{site}", {}).get("outs", [])
    return next((out for out in outs if out["path"] == folder.as_posix()), None)


def _stages(lock: Path) -> dict[str, Any]:
    if not lock.is_file():
        return {}
    return dict(yaml.safe_load(lock.read_text(encoding="utf-8")).get("stages", {}))
