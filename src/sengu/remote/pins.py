"""The lock files of this working tree, and of every known branch and tag -> every pinned object, and who needs it."""

import json
import posixpath
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sengu.base import digests
from sengu.base.errors import SenguError
from sengu.base.tables import tombstones

HERE = "working tree"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast
KINDS = {"refs/heads/": "branch", "refs/remotes/": "remote branch", "refs/tags/": "tag", "refs/exps/": "experiment"}
# a tag of gto: <artifact>@v<version>, or <folder>=<artifact>@v<version> for one that another dvc.yaml names
REGISTERED = re.compile(r"^(?:(?P<folder>[^=@#]+)=)?(?P<name>[^=@#]+)@(?P<version>v[^@#]+)$")


@dataclass(frozen=True)
class Ref:
    """A branch or tag, or this working tree, which has no commit."""

    name: str
    kind: str
    commit: str = ""


@dataclass(frozen=True)
class Output:
    """One output that a lock file pins, below the root of the repository; `size` is -1 if unknown.

    `stage` is its address for `dvc repro`, or the .dvc file; `remote` is empty for the default one.
    """

    oid: str
    path: str
    stage: str
    size: int = -1
    is_irreplaceable: bool = False
    remote: str = ""


@dataclass
class Pin:
    """One object that must lie in the remote: an output, or a file of one."""

    oid: str
    path: str
    stage: str
    size: int = -1
    is_irreplaceable: bool = False
    remotes: set[str] = field(default_factory=set)  # that its outputs name; "" for the default one
    refs: set[Ref] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)

    @property
    def tags(self) -> list[str]:
        return sorted(ref.name for ref in self.refs if ref.kind == "tag")

    @property
    def branches(self) -> list[str]:
        return sorted(ref.name for ref in self.refs if ref.kind != "tag")

    @property
    def commits(self) -> list[str]:
        return sorted({ref.commit[:10] for ref in self.refs if ref.commit})

    @property
    def versions(self) -> list[str]:
        """The dataset versions that need it: registered ones, and the one whose table it is."""
        own = [path.split("/")[2] for path in self.paths if path.startswith("data/dataset/") and path.count("/") >= 2]
        return sorted({*own, *(name for tag in self.tags if (name := version_of(tag)))})

    @property
    def models(self) -> list[str]:
        return sorted(name for tag in self.tags if (name := model_of(tag)))


def version_of(tag: str) -> str:
    """The dataset version that a tag of gto registers; empty if it is of something else."""
    match = REGISTERED.match(tag)
    is_dataset = match is not None and ((match["folder"] or "").startswith("dataset") or match["name"].startswith("dataset"))
    return f"{match['name']} {match['version']}" if match is not None and is_dataset else ""


def model_of(tag: str) -> str:
    """The model that a tag of gto registers; empty if it is of something else."""
    match = REGISTERED.match(tag)
    return f"{match['name']} {match['version']}" if match is not None and not version_of(tag) else ""


def refs(experiments: bool = False) -> list[Ref]:
    """All refs: this working tree, its commit, all local and remote-tracking branches and all tags."""
    head = _git("rev-parse", "--verify", "--quiet", "HEAD", fails="").strip()
    known = [Ref(HERE, "tree"), *([Ref("HEAD", "commit", head)] if head else [])]
    # of an annotated tag the commit is wanted, not the tag
    for line in _git("for-each-ref", "--format=%(refname)\t%(objectname)\t%(*objectname)").splitlines():
        name, commit, peeled = line.split("\t")
        prefix = next((prefix for prefix in KINDS if name.startswith(prefix)), "")
        if prefix and not name.endswith("/HEAD") and (experiments or prefix != "refs/exps/"):
            known.append(Ref(name.removeprefix(prefix), KINDS[prefix], peeled or commit))
    return known


def history() -> list[Ref]:
    """Every commit that this clone knows, the newest first."""
    lines = _git("log", "--all", "--format=%H", "--", "*dvc.lock", "*.dvc", fails="").split()
    return [Ref(commit[:10], "commit", commit) for commit in lines]


def is_shallow() -> bool:
    return _git("rev-parse", "--is-shallow-repository", fails="false").strip() == "true"


def outputs(ref: Ref) -> list[Output]:
    """The outputs that the lock files at a ref pin. Raises SenguError if one of them is damaged."""
    if not ref.commit:
        return _outputs_here()
    return list(_outputs_of(tuple(_tree(ref.commit))))


