"""A dataset of five formats, exported and read as its users read it: Hugging Face datasets and Keras."""

import io
from collections import Counter
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from sengu.base import tables
from sengu.base.ids import ObjectId
from sengu.base.tables import versions
from sengu.commands.main import sengu
from sengu.objects.store import ObjectTree

CLASSES = ["cat", "dog"]
FORMATS = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP", "tif": "TIFF"}
PER_FORMAT = 24


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    random = np.random.default_rng(20)
    rows = []
    for extension, form in FORMATS.items():
        for number in range(PER_FORMAT):
            buffer = io.BytesIO()
            Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(buffer, form)
            object_id = ObjectId.of(buffer.getvalue(), extension)
            ObjectTree(folder / "data/object/s").put(object_id, buffer.getvalue())
            rows.append(tables.Label(str(object_id), number % 2))
    labels = tables.frame(rows, tables.Label).sort_values("objectId", ignore_index=True)
    version = folder / "data/dataset/A"
    version.mkdir(parents=True)
    versions.write(version, versions.describe("A", CLASSES, labels), labels)
    tables.write(folder / "data/duplicates.csv", tables.empty(tables.Duplicate), tables.Duplicate)
    rule = {"dataset": "A", "test": [0, 79], "validation": [80, 159], "leaks": "keep"}
    train = {"seed": 1, "fine_tune": {"epochs": 0, "rate": 0.001, "batch": 8}}
    (folder / "params.yaml").write_text(yaml.safe_dump({"split": rule, "train": train}))
    return folder


def export(made: Path, folder: Path, *options: str) -> str:
    """Exports to a folder; returns what was said of readers."""
    with chdir(made):
        done = CliRunner().invoke(sengu, ["objects", "export", "--dataset", "A", *options, str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert f"{folder}: {len(FORMATS) * PER_FORMAT} examples\n" in done.stdout
    return done.stderr


def in_folders(folder: Path) -> Counter[tuple[str, str]]:
    return Counter((path.parts[-3], path.parts[-2]) for path in folder.rglob("*.*"))


def in_tables(folder: Path) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for path in folder.glob("*/metadata.csv"):
        found.update((path.parent.name, label) for label in pd.read_csv(path)["label"])
    return found


def read_by_hugging_face(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    found = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(cache))
    counts: Counter[tuple[str, str]] = Counter()
    for name, split in found.items():
        feature = split.features["label"]
        for row in split:
            assert row["image"].size == (8, 8)
            counts[name, feature.int2str(row["label"]) if isinstance(row["label"], int) else row["label"]] += 1
    return counts


@pytest.mark.slow  # two libraries of some seconds each
@pytest.mark.parametrize("kind", ["csv", "imagefolder"])
def test_hugging_face_reads_the_splits_it_means(made: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    export(made, tmp_path / "out", "--format", kind)
    expected = in_tables(tmp_path / "out") if kind == "csv" else in_folders(tmp_path / "out")
    assert {split for split, _ in expected} == {"train", "validation", "test"}
    assert read_by_hugging_face(tmp_path / "out", tmp_path / "cache", monkeypatch) == expected


@pytest.mark.slow
def test_keras_reads_all_of_what_was_converted_and_is_known_to_pass_over_the_rest(made: Path, tmp_path: Path) -> None:
    said = export(made, tmp_path / "as-is")
    assert f"Keras would ignore {2 * PER_FORMAT} files (webp|tif|avif): add --convert if you use it" in said
    assert export(made, tmp_path / "converted", "--convert") == ""
    from tf_keras.utils import image_dataset_from_directory

    def read(folder: Path) -> int:
        parts = [image_dataset_from_directory(folder / name, batch_size=None) for name in ("train", "validation", "test")]
        assert all(part.class_names == CLASSES for part in parts)
        return sum(len(part.file_paths) for part in parts)

    assert read(tmp_path / "as-is") == (len(FORMATS) - 2) * PER_FORMAT
    assert read(tmp_path / "converted") == len(FORMATS) * PER_FORMAT


def test_what_was_converted_is_of_formats_that_torchvision_reads(made: Path, tmp_path: Path) -> None:
    said = export(made, tmp_path / "as-is")
    assert f"torchvision would ignore {PER_FORMAT} files (gif|avif): add --convert if you use it" in said
    export(made, tmp_path / "converted", "--convert")
    extensions = {path.suffix for path in (tmp_path / "converted").rglob("*.*")}
    assert extensions == {".jpg", ".png"}


def test_what_a_model_labelled_is_exported_for_training_only(made: Path, tmp_path: Path) -> None:
    export(made, tmp_path / "before", "--format", "csv")
    held_out = pd.read_csv(tmp_path / "before/test/metadata.csv")["file_name"].tolist()
    path = made / "data/dataset/A" / versions.MODELS
    path.write_text("objectId\n" + "".join(f"{name}\n" for name in held_out[:4]))
    try:
        export(made, tmp_path / "after", "--format", "csv")
    finally:
        path.unlink()
    assert not {*held_out[:4]} & {*pd.read_csv(tmp_path / "after/test/metadata.csv")["file_name"]}
    assert {*held_out[:4]} <= {*pd.read_csv(tmp_path / "after/train/metadata.csv")["file_name"]}
