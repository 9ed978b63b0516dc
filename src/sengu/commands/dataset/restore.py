"""`sengu dataset restore`: a final version whose folder, cache and remote are gone -> its tables, rebuilt from Git."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import yaml

from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError
from sengu.commands import places
from sengu.commands.dataset import proof
from sengu.datasets import lineage, tags
from sengu.datasets.recipe import FOLDER
from sengu.repository import comparing, history, pipeline
from sengu.repository.git import ask, git

LABEL_STAGE = "label"
# what the recipes read beside Git: derived from the archives, which nothing can rebuild
TABLES = (places.INDEX, places.CAPTURES, places.REJECTED, places.TREES, places.DUPLICATES)


def restore(name: str) -> tuple[tags.Tag, bool]:
    """Restores the folder of a final version; returns its tag, and whether dataset.json is the same, too.

    The commands of its tag run in a checkout of its tag, with the code of that time, one for each ancestor; an ancestor that the
    cache or the remote still has is taken from there, as a frozen one may be older than the labels of the tag. Raises
    SenguError, and restores nothing, if label.csv differs from what the tag says.
    """
    tag = next((tag for tag in tags.tags() if tag.version == name), None)
    if tag is None:
        lineage.tree(pipeline.versions()).node(name)
        raise SenguError(f"{name} was not finalised, so there is no tag to restore it from: `dvc repro datasets/dvc.yaml:{name}`")
    if not tag.said:
        raise SenguError(
            f"tag {tag.name} has no hashes in its message: fetch the one that `finalize` made, `git fetch --force --tags`"
        )
    if lacking := [path for path in TABLES[:3] if not path.is_dir()]:
        raise SenguError(f"{lacking[0]} is missing: make it from the archive with `dvc repro objects`, and try again")
    with checkout(tag.commit) as root:
        for path in TABLES:
            if path.exists():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).symlink_to(path.resolve())
        _take_labels(tag, root / places.LABELS)
        stages = pipeline.versions(root / pipeline.DATASETS)
        family = lineage.tree(stages)
        label = yaml.safe_load((root / pipeline.PIPELINE).read_text(encoding="utf-8"))["stages"][LABEL_STAGE]
        _run(label["cmd"], root)
        for ancestor in family.ancestors(name):
            node = family.node(ancestor)
            if ancestor != name and _fetched(ancestor, root):
                continue
            _run(str(node.stage["cmd"]), root / "datasets" / str(node.stage.get("wdir", ".")))
        made = root / FOLDER / name
        hashes = proof.both(made / tags.LABEL)
        if hashes != tag.said[tags.LABEL]:
            raise SenguError(
                f"{name}: label.csv comes out as MD5 {hashes.split()[0]}, not {tag.said[tags.LABEL].split()[0]} as tag "
                f"{tag.name} says: the index or the archive has changed since then: check both out at the tag, and try again"
            )
        with replaced_folder(FOLDER / name) as partial:
            shutil.copytree(made, partial, dirs_exist_ok=True)
        return tag, proof.both(made / tags.METADATA) == tag.said[tags.METADATA]


def _take_labels(tag: tags.Tag, folder: Path) -> None:
    """Puts the labels that made a version into the checkout: a stage that was frozen is older than the labels of its tag."""
    made = tag.said[tags.LABELS]
    if made in ("none", tags.tree(tag.commit, places.LABELS)):
        return
    done = subprocess.run(["git", "archive", "--format=tar", made], capture_output=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise SenguError(f"{tag.name}: the labels that made it, {made}, are not in this clone ({said}): `git fetch --unshallow`")
    shutil.rmtree(folder)
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def _fetched(name: str, root: Path) -> bool:
    """True if the cache or the remote has a version as the checkout pins it; its files are then in the checkout."""
    pinned = {path: value for (_, path), value in comparing.pinned(comparing.stages(root)).items()}
    value = pinned.get((FOLDER / name).as_posix(), "")
    listing = history.CACHE / value[:2] / value[2:]
    if not listing.is_file():
        subprocess.run(
            [sys.executable, "-m", "dvc", "fetch", "--quiet", f"{pipeline.DATASETS}:{name}"], capture_output=True, check=False
        )
    files = history.files_of(listing) if listing.is_file() else {}
    cached = {path: history.CACHE / digest[:2] / digest[2:] for path, digest in files.items()}
    if not cached or not all(map(Path.is_file, cached.values())):
        return False
    for path, source in cached.items():
        target = root / FOLDER / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return True


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A working tree of a commit in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "at-tag"
        git("worktree", "add", "--quiet", "--detach", str(root), commit)
        try:
            yield root / ask("rev-parse", "--show-prefix")
        finally:
            git("worktree", "remove", "--force", str(root))


def _run(command: str, folder: Path) -> None:
    # the stages say `python`, which must be this one even if its environment is not activated
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        command, shell=True, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise SenguError(f"`{' '.join(command.split()[:4])} …` failed in a checkout of the tag: {said.removeprefix('error: ')}")


@click.command("restore")
@click.argument("name")
def restore_command(name: str) -> None:
    """Rebuild the final version NAME from Git, if its folder, the cache and the remote are gone.

    Its tables are compared with its tag. Index, captures and object trees must be here, or come from the archive.
    """
    tag, same = restore(name)
    click.echo(f"{FOLDER / name}: label.csv is what tag {tag.name} says")
    if same:
        click.echo(f"`dvc commit --force datasets/dvc.yaml:{name}` puts it into the cache, `dvc push` into the remote", err=True)
    else:
        click.echo("dataset.json differs from what the tag says: leave the lock files as they are", err=True)