def pinned(known: Iterable[Ref], listing: Callable[[str], bytes | None]) -> tuple[dict[str, Pin], list[str]]:
    """Every object that these refs pin, by its oid, files of folders among them; and the folders whose listing is not to be had.

    `listing` gives the content of an object ending in .dir, or None.
    """
    by_output: dict[Output, set[Ref]] = {}
    for ref in known:
        for output in outputs(ref):
            by_output.setdefault(output, set()).add(ref)
    pins: dict[str, Pin] = {}
    unknown = []
    listings: dict[str, list[dict[str, str]] | None] = {}
    for output, needed_by in by_output.items():
        if not output.oid.endswith(".dir"):
            _add(pins, output, needed_by)
            continue
        _add(pins, replace(output, size=-1), needed_by)  # the size of a folder is not that of its listing
        if output.oid not in listings:
            data = listing(output.oid)
            listings[output.oid] = json.loads(data) if data is not None else None
        files = listings[output.oid]
        if files is None:
            unknown.append(output.oid)
        for file in files or []:
            place = posixpath.join(output.path, file["relpath"])
            _add(pins, replace(output, oid=file["md5"], path=place, size=-1), needed_by)
    return pins, unknown


def erased(known: Iterable[Ref]) -> frozenset[str]:
    """The MD5s of files that held erased objects, as this working tree or any of these refs lists them.

    An old commit does not list later erasures, which apply to it all the same.
    """
    md5s = set(tombstones.erased_files())
    for commit in {ref.commit for ref in known if ref.commit}:
        text = _git("show", f"{commit}:./{tombstones.FILES}", fails="")
        md5s |= {line.partition(",")[0] for line in text.splitlines()[1:]}
    return frozenset(md5s)


def erased_objects(known: Iterable[Ref]) -> frozenset[str]:
    """The SHA-1s of erased objects, as this working tree or any of these refs lists them."""
    sha1s = set(tombstones.erased())
    for commit in {ref.commit for ref in known if ref.commit}:
        text = _git("show", f"{commit}:./{tombstones.TOMBSTONES}", fails="")
        sha1s |= {line.partition(",")[0].partition(".")[0] for line in text.splitlines()[1:]}
    return frozenset(sha1s)


def parse(files: Mapping[str, bytes]) -> list[Output]:
    """The outputs that lock files and .dvc files pin. `files` has them with their dvc.yaml and params.yaml, by path.

    Outputs with `cache: false` or `push: false` are left out: DVC does not push them.
    """
    outs: list[Output] = []
    params = _document(files, "params.yaml")
    for path in sorted(files):
        folder, name = posixpath.split(path)
        if name == "dvc.lock":
            stages = _document(files, posixpath.join(folder, "dvc.yaml")).get("stages", {})
            for stage, entry in (_document(files, path).get("stages") or {}).items():
                outs += _of_stage(folder, stage, entry, stages.get(stage.partition("@")[0], {}), params)
        elif name.endswith(".dvc") and name != ".dvc":
            document = _document(files, path)
            base = posixpath.join(folder, document.get("wdir", "."))
            for out in document.get("outs") or []:
                if "md5" in out and out.get("cache", True) and out.get("push", True):
                    place = posixpath.normpath(posixpath.join(base, out["path"]))
                    outs.append(Output(out["md5"], place, path, out.get("size", -1), True, out.get("remote", "")))
    return outs


