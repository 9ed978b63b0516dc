"""`sengu where`: a stray file -> the commit, tag, dataset version and rules that it came from."""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from sengu.base.digests import md5, sha1
from sengu.base.errors import SenguError
from sengu.commands import places
from sengu.commands.objects.find import indexed
from sengu.repository import comparing, history
from sengu.repository.git import ask
from sengu.repository.history import CACHE, Commit, Pin

RULES = "labels/RULES.md"
MANIFEST = "manifest.json"
EXPORT = "export"
DATASETS = "data/dataset/"


@dataclass(frozen=True)
class Origin:
    """One place in history that a file came from, and the stages of the lock files there."""

    what: str
    commit: Commit
    tags: tuple[str, ...]
    locked: Mapping[str, Any]

    @property
    def datasets(self) -> list[str]:
        """The version that the split was made of, or all that are pinned, each with its hash."""
        split = self.locked.get("split", {})
        used = [dep for dep in split.get("deps", []) if dep["path"].startswith(DATASETS)]
        pinned = [out for stage in self.locked.values() for out in stage.get("outs", []) if out["path"].startswith(DATASETS)]
        return [f"{Path(entry['path']).name} ({entry['md5']})" for entry in used or pinned]

    @property
    def split(self) -> str:
        """The path of the table that says which pictures a model was trained on; empty text if none is pinned."""
        return next((out["path"] for out in self.locked.get("split", {}).get("outs", [])), "")

    @property
    def rules(self) -> str:
        """The hash of the annotation rules as they were, by which `git show` prints them; empty text if there were none."""
        return ask("rev-parse", "--verify", "--quiet", f"{self.commit.sha}:{RULES}")


def origins(path: Path) -> list[Origin]:
    """Origins of a file, the surest first. Raises SenguError for a folder."""
    if not path.is_file():
        raise SenguError(f"{path} is not a file: name one, such as a release, a page or a table")
    if traces := _pinned(md5(path)):
        return traces
    if (data := path.read_bytes()).count(b"\r\n"):  # mail turns the line ends of texts
        plain = hashlib.md5(data.replace(b"\r\n", b"\n"), usedforsecurity=False).hexdigest()
        traces = [replace(origin, what=f"{origin.what}; its line ends were changed") for origin in _pinned(plain)]
    return traces or [*_of_release(path), *_in_release(path), *_in_git(path)]


def _pinned(digest: str) -> list[Origin]:
    """Places where a lock file had such a file, by itself or in a folder."""
    traces = [_origin(f"{pin.path}, written by {pin.stage}", pin) for pin in history.pins(digest)]
    for value, name in history.folders_with(digest):
        traces += [_origin(f"{pin.path}/{name}, written by {pin.stage}", pin) for pin in history.pins(value)]
    return traces


def _origin(what: str, pin: Pin) -> Origin:
    return Origin(what, pin.commit, pin.tags, history.locked_at(pin.commit.sha))


def _at(what: str, commit: Commit) -> Origin:
    return Origin(what, commit, tuple(history.tags_after(commit.sha)), history.locked_at(commit.sha))


def _of_release(path: Path) -> Iterator[Origin]:
    """Origins of a release: a bundle names its commit; another copy is identified by the files that its manifest lists."""
    manifest = _manifest(path)
    if commit := manifest.get("git_commit"):
        lines = ask("log", "-1", "--format=%H%x09%an <%ae>%x09%aI", str(commit))
        what = f"a bundle of {manifest.get('name')} {manifest.get('version')}, which names its commit"
        if not lines:
            raise SenguError(f"{path} is of commit {commit}, which is not in this repository: run `git fetch --all --tags`")
        yield _at(what, Commit(*lines.split("\t")))


def _in_release(path: Path) -> Iterator[Origin]:
    """Origins of a repacked release, or of a file taken out of one."""
    files = _manifest(path).get("files", {})
    # all releases of all projects share licence and program: only the models identify one
    wanted = {digest for name, digest in files.items() if name.endswith(".onnx")} or set(files.values())
    wanted = wanted or {hashlib.sha256(path.read_bytes()).hexdigest()}
    for value, inside in history.folders():
        for name, digest in inside.items():
            cached = CACHE / digest[:2] / digest[2:]
            if name.endswith(".zip") and cached.is_file() and wanted & set(_manifest(cached).get("files", {}).values()):
                yield from (_origin(f"what is in {pin.path}/{name}, written by {pin.stage}", pin) for pin in history.pins(value))


