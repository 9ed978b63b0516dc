"""`sengu model`: the release that dvc.lock pins -> a version that others fetch by its name, or a file to give them."""

import hashlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sengu.base import params
from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.commands import places
from sengu.repository import dvc_lock
from sengu.repository.git import git

ARTIFACT = "classifier"  # its name under `artifacts` in dvc.yaml
STAGE = "export"


def register(version: str) -> str:
    """Tags HEAD as a version of the model; returns the name of the tag.

    Raises SenguError if a clone of HEAD would get another release, or if the version exists already.
    """
    expected = params.section(STAGE, params.Export).version
    if version != expected:
        raise SenguError(
            f"params.yaml: export.version is {expected}, not {version}: set it, run `dvc repro`, commit, and register that"
        )
    _check_clean()
    _check_pinned(version)
    tag = f"{ARTIFACT}@v{version}"
    if git("tag", "--list", tag):
        raise SenguError(f"version {version} is registered already (tag {tag}): versions do not change; raise export.version")
    import gto.api  # a second that the other commands need not wait
    from gto.exceptions import GTOException

    try:
        gto.api.register(".", ARTIFACT, "HEAD", f"v{version}", message=f"{ARTIFACT} {version}")
    except GTOException as error:  # such as another version for the same commit
        raise SenguError(f"{tag}: {' '.join(str(error).split())}") from error
    return tag


def bundle(folder: Path) -> Path:
    """Writes the release into `folder`, with the facts that no output can hold; returns its path. Raises SenguError."""
    from sengu.release import bundle as release

    _check_clean()
    _check_pinned(params.section(STAGE, params.Export).version)
    lock = hashlib.sha256(dvc_lock.LOCK.read_bytes()).hexdigest()
    tags = git("tag", "--points-at", "HEAD", "--list", f"{ARTIFACT}@v*").splitlines()
    return release.completed(release.find(places.RELEASE), folder, git("rev-parse", "HEAD"), lock, tags[0] if tags else None)


def _check_clean() -> None:
    """Raises SenguError if anything is not committed: others do not get it, and an annotation sheet may be among it."""
    changed = git("status", "--porcelain").splitlines()
    if changed:
        raise SenguError(
            f"{counted(len(changed), 'file')} not committed ({changed[0].strip()}…): commit or remove them, and try again"
        )


def _check_pinned(version: str) -> None:
    """Raises SenguError if dvc.lock pins no release, one of another version, another than is here, or one that is out of date."""
    pinned = dvc_lock.pinned_output(STAGE, places.RELEASE)
    if pinned is None:
        raise SenguError(f"{dvc_lock.LOCK} pins no {places.RELEASE}: run `dvc repro` and commit")
    recorded: dict[str, Any] = dvc_lock.stages()[STAGE]["params"][str(params.PARAMS)][STAGE]
    if recorded["version"] != version:
        raise SenguError(
            f"{dvc_lock.LOCK} pins the release of version {recorded['version']}, not {version}: run `dvc repro` and commit"
        )
    if places.RELEASE.is_dir() and (here := dvc_lock.dvc_hash(places.RELEASE)) != pinned["md5"]:
        raise SenguError(
            f"{places.RELEASE} is not what {dvc_lock.LOCK} pins (MD5 {here}, not {pinned['md5']}): "
            "`sengu heal models/release` restores that, or run `dvc repro` and commit"
        )
    if stale := _stale():
        raise SenguError(
            f"{dvc_lock.LOCK} is not of this commit: {', '.join(stale)} would run again, see `dvc status --with-deps {STAGE}`: "
            "run `dvc repro` and commit"
        )


def _stale() -> list[str]:
    """The stages up to the release that ran with other params, code or inputs than the present ones; outputs may be missing."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo, repo.lock:
            stages = repo.stage.collect(STAGE, with_deps=True)
            outs = {Path(out.fs_path): str(out.hash_info.value) for stage in stages for out in stage.outs}
            missing = [(stage.addressing, dep) for stage in stages for dep in stage.deps if not dep.exists]
            other = {name for name, dep in missing if _is_other(Path(dep.fs_path), dep.hash_info.value, outs)}
            return sorted(other | {stage.addressing for stage in stages if stage.changed(allow_missing=True, upstream=stages)})
    except DvcException as error:
        raise SenguError(f"`dvc status --with-deps {STAGE}` fails: {error}") from error


def _is_other(missing: Path, recorded: str, outs: Mapping[Path, str]) -> bool:
    """True if a dependency that is not here differs from `recorded`, or does not come with `dvc pull`.

    `dvc pull` brings outputs, files in them, and folders of outputs; DVC itself checks only the first.
    """
    inside = {path.relative_to(missing).as_posix(): digest for path, digest in outs.items() if path.is_relative_to(missing)}
    if any(name == "." or digest.endswith(".dir") for name, digest in inside.items()):  # what is in those, no lock says
        return False
    return dvc_lock.hash_of(inside) != recorded if inside else not any(missing.is_relative_to(path) for path in outs)


@click.group("model")
def group() -> None:
    """The released model: versions and bundles of it."""


@group.command("register")
@click.argument("version")
def register_command(version: str) -> None:
    """Tag the release that dvc.lock pins as VERSION, so that others can fetch it.

    VERSION must equal export.version in params.yaml. This prints the commands that publish and fetch it.
    """
    tag = register(version)
    url = git("remote", "get-url", "origin") if "origin" in git("remote").splitlines() else "URL"
    click.echo(f"{tag} tagged; to publish it, and to fetch it anywhere:", err=True)
    for line in ("dvc push", f"git push origin {tag}" if url != "URL" else "", fetching(url, version)):
        if line:
            click.echo(line)


def fetching(url: str, version: str) -> str:
    """The command that fetches a version, from a repository that may be bare; prints on stderr where it works."""
    from sengu.remote import configuration  # DVC

    command = f"dvc artifacts get {shlex.quote(url)} {ARTIFACT} --rev v{version}"
    remote = configuration.default()
    if remote.is_folder:
        where = f"the remote {remote.name!r} is the folder {remote.url}"
        click.echo(f"(anywhere on this machine: {where}; docs/remote.md says how to move it)", err=True)
    # a repository that is fetched from has no .dvc/config.local
    here = {"url": remote.url} if remote.is_folder else {}
    here |= {key: str(value) for key, value in remote.options.items() if key in ("endpointurl", "region")}
    if here and not remote.is_folder:
        here = {"url": remote.url, **here}
    options = "".join(f" {shlex.quote(f'{key}={value}')}" for key, value in here.items())
    return f"{command} --remote {remote.name} --remote-config{options}" if options else command


@group.command("bundle")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def bundle_command(folder: Path) -> None:
    """Write the release to DIR, with the Git commit, its tag and the hash of dvc.lock in its manifest."""
    click.echo(bundle(folder))
