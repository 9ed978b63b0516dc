"""Every source of a backbone, and TensorFlow Hub's download protocol spoken by a real server that can also misbehave."""

import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project import ROOT

from sengu.errors import SenguError

pytestmark = pytest.mark.slow

backbones = pytest.importorskip("sengu.backbones")
tf, keras = backbones.tf, backbones.keras

WEIGHTS = ROOT / "models/embedded/efficientnet-b0.npz"


def save(folder: Path, pooled: bool = True) -> Path:
    picture = keras.Input((None, None, 3))
    features = keras.layers.BatchNormalization()(keras.layers.Conv2D(5, 3)(picture))
    keras.Model(picture, keras.layers.GlobalAveragePooling2D()(features) if pooled else features).save(folder)
    return folder


def packed(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def hub(model: Path) -> Iterator[str]:
    """Answers /<how>/1?tf-hub-format=compressed, and nothing else, the way `how` says."""
    whole = packed(model)
    flipped = bytearray(whole)
    for place in range(len(whole) // 2, len(whole) // 2 + 64):
        flipped[place] ^= 0xFF
    bodies = {"good": whole, "interrupted": whole[: len(whole) // 2], "corrupted": bytes(flipped), "html": b"<html>moved</html>"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            how, _, rest = self.path[1:].partition("/")
            if how not in bodies or rest != "1?tf-hub-format=compressed":
                self.send_error(403)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(whole) if how == "interrupted" else len(bodies[how])))
            self.end_headers()
            self.wfile.write(bodies[how])

        def log_message(self, format: str, *args: Any) -> None:
            """The tests look at what comes out."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_embedded_backbone_is_efficientnet_b0(tmp_path: Path) -> None:
    assert backbones.write("embedded", WEIGHTS, tmp_path / "b") == 1280
    layer = backbones.layer(tmp_path / "b", trainable=True)
    assert sum(int(np.prod(w.shape)) for w in layer.trainable_weights) == 4_007_548
    pictures = tf.random.stateless_uniform((4, 64, 64, 3), seed=(1, 2))
    assert float(tf.math.reduce_std(layer(pictures, training=False))) > 1e-3
    assert not (tmp_path / "b" / backbones.FINGERPRINT).exists()


def test_the_embedded_weights_fit_into_nine_megabytes() -> None:
    assert WEIGHTS.stat().st_size <= 9_000_000
    assert {array.dtype for array in np.load(WEIGHTS).values()} == {np.dtype(np.float16)}


def test_a_hub_url_is_downloaded_and_equals_the_model_it_serves(tmp_path: Path, hub: str, model: Path) -> None:
    assert backbones.write(f"{hub}/good/1", WEIGHTS, tmp_path / "b") == 5
    pictures = tf.random.stateless_uniform((2, 32, 32, 3), seed=(1, 2))
    expected = backbones.layer(model, trainable=False)(pictures, training=False)
    assert np.array_equal(backbones.layer(tmp_path / "b", trainable=False)(pictures, training=False), expected)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("interrupted", r"could not be fetched \(.*IncompleteRead"),
        ("corrupted", "is not a whole tar archive"),
        ("html", "is not a whole tar archive"),
        ("gone", r"could not be fetched \(403"),
    ],
)
def test_a_failed_download_is_an_error_and_leaves_no_model(tmp_path: Path, hub: str, how: str, reason: str) -> None:
    for _ in range(2):  # the second time must not find the first one's remains
        with pytest.raises(SenguError, match=rf"backbone.source: {hub}/{how}/1 {reason}.*dvc pull"):
            backbones.write(f"{hub}/{how}/1", WEIGHTS, tmp_path / "b")
        assert not list(tmp_path.rglob("*.pb"))


def test_a_hub_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(SenguError, match=r"http://127.0.0.1:9/b0/1 could not be fetched .*refused"):
        backbones.write("http://127.0.0.1:9/b0/1", WEIGHTS, tmp_path / "b")


def test_local_folders_and_archives_are_taken(tmp_path: Path, model: Path) -> None:
    (tmp_path / "tiny.tar.gz").write_bytes(packed(model))
    for number, source in enumerate((model, tmp_path / "tiny.tar.gz")):
        assert backbones.write(str(source), WEIGHTS, tmp_path / str(number)) == 5


def test_what_is_no_feature_vector_is_refused(tmp_path: Path) -> None:
    maps = save(tmp_path / "maps", pooled=False)
    with pytest.raises(SenguError, match=r"expected a feature vector \(1, d\)"):
        backbones.write(str(maps), WEIGHTS, tmp_path / "b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SenguError, match="empty is not a TF2 SavedModel of a feature vector"):
        backbones.write(str(tmp_path / "empty"), WEIGHTS, tmp_path / "c")
    (tmp_path / "half.tar.gz").write_bytes(packed(maps)[:500])
    with pytest.raises(SenguError, match=r"half.tar.gz is not a whole tar archive"):
        backbones.write(str(tmp_path / "half.tar.gz"), WEIGHTS, tmp_path / "d")


def test_a_source_that_is_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SenguError, match="backbone.source: 'embeded' is neither 'embedded', nor a URL"):
        backbones.write("embeded", WEIGHTS, tmp_path / "b")
