"""A project of 24 photographs with real stages up to the labels, and dataset versions: for tests of what is done with them."""

import shutil
from pathlib import Path

import yaml
from project import copy_of_the_project, run

from crawlers.demo import pictures
from sengu.base.ids import ObjectId

CLASSES = ("dots", "stripes")
UNUSED = (".git", ".github", "benchmarks", "deploy", "docs", "models", "reports", "tests")  # each test copies the project


def drawing(kind: str, number: int) -> bytes:
    return pictures.png(pictures.draw(kind, number))


def ids(kind: str) -> list[str]:
    return [str(ObjectId.of(drawing(kind, number), "png")) for number in range(12)]


def make(folder: Path) -> Path:
    """A copy of the project with a site of drawings, each labelled in a sheet; `v1` is built, pushed and committed."""
    copy_of_the_project(folder)
    for name in UNUSED:
        shutil.rmtree(folder / name, ignore_errors=True)
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    commit(folder, "copy")
    for site in ("camera", "scanner"):
        (folder / site).mkdir()
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["sites"] = {
        site: {"fetch": {"source": "folder", "folder": site, "device": site.upper()}} for site in ("camera", "scanner")
    }
    params["label"] = {"classes": list(CLASSES)}
    params["project"] = {"name": "Drawings", "purpose": "tests", "contact": "t@t.example", "licence": "CC0-1.0"}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    lines = ["objectId,value"]
    for kind in CLASSES:
        for number, name in enumerate(ids(kind)):
            site = "camera" if number < 8 else "scanner"
            (folder / site / f"{kind}-{number}.png").write_bytes(drawing(kind, number))
            if number < 10:  # two of each class are labelled later
                lines.append(f"{name},{kind}")
    (folder / "labels/first.csv").write_text("\n".join([*lines, ""]))
    with (folder / ".gitignore").open("a") as stream:
        stream.write("/camera/\n/scanner/\n")
    for lock in ("dvc.lock", "datasets/dvc.lock"):
        (folder / lock).unlink(missing_ok=True)
    run(folder, "dvc", "remote", "add", "--force", "--default", "--quiet", "beside", str(folder.parent / "remote"))
    run(folder, "dvc", "repro", "--quiet", "datasets/dvc.yaml:v1", "duplicates")
    commit(folder, "v1")
    run(folder, "dvc", "push", "--quiet")
    return folder


def make_final(folder: Path) -> Path:
    """What `make` makes, and of v1 the parts B and C and their merge D; B is final."""
    make(folder)
    words = ("--purpose", "tests", "--description", "a part")
    run(folder, "sengu", "dataset", "create", "B", "--from", "v1", "--where", "site == 'camera'", *words)
    run(folder, "sengu", "dataset", "create", "C", "--from", "v1", "--where", "site == 'scanner'", *words)
    run(folder, "sengu", "dataset", "create", "D", "--from", "B", "--from", "C", *words)
    run(folder, "dvc", "repro", "--quiet", "datasets/dvc.yaml")
    commit(folder, "versions")
    run(folder, "dvc", "push", "--quiet")
    run(folder, "sengu", "dataset", "finalize", "B")
    run(folder, "git", "gc", "--quiet")
    return folder


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", message)


def copied(made: Path, name: str = "copy") -> Path:
    """A copy beside it, which has the same remote, and which a test may change."""
    copy = made.parent / name
    shutil.rmtree(copy, ignore_errors=True)
    run(made.parent, "cp", "-a", "--reflink=auto", made.name, name)
    return copy
