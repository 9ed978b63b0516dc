"""A pinned object without a copy -> its stage run again, in a clone that pulls only the inputs of this stage."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from dvc.repo import Repo

from sengu.base import digests, params
from sengu.base.errors import SenguError
from sengu.base.tables import tombstones
from sengu.remote import configuration
from sengu.remote.pins import Pin, is_irreplaceable
from sengu.repository import dvc_lock

TAKEN_ALONG = (".dvc/config", ".dvc/config.local", str(tombstones.TOMBSTONES))


@dataclass(frozen=True)
class Made:
    """One output of a stage, where it is in the clone; `digest` is as the lock file has it, empty for one that is not cached."""

    path: Path
    digest: str

    @property
    def is_whole(self) -> bool:
        if not self.digest or not self.path.exists():
            return False
        return self.digest == (dvc_lock.dvc_hash(self.path) if self.path.is_dir() else digests.md5(self.path))


@dataclass(frozen=True)
class Maker:
    """A stage, or a .dvc file, which has no command; `may_run` is False also for what asks the web again."""

    may_run: bool
    deps: tuple[Path, ...]
    outs: tuple[Made, ...]


@dataclass
class Clone:
    """A clone of one commit, in which stages run again; what they need is pulled, or made by the stages before them."""

    folder: Path
    makers: Mapping[str, Maker]  # by address
    here: set[Path] = field(default_factory=set)  # outputs that are as they are pinned
    ran: set[str] = field(default_factory=set)

    def run(self, address: str) -> None:
        """Runs a stage again, once, after its inputs are there. The caller checks its outputs."""
        maker = self.makers.get(address)
        if maker is None or not maker.may_run or address in self.ran:
            return
        self.ran.add(address)
        self._bring(maker.deps)
        dvc(self.folder, "repro", "--quiet", "--force", "--single-item", address)
        # a different result must not decide what is pulled next
        _call(self.folder, "git", "checkout", "--quiet", "HEAD", "--", ":(glob)**/dvc.lock", required=False)
        self.here -= {made.path for made in maker.outs}

    def _bring(self, deps: Iterable[Path]) -> None:
        needed = {
            made: address
            for address, maker in self.makers.items()
            for made in maker.outs
            if any(made.path.is_relative_to(dep) or dep.is_relative_to(made.path) for dep in deps)
        }
        pulled = [made for made in needed if made.digest and made.path not in self.here]
        if pulled:
            paths = (made.path.relative_to(self.folder).as_posix() for made in pulled)
            dvc(self.folder, "pull", "--quiet", "--force", "--allow-missing", *paths)
            self.here |= {made.path for made in pulled if made.is_whole}
        for made, address in needed.items():
            if made.path not in self.here:  # an object tree, or an object that the remote has lost as well
                self.run(address)

    def files(self, address: str) -> Iterator[Path]:
        """The files that a stage has made."""
        maker = self.makers.get(address)
        for made in maker.outs if maker else ():
            yield from [made.path] if made.path.is_file() else (path for path in made.path.rglob("*") if path.is_file())


def rebuilder(folder: Path) -> Callable[[Pin], Mapping[str, Path]]:
    """A function that runs the stage of a pin again, in a clone in `folder` at a commit that pins it; gives files by MD5.

    The clones take this working tree's tombstones, whatever their commit, so that nothing erased is made again.
    """
    clones: dict[str, Clone] = {}

    def rebuild(pin: Pin) -> Mapping[str, Path]:
        ref = min(pin.refs, key=lambda ref: (not ref.commit, ref.kind == "tag", ref.name))
        if not ref.commit:
            return {}  # pinned by what is not committed only
        if ref.commit not in clones:
            clones[ref.commit] = _clone(folder / ref.commit[:10], ref.commit)
        clone = clones[ref.commit]
        clone.run(pin.stage)
        listings = (clone.folder / ".dvc/cache/files/md5").glob("*/*.dir")
        return {digests.md5(path): path for path in clone.files(pin.stage)} | {
            path.parent.name + path.name: path for path in listings
        }

    return rebuild


def _clone(folder: Path, commit: str) -> Clone:
    root = Path.cwd()
    _call(root, "git", "clone", "--quiet", "--shared", "--no-checkout", str(root), str(folder))
    _call(folder, "git", "checkout", "--quiet", "--detach", commit)
    for name in TAKEN_ALONG:
        if (root / name).is_file():
            (folder / name).write_bytes((root / name).read_bytes())
    configuration.lend(root, folder)
    return Clone(folder, makers(folder))


def makers(folder: Path) -> dict[str, Maker]:
    """Every stage and .dvc file of a repository by its address, as `dvc repro` takes it in the root."""
    path = folder / params.PARAMS
    settings = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    by_address: dict[str, Maker] = {}
    with Repo(str(folder)) as repo:
        for stage in repo.index.stages:
            file = Path(stage.path).relative_to(repo.root_dir)
            name = getattr(stage, "name", "")
            address = file.as_posix() if not name else name if file == Path("dvc.yaml") else f"{file.as_posix()}:{name}"
            by_address[address] = Maker(
                bool(stage.cmd) and not stage.frozen and not is_irreplaceable(name, settings or {}),
                tuple(Path(dep.fs_path) for dep in stage.deps if dep.protocol == "local"),
                tuple(Made(Path(out.fs_path), str(out.hash_info.value or "") if out.use_cache else "") for out in stage.outs),
            )
    return by_address


def dvc(folder: Path, *arguments: str) -> None:
    """Runs DVC; a failure shows in files that are missing afterwards."""
    _call(folder, sys.executable, "-m", "dvc", *arguments, required=False)


def _call(folder: Path, *command: str, required: bool = True) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    if required and done.returncode:
        raise SenguError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
