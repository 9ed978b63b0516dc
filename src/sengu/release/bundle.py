"""models/release/<name>-<version>.zip <-> a network for ONNX Runtime, with its manifest; no TensorFlow."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from sengu.base import zips
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError

FORMAT = 1  # of the manifest
MODEL = "model.onnx"
MANIFEST = "manifest.json"
INPUT = "picture"
OUTPUTS = ("probabilities", "embedding")
BACKBONE, FEATURES = "backbone.onnx", "features"  # beside the release, and its output
CURE = "run `dvc repro export`, or `dvc pull` if someone else produced it"
DAMAGED = "`sengu heal models/release` restores the one that dvc.lock pins; a copy of it you must fetch again"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The manifest of a release; docs/release.md explains each key."""

    format: int = FORMAT
    name: str
    version: str
    created_by: str
    classes: list[str]  # the class named at position i has probability i
    threshold: float | None  # with two classes, the lowest probability at which the second is the decision
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    preprocessing: dict[str, Any]
    dataset: dict[str, Any]
    backbone: dict[str, Any]
    classifier: dict[str, Any]
    metrics: dict[str, Any]
    repository: str = ""  # where its code and rules are; empty if params.yaml does not say
    git_commit: str | None = None  # these three are filled in by `completed`
    git_tag: str | None = None
    dvc_lock_sha256: str | None = None
    files: dict[str, str]  # name -> lower-case hex SHA-256, of every file but the manifest

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}"

    def decide(self, probabilities: np.ndarray) -> int:
        """The position of the class that probabilities (classes,) decide for."""
        if self.threshold is not None and len(self.classes) == 2:
            return int(float(probabilities[1]) >= self.threshold)  # NumPy would round the threshold to float32
        return int(probabilities.argmax())


@dataclass(frozen=True)
class Release:
    """An opened release; `model` is the content of model.onnx, checked against the manifest."""

    path: Path
    manifest: Manifest
    model: bytes

    def __getstate__(self) -> dict[str, Any]:
        """The state without the session: each process makes its own."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def session(self) -> onnxruntime.InferenceSession:
        """A session with one thread per call; for many pictures, call it from several threads (see `map_in_threads`)."""
        return _session(self.model)

    def run(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities, float32 (classes,), and embedding, float32 (d,), of a picture, uint8 (height, width, 3)."""
        probabilities, embedding = self.session.run(list(OUTPUTS), {INPUT: picture})
        return probabilities, embedding


@dataclass(frozen=True)
class Frozen:
    """The backbone as it was before training; `model` is the content of backbone.onnx."""

    model: bytes

    def __getstate__(self) -> dict[str, Any]:
        """The state without the session: each process makes its own."""
        return {"model": self.model}

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.model).hexdigest()

    @cached_property
    def session(self) -> onnxruntime.InferenceSession:
        return _session(self.model)

    def run(self, picture: np.ndarray) -> np.ndarray:
        """Features, float32 (d,) of length 1, of a picture, uint8 (height, width, 3)."""
        features: np.ndarray = self.session.run([FEATURES], {INPUT: picture})[0]
        return features


@dataclass(frozen=True)
class Models:
    """The released model and the frozen backbone, as one."""

    release: Release
    backbone: Frozen

    @property
    def shape(self) -> tuple[int, int, int]:
        """The lengths of probabilities, embedding and features."""
        outputs = [*self.release.session.get_outputs(), *self.backbone.session.get_outputs()]
        sizes = {output.name: output.shape[0] for output in outputs}
        return sizes["probabilities"], sizes["embedding"], sizes[FEATURES]

    def run(self, picture: np.ndarray) -> np.ndarray:
        """Probabilities, embedding and features, float32 (sum of `shape`,), of a picture, uint8 (height, width, 3)."""
        return np.concatenate([*self.release.run(picture), self.backbone.run(picture)])


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def load_backbone(folder: Path) -> Frozen:
    """The frozen backbone beside the release in a folder. Raises SenguError if there is none."""
    path = folder / BACKBONE
    if not path.is_file():
        raise SenguError(f"{path} is missing: {CURE}")
    return Frozen(path.read_bytes())