def _manifest(path: Path) -> dict[str, Any]:
    """The manifest in a release, or taken out of one; empty if the file is neither."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                document = json.loads(archive.read(MANIFEST))
        else:
            document = json.loads(path.read_bytes()) if path.suffix == ".json" else {}
    except (KeyError, ValueError):
        return {}
    return document if isinstance(document, dict) and isinstance(document.get("files"), dict) else {}


def says(path: Path) -> str:
    """The origin that a release, or the model taken out of it, states itself, in case nothing of it is known here."""
    facts: Mapping[str, Any] = _manifest(path)
    if facts:
        facts = {**facts, "dataset_version": facts.get("dataset", {}).get("version", "")}
    elif path.suffix == ".onnx":
        import onnx  # a second that other files need not wait
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

        try:
            facts = {prop.key: prop.value for prop in onnx.load(path, load_external_data=False).metadata_props}
        except DecodeError:
            return ""
    if not facts.get("name"):
        return ""
    repository = f" of the repository {facts['repository']}" if facts.get("repository") else ""
    return (
        f"it says itself that it is {facts['name']} {facts.get('version')}{repository}, of dataset {facts.get('dataset_version')}"
    )


def _in_git(path: Path) -> Iterator[Origin]:
    """A file that Git tracks, or once did."""
    blob = ask("hash-object", "--no-filters", str(path.resolve()))
    for commit in history.commits(extra=("--find-object", blob))[::-1][:1]:
        names = ask("ls-tree", "-r", commit.sha).splitlines()
        for name in (line.partition("\t")[2] for line in names if blob in line):
            yield _at(f"{name}, which Git tracks", commit)


def remote() -> str:
    """Name and url of the default remote, as .dvc/config has them; empty text if there is none."""
    from dvc.config import Config  # a second

    config = Config(".dvc", validate=False)
    name = config["core"].get("remote")
    return f"{name} {config['remote'][name]['url']}" if name in config["remote"] else ""


def described(origin: Origin) -> str:
    """An origin as lines of `name: value`."""
    commit = origin.commit
    # a tag may hold the file beside a newer split, if the file was not made again
    split = origin.locked.get("split", {}).get("outs")
    fitting = (tag for tag in origin.tags if history.locked_at(tag).get("split", {}).get("outs") == split)
    rev = next(fitting, commit.sha)
    lines = {
        "what": origin.what,
        "commit": f"{commit.sha} ({commit.date}, {commit.author})",
        "tags": " ".join(origin.tags) or "none",
        "dataset": ", ".join(origin.datasets) or "none",
        "rules": f"git show {origin.rules}" if origin.rules else "none",
        "outputs": comparing.digest(origin.locked),
        "repository": ask("remote", "get-url", "origin") or str(Path().resolve()),
        "remote": remote() or "none",
        "trained on": f"dvc get . {origin.split} --rev {rev}, the rows of type train" if origin.split else "no split is pinned",
        "to get it": f"git checkout {rev} && dvc pull",
    }
    return "\n".join(f"{name + ':':12} {value}" for name, value in lines.items())


def _picture(path: Path) -> str:
    """The id of the object that a file is; empty text if it is none. DVC pins the archives of pictures, not each picture."""
    if not places.INDEX.is_dir():  # as in a clone without data
        return ""
    return next(map(str, indexed(sha1(path))), "")


@click.command("where")
@click.argument("file", type=click.Path(path_type=Path))
def command(file: Path) -> None:
    """Say where FILE came from: a model, release, picture, page or table, under any name.

    It searches the whole history of dvc.lock, then what a release says of itself, then the files that Git tracks,
    then the names of the objects.
    """
    traces = origins(file)
    if not traces and (name := _picture(file)):
        click.echo(
            f"{file} is the object {name}: `sengu objects info {name}` says which page, archive, labels and versions have it"
        )
    elif not traces:
        raise SenguError(
            f"{file} (MD5 {md5(file)}) is not pinned or tracked by this repository: if it is in a folder that only the remote "
            "has, run `dvc fetch --all-commits` and repeat; else it is from another repository, or was changed"
            + (f"; {own_words}" if (own_words := says(file)) else "")
        )
    else:
        click.echo("\n\n".join(map(described, traces)))
