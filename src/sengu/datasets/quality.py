"""Pictures -> measurements that tell dark, bright, blurred and duplicate ones."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tqdm import tqdm

from sengu.base.ids import ObjectId
from sengu.base.threads import map_in_threads
from sengu.objects.store import ObjectStore
from sengu.pictures import images

SIDE = 256  # pixels that the longer side has at most before a picture is measured
DARKEST, BRIGHTEST = 95, 5  # percentiles of the levels


@dataclass(frozen=True)
class Quality:
    """Measurements of a picture; `digest` is the SHA-256 of its pixels and size."""

    objectId: str
    dark: float  # the level below which 95% of the pixels are, as a share of white
    bright: float  # the level above which 95% of the pixels are
    blurred: float  # variance of the Laplacian: low where nothing is sharp
    digest: str

    def fails(self, name: str, limit: float) -> bool:
        return self.bright > limit if name == "bright" else bool(getattr(self, name) < limit)


def measure(object_id: str, pixels: np.ndarray) -> Quality:
    """The quality of pixels, uint8 (height, width, 3)."""
    picture = Image.fromarray(pixels).convert("L")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    grey = np.asarray(picture, dtype=np.float64) / 255
    dark, bright = np.percentile(grey, (DARKEST, BRIGHTEST))
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    return Quality(object_id, float(dark), float(bright), _sharpness(grey), digest)


def measure_all(ids: Sequence[str], store: ObjectStore) -> Iterable[Quality]:
    """The quality of each picture, in order; videos are left out. Raises SenguError for an object that is not there."""
    pictures = [object_id for object_id in map(ObjectId.parse, ids) if not object_id.is_video]
    with images.limited(None):
        measured = map_in_threads(lambda picture: measure(str(picture), store.pixels(picture)), pictures)
        yield from tqdm(measured, total=len(pictures), desc="measure pictures", unit="picture", disable=None)


def _sharpness(grey: np.ndarray) -> float:
    if min(grey.shape) < 3:
        return 0.0
    middle = grey[1:-1, 1:-1]
    return float(np.var(grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle))