def load(path: Path) -> Release:
    """The release in a zip file, or the only one in a folder. Raises SenguError if there is none, or it is damaged."""
    path = find(path)
    files = _files(path)
    return Release(path, _manifest(path, files, [MODEL]), files[MODEL])


def find(path: Path) -> Path:
    """The zip file that `path` is, or the only one in the folder that it is."""
    if not path.is_dir():
        if not path.is_file():
            raise SenguError(f"{path} is missing: {CURE}")
        return path
    releases = sorted(path.glob("*.zip"))
    if len(releases) != 1:
        names = ", ".join(file.name for file in releases) or "none"
        raise SenguError(
            f"{path} should hold one release, but there is {names}: " + ("name the one you mean" if releases else CURE)
        )
    return releases[0]


def write(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Path:
    """Writes <name>-<version>.zip into `folder`, the digests of the files into its manifest; the same bytes every time."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    document = json.dumps(asdict(replace(manifest, files=digests)), indent=2, ensure_ascii=False) + "\n"
    path = folder / f"{manifest.stem}.zip"
    with replaced_file(path) as partial:
        zips.write(partial, {**files, MANIFEST: document.encode()})
    return path


def completed(path: Path, folder: Path, git_commit: str, dvc_lock_sha256: str, git_tag: str | None = None) -> Path:
    """Copies a release into `folder` with the facts that no output of a stage can hold, because they change later."""
    files = _files(path)
    manifest = _manifest(path, files, [name for name in files if name != MANIFEST])
    rest = {name: data for name, data in files.items() if name != MANIFEST}
    return write(folder, replace(manifest, git_commit=git_commit, git_tag=git_tag, dvc_lock_sha256=dvc_lock_sha256), rest)


def _files(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:  # the last of what is encrypted
        raise SenguError(f"{path} is not a whole zip file ({error}): {DAMAGED}") from error


def _manifest(path: Path, files: Mapping[str, bytes], checked: Iterable[str]) -> Manifest:
    """The manifest, after the digests of the `checked` files are verified."""
    try:
        document = json.loads(files[MANIFEST])
        if document.get("format") != FORMAT:
            raise SenguError(
                f"{path}: {MANIFEST}: format is {document.get('format')!r}, expected {FORMAT}: use the Sengu that made it"
            )
        known = {field.name for field in fields(Manifest)}  # a later Sengu may say more
        manifest = Manifest(**{name: value for name, value in document.items() if name in known})
        _check(manifest)
        expected = {name: manifest.files[name] for name in checked}
    except KeyError as error:
        raise SenguError(f"{path}: there is no {error.args[0]} in it: {DAMAGED}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise SenguError(f"{path}: {MANIFEST} is damaged ({error}): {DAMAGED}") from error
    for name, digest in expected.items():
        actual = hashlib.sha256(files[name]).hexdigest() if name in files else "missing"
        if actual != digest:
            raise SenguError(f"{path}: {name}: SHA-256 is {actual}, but {MANIFEST} says {digest}: {DAMAGED}")
    return manifest


def _check(manifest: Manifest) -> None:
    """Raises ValueError if a value that `predict` relies on is wrong."""
    if not all(isinstance(name, str) for name in manifest.classes):
        raise ValueError(f"classes are {manifest.classes!r}")
    shapes = {output["name"]: output["shape"] for output in manifest.outputs}
    if shapes["probabilities"] != [len(manifest.classes)]:
        raise ValueError(f"{len(manifest.classes)} classes, but probabilities of shape {shapes['probabilities']}")
    if manifest.threshold is not None and not isinstance(manifest.threshold, int | float):
        raise ValueError(f"threshold is {manifest.threshold!r}")