def _of_stage(
    folder: str, name: str, entry: Mapping[str, Any], stage: Mapping[str, Any], params: Mapping[str, Any]
) -> Iterator[Output]:
    stage = stage.get("do", stage)
    address = f"{folder}/dvc.yaml:{name}" if folder else name
    base = posixpath.join(folder, stage.get("wdir", "."))
    declared = [_declared(out) for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    for out in entry.get("outs", []):
        options = next((options for pattern, options in declared if pattern.fullmatch(out["path"])), {})
        if "md5" not in out or not options.get("cache", True) or not options.get("push", True):
            continue
        place = posixpath.normpath(posixpath.join(base, out["path"]))
        kept = Output(
            out["md5"], place, address, out.get("size", -1), is_irreplaceable(name, params), options.get("remote", "") or ""
        )
        yield kept


def _declared(out: str | Mapping[str, Any]) -> tuple[re.Pattern[str], Mapping[str, Any]]:
    """The path of an output in dvc.yaml, as a pattern, since it may have ${…} in it, and its options."""
    path, options = (out, {}) if isinstance(out, str) else next(iter(out.items()))
    parts = re.split(r"(\$\{[^${}]*+\})", path)
    return re.compile("".join(".+" if part.startswith("${") else re.escape(part) for part in parts)), options or {}


def is_irreplaceable(stage: str, params: Mapping[str, Any]) -> bool:
    """True if nobody can make the outputs of a stage again. The web has moved on; what is not reproducible stays lost."""
    name, _, key = stage.partition("@")
    if name == "crawl":
        site = (params.get("sites") or {}).get(key) or {}
        return not (site.get("fetch") or {}).get("reproducible", False)
    return name == "backbone" and (params.get("backbone") or {}).get("source") != "embedded"


def _add(pins: dict[str, Pin], output: Output, needed_by: set[Ref]) -> None:
    pin = pins.setdefault(output.oid, Pin(output.oid, output.path, output.stage, output.size, output.is_irreplaceable))
    pin.refs |= needed_by
    pin.remotes.add(output.remote)
    pin.paths.add(output.path)
    pin.size = max(pin.size, output.size)
    # the output of several stages is as precious as for the stage that needs it most
    pin.is_irreplaceable |= output.is_irreplaceable


def _document(files: Mapping[str, bytes], path: str) -> dict[str, Any]:
    path = posixpath.normpath(path)
    if path not in files:
        return {}
    try:
        value = yaml.load(files[path], LOADER)
    except yaml.YAMLError as error:
        raise SenguError(f"{path}: not YAML: {' '.join(str(error).split())}: restore it with `git checkout -- {path}`") from error
    if value is None and path.endswith("dvc.lock"):  # as after a kill in the middle of `dvc repro`
        raise SenguError(f"{path} is empty: restore it with `git checkout -- {path}`")
    return value if isinstance(value, dict) else {}


def _is_wanted(path: str) -> bool:
    name = posixpath.basename(path)
    return name in ("dvc.lock", "dvc.yaml") or path == "params.yaml" or (name.endswith(".dvc") and name != ".dvc")


def _outputs_here() -> list[Output]:
    names = _git("ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    wanted = [Path(name) for name in dict.fromkeys(names) if _is_wanted(name)]
    return parse({path.as_posix(): path.read_bytes() for path in wanted if path.is_file()})


def _tree(commit: str) -> Iterator[tuple[str, str]]:
    """The files that matter of a commit, with the names of their blobs; below the current folder."""
    for line in _git("ls-tree", "-r", "-z", commit).split("\0"):
        about, _, path = line.partition("\t")
        if path and _is_wanted(path):
            yield path, about.split()[2]


@cache
def _outputs_of(tree: Sequence[tuple[str, str]]) -> list[Output]:
    return parse({path: _blob(blob) for path, blob in tree})


@cache
def _blob(name: str) -> bytes:
    return subprocess.run(["git", "cat-file", "blob", name], capture_output=True, check=True).stdout


def _git(*arguments: str, fails: str | None = None) -> str:
    """Runs Git and returns its output. If that `fails`, it is raised, or else SenguError."""
    done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    if done.returncode:
        if fails is None:
            raise SenguError(f"`git {' '.join(arguments[:2])}` failed: {done.stderr.decode(errors='replace').strip()}")
        return fails
    return done.stdout.decode("utf-8", "replace")


class Cache:
    """Local copies of objects: DVC's cache, and the files of the working tree."""

    def __init__(self, folder: Path, here: Iterable[Output] = ()):
        self.folder = folder
        self.tree = {output.oid: Path(output.path) for output in here}

    def path(self, oid: str) -> Path | None:
        """A whole copy of an object; it is hashed. None if there is none."""
        place = self.folder / "files/md5" / oid[:2] / oid[2:]
        for path in (place, self.tree.get(oid)):
            if path is not None and path.is_file() and digests.md5(path) == oid.removesuffix(".dir"):
                return path
        return None

    def has(self, oid: str) -> bool:
        """True if the cache has a file of that name. It is not hashed."""
        return (self.folder / "files/md5" / oid[:2] / oid[2:]).is_file()

    def listing(self, oid: str) -> bytes | None:
        path = self.path(oid)
        return path.read_bytes() if path else None
