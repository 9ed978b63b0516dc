"""dvc.lock and an archive folder -> whether a crawl may run, and whether a regenerated archive equals the pinned one."""

from pathlib import Path
from typing import Any

from sengu.base.errors import SenguError
from sengu.repository.dvc_lock import LOCK, dvc_hash, pinned_output, stages


def refuse_if_missing(site: str, folder: Path, lock: Path = LOCK) -> None:
    """Raises SenguError if dvc.lock pins more of the site than is here: crawling would overwrite the pin."""
    pinned = pinned_output(f"crawl@{site}", folder, lock)
    here = sum(path.stat().st_size for path in folder.glob("*.warc.gz"))
    if pinned is not None and here < pinned["size"]:
        raise SenguError(
            f"{lock} pins {pinned['size']} bytes of archives of site {site} ({pinned['md5']}), and {folder} has {here}: "
            "crawling would replace what is missing; "
            f"fetch it with `dvc pull {folder}`, or give it up by removing crawl@{site} from {lock}"
        )


def refuse_if_different(site: str, folder: Path, fetch: dict[str, Any], lock: Path = LOCK) -> None:
    """Raises SenguError if an archive regenerated from the params that are pinned is not the archive that is pinned."""
    pinned = pinned_output(f"crawl@{site}", folder, lock)
    if pinned is None or stages(lock)[f"crawl@{site}"].get("params", {}).get("params.yaml") != {f"sites.{site}.fetch": fetch}:
        return
    found = dvc_hash(folder)
    if found != pinned["md5"]:
        raise SenguError(
            f"{folder} was regenerated as {found}, but {lock} pins {pinned['md5']}: install exactly requirements.txt "
            f"(`make install`), or, if the site was changed on purpose, remove crawl@{site} from {lock} and repeat"
        )
