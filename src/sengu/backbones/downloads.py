"""Models and weights on the network -> files here, whole or not at all; every failure names the source and the cure."""

import lzma
import re
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, cast

import kagglehub
import kagglehub.exceptions
import requests
from tqdm import tqdm

from sengu.base.errors import SenguError
from sengu.base.io_errors import is_refusal

TIMEOUT = 60  # seconds without a byte
HANDLE = re.compile(r"[^/]+/[^/]+/[^/]+/[^/]+/[1-9][0-9]*")
MARKERS = ".complete"  # where kagglehub lists its downloads
KAGGLE_ERRORS = (
    OSError,  # those of requests too
    ValueError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    kagglehub.exceptions.BackendError,
    kagglehub.exceptions.CredentialError,
    kagglehub.exceptions.DataCorruptionError,
)
PINNED = "the pinned backbone comes back with `dvc pull`"


def from_hub(url: str, folder: Path) -> None:
    """Downloads a model by TensorFlow Hub's protocol: the URL with ?tf-hub-format=compressed answers with a tar archive.

    It does not use tensorflow_hub's resolver, which never checks the checksum of the archive and would keep a corrupt model.
    """
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "model.tar.gz")
        fetch(url, archive, url, {"tf-hub-format": "compressed"})
        unpack(archive, folder, url)


def from_kaggle(handle: str, folder: Path) -> None:
    """Downloads a model from Kaggle, with the credentials that kagglehub finds; public models need none."""
    source = f"params.yaml: backbone.source: kaggle:{handle}"
    if not HANDLE.fullmatch(handle):  # without a version kagglehub takes the newest, which changes
        raise SenguError(f"{source} is not a handle: expected kaggle:<owner>/<model>/<framework>/<variation>/<version>")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            downloaded = kagglehub.model_download(handle, output_dir=scratch)
        except KAGGLE_ERRORS as error:
            reason = " ".join(str(error).split())
            raise SenguError(
                f"{source} could not be fetched ({reason}): check the handle, set KAGGLE_API_TOKEN (or KAGGLE_USERNAME and "
                f"KAGGLE_KEY) if the model is not public, or repeat when Kaggle can be reached; {PINNED}"
            ) from error
        shutil.copytree(downloaded, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MARKERS))


def fetch(url: str, path: Path, source: str, query: dict[str, str] | None = None) -> None:
    """Downloads one file."""
    try:
        with requests.get(url, params=query, stream=True, timeout=TIMEOUT) as answer:
            answer.raise_for_status()
            size = int(answer.headers.get("Content-Length", 0)) or None
            with path.open("wb") as file, tqdm(desc="backbone", total=size, unit="B", unit_scale=True, disable=None) as progress:
                for chunk in answer.iter_content(1 << 16):
                    progress.update(file.write(chunk))
    except requests.RequestException as error:
        raise SenguError(
            f"params.yaml: backbone.source: {source} could not be fetched ({error}): repeat when it can be reached, or "
            f"download the model elsewhere and give its local path; {PINNED}"
        ) from error


def unpack(archive: Path, folder: Path, source: str) -> None:
    """Unpacks a tar archive, compressed or not, and checks every byte."""
    try:
        with tarfile.open(archive) as packed:  # whatever its compression
            stream = cast(IO[bytes], packed.fileobj)
            while stream.read(1 << 20):  # to the end, where the checksum is; tarfile stops before it
                pass
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
        if is_refusal(error):
            raise
        reason = str(error).splitlines()[0]  # tarfile lists every compression it tried
        raise SenguError(
            f"params.yaml: backbone.source: {source} is not a whole tar archive ({reason}): fetch it again; {PINNED}"
        ) from error
