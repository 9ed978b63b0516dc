"""The files .dvc/config and .dvc/config.local -> the remotes of this clone, under addresses that hold at every revision.

DVC reads .dvc/config of the revision it works at, but always the .dvc/config.local that is here. At another revision, it
resolves a relative address in the first from the root of the file system; `dvc push --all-tags` then says pushed, and nothing
arrives. So .dvc/config.local names the default remote and repeats the full address of every remote (docs/remote.md).
"""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dvc.config import Config, ConfigError

from sengu.base.errors import SenguError, run_program

SETUP = "`sengu remote init`"


@dataclass(frozen=True)
class Remote:
    """One remote as DVC has it; `options` are its other settings, such as endpointurl, profile and region."""

    name: str
    url: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_s3(self) -> bool:
        return urlsplit(self.url).scheme == "s3"

    @property
    def is_folder(self) -> bool:
        return not urlsplit(self.url).scheme

    @property
    def folder(self) -> Path:
        return Path(self.url)

    @property
    def bucket(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def prefix(self) -> str:
        """The beginning of every key: empty, or with a slash at its end."""
        path = urlsplit(self.url).path.strip("/")
        return f"{path}/" if path else ""


def remotes(root: Path = Path()) -> dict[str, Remote]:
    """The remotes of the repository in `root` by name, the default one first; relative addresses are resolved."""
    merged: dict[str, dict[str, Any]] = {}
    for file in ("config", "config.local"):
        for name, settings in _read(root, file).get("remote", {}).items():
            merged.setdefault(name, {}).update(settings)
    names = sorted(merged, key=lambda name: (name != default_name(root), name))
    return {
        name: Remote(name, _absolute(root, merged[name]["url"]), {k: v for k, v in merged[name].items() if k != "url"})
        for name in names
        if "url" in merged[name]
    }


def default_name(root: Path = Path()) -> str:
    """The name of the default remote; empty if there is none."""
    name = ""
    for file in ("config", "config.local"):
        name = _read(root, file).get("core", {}).get("remote", name)
    return name


def committed(root: Path = Path()) -> str:
    """Name and address of the default remote as .dvc/config, which Git tracks, has them; empty text if there is none."""
    document = _read(root, "config")
    name = document.get("core", {}).get("remote", "")
    url = document.get("remote", {}).get(name, {}).get("url", "")
    return f"{name} {url}" if url else ""


def default(root: Path = Path()) -> Remote:
    """The default remote. Raises SenguError if there is none."""
    return named("", root)


def named(name: str, root: Path = Path()) -> Remote:
    """A remote by its name, or the default one. Raises SenguError if there is none such."""
    known = remotes(root)
    name = name or default_name(root)
    if not name:
        raise SenguError("no remote is set: name one with `sengu remote init s3://BUCKET/PREFIX`")
    if name not in known:
        raise SenguError(f".dvc/config has no remote {name!r}: it has {', '.join(known) or 'none'}; see `dvc remote list`")
    return known[name]


def set_up(root: Path = Path()) -> list[Remote]:
    """Writes .dvc/config.local, so that DVC finds the remotes from this clone at every revision; returns them.

    It keeps a folder that .dvc/config.local names; a bucket's address is always the committed one.
    """
    committed, local = _read(root, "config"), _read(root, "config.local")
    name = committed.get("core", {}).get("remote")
    if name is None and not local.get("remote"):
        return []
    with _editing(root, "local") as conf:
        if name is not None:
            conf["core"]["remote"] = name
        for key, settings in committed.get("remote", {}).items():
            kept = local.get("remote", {}).get(key, {}).get("url", "")
            url = str(settings["url"])
            if not urlsplit(url).scheme:
                url = kept if Path(kept).is_absolute() else _resolved(root, key, url)
            conf["remote"].setdefault(key, {})["url"] = url
    return list(remotes(root).values())


def move(root: Path, name: str, url: str, options: Mapping[str, str]) -> None:
    """Makes `url` the default remote of the project, with `verify`; `options` go into .dvc/config.local only."""
    with _editing(root, "repo") as conf:
        conf["core"]["remote"] = name
        conf["remote"][name] = {"url": url, "verify": True}
    with _editing(root, "local") as conf:
        conf["core"]["remote"] = name
        conf["remote"][name] = {**conf["remote"].get(name, {}), "url": url, **options}
    set_up(root)


def add_options(root: Path, name: str, options: Mapping[str, str]) -> None:
    """Sets options of a remote in .dvc/config.local."""
    with _editing(root, "local") as conf:
        conf["remote"].setdefault(name, {}).update(options)


def lend(root: Path, clone: Path) -> None:
    """Lets a clone anywhere reach the remotes of the repository in `root`."""
    name = default_name(root)
    with _editing(clone, "local") as conf:
        if name:
            conf["core"]["remote"] = name
        for remote in remotes(root).values():
            conf["remote"].setdefault(remote.name, {})["url"] = remote.url


def cache_folder(root: Path = Path()) -> Path:
    """The folder of DVC's cache."""
    folder = str(root / ".dvc/cache")
    for file in ("config", "config.local"):
        if chosen := _read(root, file).get("cache", {}).get("dir"):
            folder = str(root / ".dvc" / chosen)
    return Path(folder)


def doubts(root: Path = Path()) -> list[str]:
    """Faults of the configuration itself, a line each, with its cure."""
    committed, local = _read(root, "config"), _read(root, "config.local")
    name = committed.get("core", {}).get("remote")
    lines = []
    for key, settings in committed.get("remote", {}).items():
        here = local.get("remote", {}).get(key, {})
        if not (urlsplit(settings["url"]).scheme or any(Path(known.get("url", "")).is_absolute() for known in (settings, here))):
            lines.append(
                f".dvc/config: the address of remote {key!r} is relative ({settings['url']}), so `dvc push --all-tags` and "
                f"`dvc exp push` would lose data: run {SETUP}"
            )
        if "verify" not in {**settings, **here}:
            lines.append(
                f".dvc/config: remote {key!r} is without verify, so DVC checks out what it has corrupted: "
                f"`dvc remote modify {key} verify true`, and commit"
            )
    for key, settings in local.get("remote", {}).items():
        if "url" not in settings:
            lines.append(f".dvc/config.local: remote {key!r} has no url, so commits that do not know it are skipped: run {SETUP}")
    if name is not None and local.get("core", {}).get("remote", name) != name:
        lines.append(f".dvc/config.local names the default remote {local['core']['remote']!r}, .dvc/config {name!r}: run {SETUP}")
    return lines


def check(root: Path) -> None:
    """Raises SenguError if the default remote is a folder that is not there."""
    remote = default(root)
    if remote.is_folder and not remote.folder.is_dir():
        raise SenguError(
            f"remote {remote.name!r} is the folder {remote.folder}, which is not here: mount or copy it, or name the place where "
            f"it is with `sengu remote init {remote.folder.name}`; docs/remote.md"
        )


def _read(root: Path, file: str) -> dict[str, Any]:
    path = root / ".dvc" / file
    if not path.is_file():
        return {}
    try:
        return dict(Config.load_file(str(path)))
    except ConfigError as error:
        raise SenguError(f"{path}: {error}: correct it by hand, see `dvc config --help`") from error


def _editing(root: Path, level: str) -> Any:
    # not validated: the other settings are DVC's
    return Config(str((root / ".dvc").resolve()), validate=False).edit(level, validate=False)


def _absolute(root: Path, url: str) -> str:
    return url if urlsplit(url).scheme or Path(url).is_absolute() else str((root / ".dvc" / url).resolve())


def _resolved(root: Path, name: str, url: str) -> str:
    """The folder of a relative address: the first place that is there, else the one beside the main working tree."""
    places = list(dict.fromkeys(_candidates(root.resolve(), name, url)))
    return next((place for place in places if Path(place).is_dir()), places[0])


def _candidates(root: Path, name: str, url: str) -> Iterator[str]:
    common = _git(root, "rev-parse", "--path-format=absolute", "--git-common-dir")
    main = Path(common).parent if Path(common).name == ".git" else root
    if (main / ".dvc").is_dir():  # of this working tree, or of the one that it was added to
        yield _known(main, name, url)
    yield _absolute(root, url)
    origin = _git(root, "config", "--get", "remote.origin.url")
    source = (root / origin).resolve() if origin and not urlsplit(origin).scheme else None
    if source is not None and source.is_dir():  # a clone or submodule of a repository on this machine, bare or not
        yield _known(source, name, url)


def _known(root: Path, name: str, url: str) -> str:
    local = _read(root, "config.local").get("remote", {}).get(name, {}).get("url", "")
    return local if Path(local).is_absolute() else _absolute(root, url)


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout.strip()


def main(arguments: list[str]) -> None:
    """Sets up a clone; `make install` runs it."""
    if (Path(arguments[0]) / ".dvc").is_dir():
        set_up(Path(arguments[0]))


if __name__ == "__main__":
    run_program(main, "REPOSITORY")
