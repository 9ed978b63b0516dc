"""Backbones from Kaggle: kagglehub as it is, against a stand-in of Kaggle's service and of the storage it redirects to.

kagglehub knows the fixed hosts of KAGGLE_API_ENVIRONMENT only; the stand-in is the HTTP proxy by which it reaches one of them.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tiny
from project import ROOT

from sengu.base.errors import SenguError

pytestmark = pytest.mark.slow

backbones = import_module("sengu.networks.backbone")

from sengu.backbones import sources  # noqa: E402

WEIGHTS = ROOT / "models/embedded/efficientnet-b0.npz"
API = "http://localhost/api/v1/models.ModelApiService/"
STORAGE = "http://storage.example/"
LOGIN = "Basic " + base64.b64encode(b"someone:secret").decode()


@dataclass
class Kaggle:
    """`files` by name are the model's; `archive` is sent where it has more files than kagglehub fetches one by one."""

    model: Path
    files: dict[str, bytes]
    archive: bytes
    md5s: dict[bytes, bytes] = field(default_factory=dict)  # of what was right, by what is sent in its place
    logins: set[str | None] = field(default_factory=set)


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kaggle]:
    """Handles are tiny/<access>/tensorFlow2/<few or many files>/1; with `private` access only for those with credentials."""
    model = tiny.save(tmp_path / "tiny")
    files = {path.relative_to(model).as_posix(): path.read_bytes() for path in model.rglob("*") if path.is_file()}
    kaggle = Kaggle(model, files, tiny.packed(model))

    class Handler(tiny.Quiet):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            login = self.headers["Authorization"]
            kaggle.logins.add(login)
            known = (asked["ownerSlug"], asked["framework"], asked["versionNumber"]) == (
                "tiny",
                "MODEL_FRAMEWORK_TENSOR_FLOW_2",
                1,
            )
            if not known or asked["modelSlug"] not in ("public", "private"):
                self.fail(404)
            elif asked["modelSlug"] == "private" and login != LOGIN:
                self.fail(403)
            elif self.path == API + "ListModelInstanceVersionFiles":
                more = "25" if asked["instanceSlug"] == "many" else ""
                self.send_json(200, {"files": [{"name": name} for name in files], "nextPageToken": more})
            elif self.path == API + "DownloadModelInstanceVersion":
                self.send_response(302)
                self.send_header("Location", STORAGE + asked.get("path", "archive.tar.gz"))
                self.send_header("Content-Length", "0")
                self.end_headers()

        def do_GET(self) -> None:
            assert self.headers["Authorization"] is None  # credentials are for Kaggle, not for the storage
            body = kaggle.files.get(self.path.removeprefix(STORAGE), kaggle.archive)
            md5 = hashlib.md5(kaggle.md5s.get(body, body), usedforsecurity=False).digest()
            self.answer(body, {"x-goog-hash": f"crc32c=AAAAAA==, md5={base64.b64encode(md5).decode()}", "Accept-Ranges": "bytes"})

        def fail(self, status: int) -> None:
            self.send_json(
                status, {"code": status, "message": "Permission 'models.get' was denied" if status == 403 else "Not found"}
            )

        def send_json(self, status: int, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "NO_PROXY", "no_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    for name in ("tf_keras", "keras"):  # which TensorFlow loads when it needs them; each then writes a file of its own at home
        import_module(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with tiny.served(Handler) as url:
        monkeypatch.setenv("http_proxy", url)
        yield kaggle


@pytest.mark.parametrize("files", ["few", "many"])
def test_a_public_model_needs_no_credentials_and_leaves_nothing_at_home(tmp_path: Path, kaggle: Kaggle, files: str) -> None:
    assert sources.write(f"kaggle:tiny/public/tensorFlow2/{files}/1", WEIGHTS, tmp_path / "b", 32) == tiny.FEATURES
    written = {
        path.relative_to(tmp_path / "b").as_posix(): path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file()
    }
    assert written == {name: data for name, data in kaggle.files.items() if name != backbones.FINGERPRINT}
    assert kaggle.logins == {None}
    assert not list((tmp_path / "home").rglob("*"))
    pixels = np.arange(32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(1, 32, 32, 3)
    assert np.array_equal(backbones.frozen(tmp_path / "b", 32)(pixels), backbones.frozen(kaggle.model, 32)(pixels))


def test_credentials_of_the_environment_open_a_private_model(
    tmp_path: Path, kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "kaggle:tiny/private/tensorFlow2/few/1"
    with pytest.raises(
        SenguError, match=rf"{source} could not be fetched \(403 .*authenticated.*set KAGGLE_API_TOKEN .*dvc pull"
    ):
        sources.write(source, WEIGHTS, tmp_path / "b", 32)
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    assert sources.write(source, WEIGHTS, tmp_path / "b", 32) == tiny.FEATURES


@pytest.mark.parametrize("files", ["few", "many"])
def test_a_damaged_download_is_refused(tmp_path: Path, kaggle: Kaggle, files: str) -> None:
    whole, name = kaggle.archive, "variables/variables.data-00000-of-00001"
    kaggle.archive = tiny.damaged(whole)
    right = kaggle.files[name]
    kaggle.files[name] = tiny.damaged(right)
    kaggle.md5s = {kaggle.archive: whole, kaggle.files[name]: right}
    with pytest.raises(SenguError, match=rf"tiny/public/tensorFlow2/{files}/1 could not be fetched \(.*MD5 checksum.*dvc pull"):
        sources.write(f"kaggle:tiny/public/tensorFlow2/{files}/1", WEIGHTS, tmp_path / "b", 32)
    assert not (tmp_path / "b").exists()


def test_an_archive_that_is_none_is_refused(tmp_path: Path, kaggle: Kaggle) -> None:
    for broken in (b"<html>moved</html>", kaggle.archive[: len(kaggle.archive) // 2]):
        kaggle.archive = broken
        with pytest.raises(SenguError, match=r"tiny/public/tensorFlow2/many/1 could not be fetched \(.*dvc pull"):
            sources.write("kaggle:tiny/public/tensorFlow2/many/1", WEIGHTS, tmp_path / "b", 32)


def test_a_model_that_is_not_there_is_named(tmp_path: Path, kaggle: Kaggle) -> None:
    for handle in ("tiny/public/tensorFlow2/few/2", "tiny/gone/tensorFlow2/few/1"):
        with pytest.raises(SenguError, match=rf"kaggle:{handle} could not be fetched \(404 .*check the handle.*dvc pull"):
            sources.write(f"kaggle:{handle}", WEIGHTS, tmp_path / "b", 32)


def test_a_service_that_does_not_answer_is_named(tmp_path: Path, kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(SenguError, match=r"kaggle:tiny/public/tensorFlow2/few/1 could not be fetched \(.*refused.*dvc pull"):
        sources.write("kaggle:tiny/public/tensorFlow2/few/1", WEIGHTS, tmp_path / "b", 32)


@pytest.mark.parametrize("handle", ["", "tiny/public", "tiny/public/tensorFlow2/few", "tiny/public/tensorFlow2/few/latest"])
def test_a_handle_without_a_version_is_refused(tmp_path: Path, kaggle: Kaggle, handle: str) -> None:
    with pytest.raises(SenguError, match=rf"kaggle:{handle} is not a handle: expected kaggle:<owner>/<model>/.*<version>"):
        sources.write(f"kaggle:{handle}", WEIGHTS, tmp_path / "b", 32)
    assert not kaggle.logins  # nobody was asked
