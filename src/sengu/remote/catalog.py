"""Pins, history and rules -> the catalogue, by which a person who sees only the remote can understand and read it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader

from sengu.remote import stored
from sengu.remote.checking import Store
from sengu.remote.configuration import Remote
from sengu.remote.pins import Pin, model_of, version_of

README, CATALOG, DIGEST, BUNDLE = "README.html", "catalog.json", "catalog.json.sha256", "repository.bundle"
PAGES = "catalog/"  # the pages of contact sheets
FIXED = (README, CATALOG, DIGEST, BUNDLE)
TYPES = {".html": "text/html; charset=utf-8", ".json": "application/json", ".jpg": "image/jpeg", ".sha256": "text/plain"}


@dataclass(frozen=True)
class About:
    """Facts that the catalogue states about the whole."""

    purpose: str
    contact: str
    repository: str  # address; empty if it has none
    commit: str
    rules: str  # how pictures were annotated
    artifacts: Mapping[str, str] = field(default_factory=dict)  # name -> what it is, of dvc.yaml


def document(
    about: About, pins: Mapping[str, Pin], present: Mapping[str, stored.Stored], erased: Sequence[str]
) -> dict[str, Any]:
    """The catalogue: every pinned path at every branch and tag, with its MD5 and its key below the address of the remote."""
    refs: dict[str, dict[str, Any]] = {}
    for oid, pin in pins.items():
        for ref in pin.refs:
            if ref.commit:
                of_ref = refs.setdefault(ref.name, {"kind": ref.kind, "commit": ref.commit, "files": {}})
                of_ref["files"].update(dict.fromkeys(pin.paths, oid))
    objects = {
        oid: {"key": stored.key(oid), "size": present[oid].size if oid in present else max(pin.size, 0), "stage": pin.stage}
        for oid, pin in sorted(pins.items())
    }
    for of_ref in refs.values():
        of_ref["files"] = dict(sorted(of_ref["files"].items()))
    tags = [name for name, of_ref in refs.items() if of_ref["kind"] == "tag"]
    return {
        "catalogue": "sengu 1",
        "purpose": about.purpose,
        "contact": about.contact,
        "repository": about.repository,
        "commit": about.commit,
        "bundle": BUNDLE,
        "artifacts": dict(about.artifacts),
        "dataset_versions": {tag: version_of(tag) for tag in sorted(tags) if version_of(tag)},
        "models": {tag: model_of(tag) for tag in sorted(tags) if model_of(tag)},
        "annotation_rules": about.rules,
        "erased": sorted(erased),
        "refs": dict(sorted(refs.items())),
        "objects": objects,
    }


def serialized(catalog: Mapping[str, Any]) -> bytes:
    return (json.dumps(catalog, indent=1, ensure_ascii=False) + "\n").encode()


def digest(data: bytes) -> bytes:
    """The file beside the catalogue, as `sha256sum --check` takes it."""
    return f"{hashlib.sha256(data).hexdigest()}  {CATALOG}\n".encode()


def readme(catalog: Mapping[str, Any], remote: Remote, groups: Sequence[str]) -> bytes:
    """The page for people: what this is, and how to get any file back."""
    environment = Environment(loader=PackageLoader("sengu.remote", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    files: Mapping[str, str] = catalog["refs"].get("HEAD", {}).get("files", {})
    path, oid = next(((p, o) for p, o in files.items() if not o.endswith(".dir")), ("data/label.csv", "0" * 32))
    page = environment.get_template("readme.html").render(
        catalog=catalog,
        base=base_url(remote),
        is_s3=remote.is_s3,
        region=remote.options.get("region", "us-east-1"),
        example={"path": path, "key": stored.key(oid), "md5": oid},
        groups=groups,
    )
    return page.encode()


def base_url(remote: Remote) -> str:
    """The address that curl needs before a key."""
    if remote.is_folder:
        return f"file://{quote(str(remote.folder.resolve()))}"
    endpoint = str(remote.options.get("endpointurl", ""))
    start = f"{endpoint.rstrip('/')}/{remote.bucket}" if endpoint else f"https://{remote.bucket}.s3.amazonaws.com"
    return f"{start}/{remote.prefix}".rstrip("/")


def published(store: Store) -> list[str]:
    """The files of the catalogue that are in a remote."""
    return sorted({*store.published(PAGES), *(name for fixed in FIXED for name in store.published(fixed) if name == fixed)})


def content_type(name: str) -> str:
    return next((kind for suffix, kind in TYPES.items() if name.endswith(suffix)), "application/octet-stream")
