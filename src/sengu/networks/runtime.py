"""TensorFlow, Keras and TensorFlow Hub, loaded without what they print about processors that this machine lacks.

Import them from here: `from sengu.networks.runtime import keras, tf`. They are loaded at the first use, which takes some ten
seconds: by then a stage has read its params and checked its inputs.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sengu.base.quiet import quiet

DRIVER = Path("/proc/driver/nvidia")  # present if there is a GPU: then messages about CUDA matter
NOISE = [
    r"All log messages before absl::InitializeLog",
    r"^I\d{4} .*\.cc:\d+\]",  # information, which TF_CPP_MIN_LOG_LEVEL does not reach before its start
    r"pkg_resources",
]
NO_GPU = [r"cuda_platform\.cc:\d+\] failed call to cuInit", r"Unable to register cu(FFT|DNN|BLAS) factory", r"computation_placer"]


@cache
def _load() -> Mapping[str, Any]:
    with quiet(re.compile("|".join(NOISE if DRIVER.exists() else NOISE + NO_GPU))):
        import tensorflow as tf
        import tensorflow_hub as hub
        import tf_keras as keras
        from tensorflow.core.protobuf import saved_model_pb2
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
        from tf_keras.src.applications import efficientnet

        tf.config.list_physical_devices()  # or its first operation would print what this prints
    return {
        "convert_variables_to_constants_v2": convert_variables_to_constants_v2,
        "hub": hub,
        "keras": keras,
        "efficientnet": efficientnet,
        "saved_model_pb2": saved_model_pb2,
        "tf": tf,
    }


class Library:
    """A module or function of TensorFlow that is loaded at its first use. Annotations in a module may not use one."""

    __slots__ = ("_name",)  # its `__dict__` is the library's, too, so that a test's replacement is undone in the right place

    def __init__(self, name: str):
        object.__setattr__(self, "_name", name)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(_load()[self._name], attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        setattr(_load()[self._name], attribute, value)

    def __delattr__(self, attribute: str) -> None:
        delattr(_load()[self._name], attribute)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return _load()[self._name](*arguments, **options)


if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_hub as hub
    import tf_keras as keras
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    from tf_keras.src.applications import efficientnet
else:
    convert_variables_to_constants_v2, hub, keras = map(Library, ("convert_variables_to_constants_v2", "hub", "keras"))
    efficientnet, saved_model_pb2, tf = map(Library, ("efficientnet", "saved_model_pb2", "tf"))

__all__ = ["convert_variables_to_constants_v2", "efficientnet", "hub", "keras", "saved_model_pb2", "tf"]
