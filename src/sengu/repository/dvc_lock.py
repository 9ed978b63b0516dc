"""dvc.lock -> its pins; a folder -> the hash that DVC gives it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from dvc.utils.serialize import dump_yaml

from sengu.base.atomic import replaced_file
from sengu.base.digests import md5

LOCK = Path("dvc.lock")


def stages(lock: Path = LOCK) -> dict[str, Any]:
    """The stages of a lock file by name; none if there is no file."""
    if not lock.is_file():
        return {}
    return dict(yaml.safe_load(lock.read_text(encoding="utf-8")).get("stages", {}))


def pinned_output(stage: str, path: Path, lock: Path = LOCK) -> dict[str, Any] | None:
    """md5, size and so on of an output of a stage, as pinned."""
    outs = stages(lock).get(stage, {}).get("outs", [])
    return next((out for out in outs if out["path"] == path.as_posix()), None)


def forget(names: Iterable[str], lock: Path = LOCK) -> None:
    """Removes stages from a lock file, in DVC's own format."""
    document = stages(lock)
    if document:
        kept = {name: stage for name, stage in document.items() if name not in set(names)}
        with replaced_file(lock, durable=True) as partial:
            dump_yaml(partial, {"schema": "2.0", "stages": kept})


def dvc_hash(folder: Path) -> str:
    """The hash that DVC gives to a folder."""
    return hash_of({path.relative_to(folder).as_posix(): md5(path) for path in folder.rglob("*") if path.is_file()})


def hash_of(files: Mapping[str, str]) -> str:
    """The hash that DVC gives to a folder of files with such MD5s: the MD5 of its sorted JSON list of them, with `.dir` added."""
    return hashlib.md5(listing_of(files), usedforsecurity=False).hexdigest() + ".dir"


def listing_of(files: Mapping[str, str]) -> bytes:
    """The list that DVC writes into its cache for a folder of files with such MD5s."""
    listing = [{"md5": digest, "relpath": name} for name, digest in sorted(files.items())]
    return json.dumps(listing, sort_keys=True).encode()
