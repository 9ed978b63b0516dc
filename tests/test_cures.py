"""The cures that messages name, followed to the letter in a repository whose outputs are damaged or missing.

The outputs are those of a tiny pipeline (`staged`), pinned and cached by DVC and pushed to a folder; what a message names must
bring back the same bytes. Other cures have tests beside what says them, see tests/test_named_cures.py.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import tiny
import yaml
from project import ROOT, run
from released import tiny_release

from sengu import embeddings, examples, warc
from sengu.base import measurements, tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.tables import versions
from sengu.commands import similar
from sengu.commands.dataset import diff
from sengu.commands.label import sheet
from sengu.commands.objects import view
from sengu.networks import backbone, classifier
from sengu.objects.store import ObjectStore
from sengu.release import bundle, conversion
from sengu.stages import export
from sengu.training import head

pytestmark = pytest.mark.slow

COMMANDS = re.compile(r"`((?:dvc|git|sengu) [^`]*)`")
ARCHIVE = "data/raw/web"
ONE = np.zeros((1, tiny.FEATURES), np.float32)  # features of one picture


def first(tree: Path) -> Path:
    return min(path for path in tree.rglob("*") if path.is_file() and path.suffix != ".csv")


def object_id() -> ObjectId:
    return ObjectId.parse(min(tables.read(Path("data/index/web.csv"), tables.IndexRow)["objectId"]))


def read_object() -> object:
    return ObjectStore.below(Path("data/object")).read(object_id())


def read_doubts() -> None:
    if not sheet.LABEL_ERRORS.exists():
        sheet._suspect(cast("Any", None))


# what a reader needs, and the reader: of it comes the message if that is missing or damaged
READERS: dict[str, Callable[[], object]] = {
    ARCHIVE: lambda: warc.read(Path("data/raw/web"), "web"),
    "data/object": lambda: view._check(view._roots(), Path("view")),
    "data/label.csv": lambda: tables.read(Path("data/label.csv"), tables.Label),
    "data/duplicates.csv": lambda: sheet._groups([]),
    "data/dataset/v1": lambda: versions.read(Path("data/dataset/v1")),
    "data/pixels": lambda: examples.read_pixels(Path("data/pixels")),
    "data/features": lambda: examples.read_features(Path("data/pixels"), Path("data/features")),
    "models/backbone": lambda: backbone.check(Path("models/backbone")),
    "models/classifier": lambda: classifier.head_probabilities(Path("models/classifier"), ONE),
    "models/classifier/network": lambda: conversion.check(Path("models/classifier/network")),
    "models/release": lambda: bundle.load(Path("models/release")),
    "models/release/backbone.onnx": lambda: bundle.load_backbone(Path("models/release")),
    "data/embeddings": lambda: embeddings.read(Path("data/embeddings")),
    "reports/label_errors.csv": read_doubts,
}


def message(reader: Callable[[], object]) -> str:
    with pytest.raises(SenguError) as refused:
        reader()
    return str(refused.value)


def follow(cure: str) -> None:
    run(Path(), *cure.split())


def state(*paths: str) -> dict[str, bytes]:
    files = [Path(path) for path in paths if Path(path).is_file()]
    files += [file for path in paths for file in Path(path).rglob("*") if file.is_file()]
    return {str(file): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def made(staged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline as a repository of Git and DVC, all of its outputs pinned, cached, and pushed to a folder beside it."""
    from staged import run_until

    with chdir(staged):
        run_until("crawl")
    folder = tmp_path_factory.mktemp("cures") / "a/project"
    subprocess.run(["cp", "--archive", staged, folder.parent.parent / "staged"], check=True)
    folder.parent.mkdir()
    (folder.parent.parent / "staged").rename(folder)
    for name in ("data/raw/new", "data/failed"):
        shutil.rmtree(folder / name, ignore_errors=True)
    tables.write(folder / "data/failed/web.csv", tables.empty(tables.Failed), tables.Failed)
    for name in ("src", "crawlers", "datasets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "dvc.lock"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "duplicate_groups.csv", ".dvc/config", ".dvc/.gitignore"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "models/embedded").mkdir()
    (folder / "models/embedded/efficientnet-b0.npz").touch()  # its source is `tiny`
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "dvc", "commit", "--quiet", "--force")
    run(folder, "dvc", "push", "--quiet")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "made")
    return folder


