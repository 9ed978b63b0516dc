"""Object trees -> one folder for people and other programs: an OverlayFS mount, or a tree of links. Read-only."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from tqdm import tqdm

from sengu.base import working
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.names import counted
from sengu.commands import places
from sengu.objects.store import ObjectStore

EMPTY = working.EMPTY  # OverlayFS wants at least two layers


def mount(roots: Sequence[Path], folder: Path) -> str:
    """Mounts the trees as one at `folder`, read-only; returns the program that did it.

    It uses the kernel's OverlayFS for root, and fuse-overlayfs for others. Raises SenguError if neither works.
    """
    _check(roots, folder)
    for tree in ObjectStore(roots).trees:
        if tree.records:
            raise SenguError(
                f"{tree.root} has no files to mount, because objects.tree is false: `sengu objects link {folder}` writes them"
            )
    EMPTY.mkdir(parents=True, exist_ok=True)
    layers = [str(path.resolve()) for path in (*roots, EMPTY)]
    # a colon separates layers, a comma options
    lower = ":".join(layer.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,") for layer in layers)
    folder.mkdir(parents=True, exist_ok=True)
    commands = [["fuse-overlayfs", "-o", f"lowerdir={lower}", str(folder)]]
    if os.geteuid() == 0:
        commands.insert(0, ["mount", "-t", "overlay", "overlay", "-o", f"ro,lowerdir={lower}", str(folder)])
    reasons = []
    for command in commands:
        if shutil.which(command[0]) is None:
            reasons.append(f"{command[0]} is not installed")
            continue
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return command[0]
        reasons.append(f"{command[0]}: {' '.join(done.stderr.split())}")
    folder.rmdir()
    raise SenguError(f"{folder} cannot be mounted ({'; '.join(reasons)}): use `sengu objects link {folder}`")


def umount(folder: Path) -> None:
    """Removes the mount and its empty folder. Raises SenguError if there is no mount."""
    if not folder.is_mount():
        raise SenguError(f"{folder} is not a mount: nothing to take away")
    reasons = []
    for command in (["umount", str(folder)], ["fusermount3", "-u", str(folder)], ["fusermount", "-u", str(folder)]):
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            folder.rmdir()
            return
        reasons.append(" ".join(done.stderr.split()))
    raise SenguError(f"{folder} cannot be unmounted: {'; '.join(reasons)}")


def link(roots: Sequence[Path], folder: Path) -> int:
    """Links every object below `folder` at ab/cd/<object id>; returns how many.

    Hard links, or symbolic ones where the trees are on another file system; an object that lies in an archive is written. Raises
    SenguError for a folder that is not empty.
    """
    _check(roots, folder)
    count = 0
    for root in roots:
        for path in _leaves(root):
            target = folder / path.relative_to(root)
            if target.exists():  # another site has it too
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(path, target)
            count += 1
    store = ObjectStore(roots)
    archived = {object_id for tree in store.trees for object_id in tree.records}
    for object_id in tqdm(sorted(archived), desc="link", unit="object", disable=None) if archived else ():
        target = folder / object_id.path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(store.read(object_id))
            count += 1
    return count


def place(object_id: ObjectId, store: ObjectStore, target: Path, copy: bool = False) -> None:
    """Makes `target` a file with the bytes of an object: a link, unless it is to be a copy or lies in an archive.

    Raises SenguError if the object is missing; or, where it lies in an archive, damaged.
    """
    if not (paths := store.paths(object_id)):
        target.write_bytes(store.read(object_id))
    elif copy:
        shutil.copyfile(paths[0], target)
    else:
        _link(paths[0], target)


def _link(path: Path, target: Path) -> None:
    """A hard link, or a symbolic one across file systems."""
    try:
        os.link(path, target)
    except OSError:
        target.symlink_to(path.resolve())


def _leaves(root: Path) -> Iterable[Path]:
    return (path for path in root.glob("*/*/*") if path.is_file())


def _check(roots: Sequence[Path], folder: Path) -> None:
    if not roots:
        raise SenguError("there is no object tree yet: run `dvc repro objects`")
    if folder.is_mount() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise SenguError(f"{folder} already exists and is not empty: choose another folder, or take it away first")


def _roots() -> list[Path]:
    return [tree.root for tree in ObjectStore.below(places.TREES).trees]


@click.command("mount")
@click.argument("folder", type=click.Path(path_type=Path))
def mount_command(folder: Path) -> None:
    """Show all trees as one in FOLDER, read-only, without copying anything."""
    click.echo(f"{folder}: mounted by {mount(_roots(), folder)}; `sengu objects umount {folder}` takes it away")


@click.command("umount")
@click.argument("folder", type=click.Path(path_type=Path))
def umount_command(folder: Path) -> None:
    """Remove the mount at FOLDER."""
    umount(folder)


@click.command("link")
@click.argument("folder", type=click.Path(path_type=Path))
def link_command(folder: Path) -> None:
    """Show all trees as one in FOLDER by links, if mounting is not allowed."""
    click.echo(f"{folder}: {counted(link(_roots(), folder), 'object')} linked")
