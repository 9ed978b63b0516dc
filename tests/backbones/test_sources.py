"""Every source of a backbone but Kaggle; TensorFlow Hub's protocol is spoken by a real server that can also misbehave."""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tiny
from project import ROOT, run

from sengu.base.errors import SenguError
from sengu.networks import classifier

pytestmark = pytest.mark.slow

backbones = import_module("sengu.networks.backbone")

import tensorflow as tf  # noqa: E402
import tf_keras as keras  # noqa: E402

from sengu.backbones import downloads, efficientnet, sources  # noqa: E402

WEIGHTS = ROOT / "models/embedded/efficientnet-b0.npz"
SIZE = 32


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def hub(model: Path) -> Iterator[str]:
    """Answers /<how>/1?tf-hub-format=compressed, and nothing else, the way `how` says."""
    whole = tiny.packed(model)
    bodies = {
        "good": whole,
        "interrupted": whole[: len(whole) // 2],
        "corrupted": tiny.damaged(whole),
        "html": b"<html>moved</html>",
    }

    class Hub(tiny.Quiet):
        def do_GET(self) -> None:
            how, _, rest = self.path[1:].partition("/")
            if how in bodies and rest == "1?tf-hub-format=compressed":
                self.answer(bodies[how], length=len(whole) if how == "interrupted" else None)
            else:
                self.send_error(403)

    with tiny.served(Hub) as url:
        yield url


def outputs(folder: Path, size: int = SIZE) -> np.ndarray:
    pictures = tf.random.stateless_uniform((2, size, size, 3), seed=(1, 2))
    return np.asarray(backbones.layer(folder, trainable=False)(pictures, training=False))


def test_the_embedded_backbone_is_efficientnet_b0(tmp_path: Path) -> None:
    assert sources.write("embedded", WEIGHTS, tmp_path / "b", 64) == 1280
    layer = backbones.layer(tmp_path / "b", trainable=True)
    assert sum(int(np.prod(w.shape)) for w in layer.trainable_weights) == 4_007_548
    pictures = tf.random.stateless_uniform((4, 64, 64, 3), seed=(1, 2))
    assert float(tf.math.reduce_std(layer(pictures, training=False))) > 1e-3
    assert not (tmp_path / "b" / backbones.FINGERPRINT).exists()


def test_the_embedded_backbone_takes_pixels_as_its_weights_were_made_for() -> None:
    """As Lite0 takes them: (255x - 127) / 128. Without this, it gave features of other pictures, quietly."""
    network = efficientnet.unpack(WEIGHTS).layers[-1]
    (layer,) = (part for part in network.layers if isinstance(part, keras.layers.Normalization))
    pixels = np.array([0, 127, 255], np.float32).reshape(1, 1, 3, 1).repeat(3, axis=3)
    given = keras.Model(network.input, layer.output)(pixels).numpy()
    assert given[0, 0, :, 0] == pytest.approx([-127 / 128, 0, 1], abs=1e-3)


def test_the_fast_function_gives_what_the_layer_gives(model: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (7, SIZE, SIZE, 3), dtype=np.uint8)
    run = backbones.frozen(model, SIZE)
    expected = backbones.layer(model, trainable=False)(pixels.astype(np.float32) / 255, training=False)
    np.testing.assert_allclose(run(pixels), expected, rtol=1e-5, atol=1e-6)
    assert np.array_equal(np.concatenate([run(pixels[:3]), run(pixels[3:])]), run(pixels))  # whatever the batch


def test_the_embedded_weights_fit_into_nine_megabytes() -> None:
    assert WEIGHTS.stat().st_size <= 9_000_000
    assert {array.dtype for array in np.load(WEIGHTS).values()} == {np.dtype(np.float16)}


def test_no_kernel_of_the_embedded_weights_is_so_small_that_steps_of_the_usual_size_would_wipe_it_out() -> None:
    """Fine-tuning moves all weights by about its rate in each step; kernels without a BatchNorm behind them stay small."""
    for name, kernel in np.load(WEIGHTS).items():
        if "kernel" in name and "_se_" not in name:
            drawn = np.sqrt(2 / (kernel.shape[0] * kernel.shape[1] * kernel.shape[3]))  # by Keras
            assert np.sqrt(np.mean(np.square(kernel.astype(np.float64)))) > 0.99 * drawn, name


def test_a_hub_url_is_downloaded_and_equals_the_model_it_serves(tmp_path: Path, hub: str, model: Path) -> None:
    assert sources.write(f"{hub}/good/1", WEIGHTS, tmp_path / "b", SIZE) == tiny.FEATURES
    assert np.array_equal(outputs(tmp_path / "b"), outputs(model))


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
            sources.write(f"{hub}/{how}/1", WEIGHTS, tmp_path / "b", SIZE)
        assert not list(tmp_path.rglob("*.pb"))


def test_a_hub_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(SenguError, match=r"http://127.0.0.1:9/b0/1 could not be fetched .*refused"):
        sources.write("http://127.0.0.1:9/b0/1", WEIGHTS, tmp_path / "b", SIZE)


@pytest.fixture
def keras_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A weights file as Keras publishes them, where its base URL points to now; Keras knows its MD5."""
    folder = tmp_path / "published"
    folder.mkdir()
    network = efficientnet.unpack(WEIGHTS).layers[-1]
    normalization = next(layer for layer in network.layers if isinstance(layer, keras.layers.Normalization))
    normalization.adapt_mean.assign([0.485, 0.456, 0.406])
    normalization.adapt_variance.assign([0.229, 0.224, 0.225])
    path = folder / "efficientnetb0_notop.h5"
    network.save_weights(path)

    class Bucket(tiny.Quiet):
        def do_GET(self) -> None:
            wanted = folder / self.path.removeprefix("/keras-applications/")
            if wanted.is_file():
                self.answer(wanted.read_bytes())
            else:
                self.send_error(404)

    with tiny.served(Bucket) as url:
        monkeypatch.setattr(efficientnet.efficientnet, "BASE_WEIGHTS_PATH", f"{url}/keras-applications/")
        known = ("", hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest())
        monkeypatch.setitem(efficientnet.efficientnet.WEIGHTS_HASHES, "b0", known)
        yield path


def test_the_backbone_of_keras_is_what_keras_itself_makes_of_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keras_weights: Path
) -> None:
    home = tmp_path / "home"
    (home / ".keras/models").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    pictures = tf.random.stateless_uniform((2, SIZE, SIZE, 3), seed=(1, 2))
    found = np.asarray(efficientnet.imagenet("b0")(pictures, training=False))
    assert not list((home / ".keras/models").iterdir())
    expected = keras.applications.EfficientNetB0(include_top=False, pooling="avg", input_shape=(SIZE, SIZE, 3))
    np.testing.assert_allclose(found, expected(pictures * 255, training=False), rtol=1e-4, atol=1e-5)
    assert found.std() > 1e-3


def test_weights_of_keras_that_are_gone_or_damaged_are_refused(tmp_path: Path, keras_weights: Path) -> None:
    keras_weights.write_bytes(tiny.damaged(keras_weights.read_bytes()))
    with pytest.raises(SenguError, match=r"keras:imagenet/b0: .*_notop.h5 has the MD5 .*, but Keras expects .*dvc pull"):
        sources.write("keras:imagenet/b0", WEIGHTS, tmp_path / "b", SIZE)
    with pytest.raises(SenguError, match=r"backbone.source: keras:imagenet/b7 could not be fetched \(404.*dvc pull"):
        sources.write("keras:imagenet/b7", WEIGHTS, tmp_path / "b", SIZE)
    assert not (tmp_path / "b").exists()


COMPRESSIONS = ("", "gz", "bz2", "xz")


def test_local_folders_and_archives_are_taken(tmp_path: Path, model: Path) -> None:
    assert sources.write(str(model), WEIGHTS, tmp_path / "b", SIZE) == tiny.FEATURES
    whole = {path.relative_to(model): path.read_bytes() for path in model.rglob("*") if path.is_file()}
    for compression in COMPRESSIONS:
        archive, folder = tmp_path / "tiny.tar", tmp_path / f"from {compression}"
        archive.write_bytes(tiny.packed(model, compression))
        downloads.unpack(archive, folder, "tiny.tar")
        assert {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == whole


@pytest.mark.parametrize("compression", COMPRESSIONS[1:])
@pytest.mark.parametrize("damage", [lambda whole: whole[:-6], tiny.damaged], ids=["cut", "changed"])
def test_a_damaged_archive_is_refused(tmp_path: Path, model: Path, compression: str, damage: Callable[[bytes], bytes]) -> None:
    archive = tmp_path / "tiny.tar"
    archive.write_bytes(damage(tiny.packed(model, compression)))
    with pytest.raises(SenguError, match=r"backbone.source: tiny.tar is not a whole tar archive .*dvc pull"):
        downloads.unpack(archive, tmp_path / "b", "tiny.tar")
    assert not (tmp_path / "b").exists()


def test_the_embedded_weights_must_be_whole(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    with np.load(WEIGHTS) as stored:
        arrays = {name: stored[name] for name in stored.files}
    cure = "`git checkout .*weights.npz` brings it back"
    path.write_bytes(WEIGHTS.read_bytes()[:1000])
    with pytest.raises(SenguError, match=rf"weights.npz is damaged \(File is not a zip file\): {cure}"):
        efficientnet.unpack(path)
    np.savez(path, **{name: array[:1] for name, array in arrays.items()})
    with pytest.raises(SenguError, match=f"weights.npz does not hold the weights of EfficientNet-B0: {cure}") as refused:
        efficientnet.unpack(path)
    shutil.copy(WEIGHTS, path)
    for words in (["init"], ["add", str(path)], ["commit", "--message", "weights"]):
        run(tmp_path, "git", words[0], "--quiet" if words[0] != "add" else "--force", *words[1:])
    path.write_bytes(b"")
    run(tmp_path, *re.findall("`(.*)`", str(refused.value))[0].split())
    assert path.read_bytes() == WEIGHTS.read_bytes()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("saved_model.pb", 0),
        ("saved_model.pb", 1000),
        ("variables/variables.index", 10),
        ("variables/variables.data-00000-of-00001", 10),
        ("variables/variables.data-00000-of-00001", None),
    ],
)
def test_a_damaged_savedmodel_is_named(tmp_path: Path, model: Path, name: str, kept: int | None) -> None:
    folder = shutil.copytree(model, tmp_path / "model")
    whole = (folder / name).read_bytes()
    (folder / name).unlink()
    if kept is not None:
        (folder / name).write_bytes(whole[:kept])
    with pytest.raises(SenguError, match=r"model is damaged \(.*\): `sengu heal .*model` restores it"):
        backbones.layer(folder, trainable=False)
    with pytest.raises(SenguError, match="backbone.source: there is not a TF2 SavedModel of a feature vector: "):
        backbones.features(folder, "there", SIZE)
    for part in ("saved_model.pb", "variables"):  # as train writes it
        (tmp_path / "classifier/network").mkdir(parents=True, exist_ok=True)
        (folder / part).rename(tmp_path / "classifier/network" / part)
    with pytest.raises(SenguError, match=r"network is damaged \(.*\): `sengu heal .*classifier` restores it"):
        classifier.run_network(tmp_path / "classifier", np.zeros((1, SIZE, SIZE, 3), np.uint8))


def test_processors_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    for text in ("model name\t: A\nflags\t\t: fpu avx2\n", "model name\t: A\nflags\t\t: fpu\n", "CPU part\t: 0xd40\n", ""):
        monkeypatch.setattr(backbones, "CPU", tmp_path / "cpuinfo")
        (tmp_path / "cpuinfo").write_text(f"{text}cpu MHz\t: {len(found)}\n" * 2)
        found.append(backbones.processors()[1:])
    assert found[:3] == [["A", "fpu avx2"], ["A", "fpu"], ["0xd40"]]
    (tmp_path / "cpuinfo").unlink()
    assert backbones.processors()[1:] == found[3] == []


def test_what_is_no_feature_vector_is_refused(tmp_path: Path) -> None:
    maps = tiny.save(tmp_path / "maps", pooled=False)
    with pytest.raises(SenguError, match=r"expected a feature vector \(1, d\)"):
        sources.write(str(maps), WEIGHTS, tmp_path / "b", SIZE)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/large").touch()
    with pytest.raises(SenguError, match="backbone.source: .*other holds no saved_model.pb: give the folder of a TF2 SavedModel"):
        sources.write(str(tmp_path / "other"), WEIGHTS, tmp_path / "c", SIZE)
    assert not (tmp_path / "c").exists()
    (tmp_path / "half.tar.gz").write_bytes(tiny.packed(maps)[:500])
    with pytest.raises(SenguError, match=r"half.tar.gz is not a whole tar archive"):
        sources.write(str(tmp_path / "half.tar.gz"), WEIGHTS, tmp_path / "d", SIZE)


def test_a_size_that_the_network_does_not_take_is_refused(tmp_path: Path) -> None:
    fixed = tiny.save(tmp_path / "fixed", size=40)
    with pytest.raises(
        SenguError, match=r"prepare.size is 32, but backbone.source: .*fixed takes pictures of 40 x 40 pixels only"
    ):
        sources.write(str(fixed), WEIGHTS, tmp_path / "b", SIZE)
    assert sources.write(str(fixed), WEIGHTS, tmp_path / "c", 40) == tiny.FEATURES


@pytest.mark.parametrize("source", ["embeded", "keras:imagenet/b8", "keras:imagenet21k"])
def test_a_source_that_is_nothing_is_named(tmp_path: Path, source: str) -> None:
    with pytest.raises(SenguError, match=f"backbone.source: '{source}' is neither 'embedded', nor keras:imagenet/b0"):
        sources.write(source, WEIGHTS, tmp_path / "b", SIZE)


@pytest.mark.parametrize(
    ("source", "size"),
    [
        ("embedded", None),
        ("keras:imagenet", 224),
        ("keras:imagenet/b7", 600),
        ("https://tfhub.dev/tensorflow/efficientnet/b3/feature-vector/1", 300),
        ("kaggle:google/efficientnet/tensorFlow2/b5-feature-vector/1", 456),
        ("../models/efficientnetb1.tar.gz", 240),
        ("../models/EfficientNet-B2", 260),
        ("https://tfhub.dev/google/imagenet/efficientnet_v2_imagenet1k_b0/feature_vector/2", 224),
        ("../efficientnet/lib6.tar", None),
        ("https://tfhub.dev/google/vit/b6/1", None),
    ],
)
def test_the_natural_size_is_read_from_the_name(source: str, size: int | None) -> None:
    assert sources.natural_size(source) == size


def test_keras_has_every_variant() -> None:
    assert list(efficientnet.SIZES) == [f"b{i}" for i in range(8)] == list(efficientnet.efficientnet.WEIGHTS_HASHES)
    assert all(hasattr(keras.applications, f"EfficientNet{name.upper()}") for name in efficientnet.SIZES)
