"""A source named in params.yaml -> a TF2 SavedModel feature vector in a folder; there is no silent substitute."""

import re
import shutil
from pathlib import Path

from sengu.backbones import downloads, efficientnet
from sengu.base.errors import SenguError
from sengu.networks import backbone

EMBEDDED = "embedded"
KAGGLE = "kaggle:"
SAVED_MODEL = "saved_model.pb"
URLS = ("http://", "https://")
IMAGENET = re.compile(r"keras:imagenet(?:/(b[0-7]))?")
# how handles, URLs and file names spell the variants: efficientnet/b3/feature-vector, efficientnet-b3, EfficientNetV2_B3
VARIANT = re.compile(r"efficientnet(.*)", re.IGNORECASE | re.DOTALL)
LETTER = re.compile(r"(?<![a-z0-9])(b[0-7])(?![a-z0-9])", re.IGNORECASE)


def write(source: str, embedded: Path, folder: Path, size: int) -> int:
    """Writes the backbone named by `source` into `folder`; returns the number of its features.

    `embedded` is the file of weights for the source of that name, `size` the height and width in pixels that it will be given.
    Raises SenguError if the source cannot be had, is not a trainable feature vector, or does not take that size.
    """
    if source == EMBEDDED:
        backbone.save(efficientnet.unpack(embedded), folder)
    elif named := IMAGENET.fullmatch(source):
        backbone.save(efficientnet.imagenet(named[1] or "b0"), folder)
    elif source.startswith(KAGGLE):
        downloads.from_kaggle(source.removeprefix(KAGGLE), folder)
    elif source.startswith(URLS):
        downloads.from_hub(source, folder)
    elif Path(source).is_dir():
        if not Path(source, SAVED_MODEL).is_file():  # before much else is copied
            raise SenguError(
                f"params.yaml: backbone.source: {source} holds no {SAVED_MODEL}: give the folder of a TF2 SavedModel"
            )
        shutil.copytree(source, folder, dirs_exist_ok=True)
    elif Path(source).is_file():
        downloads.unpack(Path(source), folder, source)
    else:
        raise SenguError(
            f"params.yaml: backbone.source: {source!r} is neither {EMBEDDED!r}, nor keras:imagenet/b0 to b7, "
            "nor kaggle:<handle>, nor a URL, nor a folder or tar archive here"
        )
    (folder / backbone.FINGERPRINT).unlink(missing_ok=True)
    return backbone.features(folder, source, size)


def is_remote(source: str) -> bool:
    """True if it comes over the network, so that it may be gone tomorrow."""
    return source.startswith((KAGGLE, *URLS)) or bool(IMAGENET.fullmatch(source))


def natural_size(source: str) -> int | None:
    """Height and width in pixels that the backbone was trained with, if its name says so.

    The embedded one has none: it was trained with pictures of 64 to 192 pixels.
    """
    named = IMAGENET.fullmatch(source)
    variant = (named[1] or "b0") if named else _variant(source)
    return efficientnet.SIZES[variant] if variant else None


def _variant(source: str) -> str | None:
    """The last letter and number behind the name of the network."""
    network = VARIANT.search(source)
    letters = LETTER.findall(network[1]) if network else []
    return letters[-1].lower() if letters else None
