"""A Keras model as models/backbone holds it, compared with the model itself."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

backbone = import_module("sengu.networks.backbone")

import tensorflow as tf  # noqa: E402
import tf_keras as keras  # noqa: E402

SIZE, FEATURES = 8, 5


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """One convolution, with what EfficientNet has beside: a BatchNorm, and an activation with a gradient of its own."""
    keras.utils.set_random_seed(1)
    picture = keras.Input((None, None, 3))
    levels = keras.layers.BatchNormalization()(keras.layers.Conv2D(FEATURES, 3)(picture))
    return keras.Model(picture, keras.layers.GlobalAveragePooling2D()(keras.layers.Activation("swish")(levels)))


@pytest.fixture(scope="module")
def folder(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    backbone.save(network, path := tmp_path_factory.mktemp("saved") / "backbone")
    return path


def learnt(network: keras.Model, pictures: tf.Tensor) -> list[np.ndarray]:
    """Features, and the gradients of the weights."""
    with tf.GradientTape() as tape:
        features = network(pictures, training=False)
        loss = tf.reduce_sum(features**2)
    return [features.numpy(), *(gradient.numpy() for gradient in tape.gradient(loss, network.trainable_weights))]


def test_it_runs_and_learns_as_in_keras(network: keras.Model, folder: Path) -> None:
    layer = backbone.layer(folder, trainable=True)
    assert [weight.name for weight in layer.trainable_weights] == [weight.name for weight in network.trainable_weights]
    assert len(layer.weights) == len(network.weights)
    pictures = tf.random.stateless_uniform((3, SIZE, SIZE, 3), seed=(1, 2))
    pairs = list(zip(learnt(layer, pictures), learnt(network, pictures), strict=True))
    assert len(pairs) == 5
    for ours, theirs in pairs:  # on some processors the frozen graph adds in another order
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-6)


def test_the_statistics_of_batchnorm_stay_frozen_however_it_is_called(folder: Path) -> None:
    layer = backbone.layer(folder, trainable=True)
    pictures = tf.random.stateless_uniform((3, SIZE, SIZE, 3), seed=(1, 2))
    before = [weight.numpy() for weight in layer.weights]
    assert np.array_equal(layer(pictures, training=True), layer(pictures, training=False))
    assert all(np.array_equal(weight, values) for weight, values in zip(layer.weights, before, strict=True))


def test_its_functions_are_in_order_and_nothing_of_the_run_is_left(folder: Path) -> None:
    assert backbone.features(folder, "a Keras model", SIZE) == FEATURES
    assert not (folder / backbone.FINGERPRINT).exists() and not (folder / "keras_metadata.pb").exists()
    saved = backbone.saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    names = [function.signature.name for function in saved.meta_graphs[0].graph_def.library.function]
    assert names == sorted(names)


def test_the_functions_of_a_saved_network_have_one_order_whatever_tensorflow_gave_them(tmp_path: Path) -> None:
    found = []
    for names in (["c", "a", "b"], ["b", "c", "a"]):
        saved = backbone.saved_model_pb2.SavedModel()
        library = saved.meta_graphs.add().graph_def.library
        for name in names:
            library.function.add().signature.name = name
        path = tmp_path / "saved_model.pb"
        path.write_bytes(saved.SerializeToString())
        backbone.make_reproducible(tmp_path)
        found.append(path.read_bytes())
    assert found[0] == found[1]
    functions = backbone.saved_model_pb2.SavedModel.FromString(found[0]).meta_graphs[0].graph_def.library.function
    assert [function.signature.name for function in functions] == ["a", "b", "c"]