@pytest.fixture
def whole(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """The outputs as they are; a test must leave them so."""
    monkeypatch.chdir(made)
    before = state("data", "models", "reports", "dvc.lock", "datasets/dvc.lock")
    yield before
    assert state("data", "models", "reports", "dvc.lock", "datasets/dvc.lock") == before


# what is cut off, and who says so
DAMAGED: dict[str, Callable[[], object]] = {
    "data/pixels/pixels.npy": READERS["data/pixels"],
    "data/features/features.npy": READERS["data/features"],
    "models/classifier/head.npz": READERS["models/classifier"],
    "models/classifier/network/saved_model.pb": lambda: classifier.run_network(
        Path("models/classifier"), examples.read_pixels(Path("data/pixels")).arrays
    ),
    "models/backbone/saved_model.pb": lambda: backbone.layer(Path("models/backbone"), False),
    "models/release/*.zip": READERS["models/release"],
    "data/embeddings/*.npy": READERS["data/embeddings"],
    "data/dataset/v1/dataset.json": READERS["data/dataset/v1"],
    "data/object/web/*/*/*": read_object,
}


@pytest.mark.parametrize("pattern", DAMAGED)
def test_heal_brings_back_what_is_cut_off(whole: dict[str, bytes], pattern: str) -> None:
    path = next(path for path in sorted(Path().glob(pattern)) if "object" not in pattern or path.name == str(object_id()))
    data = path.read_bytes()
    path.unlink()  # which may be a link to the cache
    path.write_bytes(data[: len(data) // 3])
    (cure,) = COMMANDS.findall(message(DAMAGED[pattern]))
    assert "heal" in cure
    follow(cure)
    assert path.read_bytes() == data
    DAMAGED[pattern]()


def test_what_is_missing_comes_back_by_the_stage_that_is_named(whole: dict[str, bytes]) -> None:
    stages = {name: reader for name, reader in READERS.items() if name != ARCHIVE}
    for name in stages:
        if Path(name).exists():
            shutil.rmtree(name) if Path(name).is_dir() else Path(name).unlink()
    cures = {name: COMMANDS.findall(message(reader))[0] for name, reader in stages.items()}
    assert set(cures.values()) == {
        "dvc repro", "dvc repro objects", "dvc repro duplicates", "dvc repro backbone", "dvc repro train",
        "dvc repro label_errors", "dvc repro export",
    }  # fmt: skip
    for cure in sorted(set(cures.values()), key=lambda cure: (cure == "dvc repro", cure)):
        follow(cure)
        for name in (name for name, named in cures.items() if named == cure):
            assert state(name) == {path: data for path, data in whole.items() if Path(path).is_relative_to(name)}
    for reader in READERS.values():
        reader()


def test_an_archive_is_crawled_or_healed(whole: dict[str, bytes]) -> None:
    lock = Path("dvc.lock")
    pinned = lock.read_bytes()
    shutil.rmtree(ARCHIVE)
    by_stage, by_heal = COMMANDS.findall(message(READERS[ARCHIVE]))
    follow(by_heal)
    assert state(ARCHIVE) == {path: data for path, data in whole.items() if Path(path).is_relative_to(ARCHIVE)}
    shutil.rmtree(ARCHIVE)
    never = yaml.safe_load(pinned)
    del never["stages"]["crawl@web"]
    lock.write_text(yaml.safe_dump(never))
    follow(by_stage)
    READERS[ARCHIVE]()
    lock.write_bytes(pinned)
    run(Path(), "dvc", "checkout", "--force", "--quiet")


def test_what_is_missing_comes_back_by_a_pull_too(whole: dict[str, bytes]) -> None:
    cached = [name for name in READERS if name not in (ARCHIVE, "data/object")]  # of the second no cache has anything
    shutil.rmtree(".dvc/cache")
    for name in cached:
        if Path(name).exists():
            shutil.rmtree(name) if Path(name).is_dir() else Path(name).unlink()
    cures = {cure for name in cached for cure in COMMANDS.findall(message(READERS[name]))[1:]}
    assert cures == {"dvc pull"}
    follow("dvc pull")


def test_measurements_come_back_by_the_stage_or_by_git(whole: dict[str, bytes]) -> None:
    path = Path("reports/metrics.json")
    path.unlink()
    (_, by_git) = COMMANDS.findall(message(lambda: export._content(path)))
    follow(by_git)
    assert state(str(path)) == {str(path): whole[str(path)]}
    path.unlink()
    (cure,) = COMMANDS.findall(message(lambda: measurements.read(path)))
    assert cure == "dvc repro evaluate"
    follow(cure)
    assert state(str(path)) == {str(path): whole[str(path)]}
    path.write_text("{")
    (cure,) = COMMANDS.findall(message(lambda: measurements.read(path)))
    assert cure == "dvc repro --force --single-item evaluate"
    follow(cure)


def test_features_that_are_no_numbers_are_made_again(whole: dict[str, bytes]) -> None:
    pixels, features = Path("data/pixels"), Path("data/features")
    array = np.load(features / examples.FEATURES)
    (features / examples.FEATURES).unlink()
    np.save(features / examples.FEATURES, np.full_like(array, np.nan))
    (cure,) = COMMANDS.findall(
        message(lambda: head.train_head(examples.read_features(pixels, features), 2, cast("Any", None), print))
    )
    follow(cure)


def test_a_version_comes_back_by_its_own_stage_or_its_own_pull(whole: dict[str, bytes]) -> None:
    for number in range(2):
        shutil.rmtree("data/dataset/v1")
        if number:
            shutil.rmtree(".dvc/cache")
        cures = COMMANDS.findall(message(lambda: diff._labels("v1")))
        assert cures == ["dvc repro datasets/dvc.yaml:v1", "dvc pull data/dataset/v1"]
        follow(cures[number])
        diff._labels("v1")
    run(Path(), "dvc", "fetch", "--quiet")


def test_a_release_that_did_not_make_the_embeddings(whole: dict[str, bytes]) -> None:
    def ask() -> None:
        similar._embedding(np.zeros((8, 8, 3), np.uint8), embeddings.read(Path("data/embeddings")))

    def another() -> None:
        shutil.rmtree("models/release")
        tiny_release(Path("models/release"), ("dots", "stripes"), dimensions=5, version="0.2.0")
        run(Path(), "dvc", "commit", "--quiet", "--force", "export")

    ask()
    another()
    by_stage, by_checkout = COMMANDS.findall(message(ask))
    assert (by_stage, by_checkout) == ("dvc repro embed", "dvc checkout")
    follow(by_stage)
    ask()
    run(Path(), "git", "checkout", "--quiet", "dvc.lock")
    run(Path(), "dvc", "checkout", "--quiet")
    another()
    run(Path(), "git", "checkout", "--quiet", "dvc.lock")  # somebody went to another commit
    assert COMMANDS.findall(message(ask)) == [by_stage, by_checkout]
    follow(by_checkout)
    ask()
