"""The store and an object id -> pixels; an object that cannot be decoded becomes an error that names it and the cure."""

import numpy as np

from sengu.pictures import images
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.objects.store import ObjectStore


def pixels(object_id: ObjectId, store: ObjectStore) -> np.ndarray:
    """Pixels of a picture in the store: uint8 RGB (height, width, 3), as a person sees it. Call it within `images.limited`.

    Raises SenguError if the object is missing or damaged, or cannot be decoded: without `objects.checks` only the header of a
    picture was read before it became an object.
    """
    try:
        return images.pixels(store.read(object_id))
    except images.NotAPicture as reason:
        raise SenguError(
            f"object {object_id} cannot be decoded: {reason}: set objects.checks to true in params.yaml and run `dvc repro`, "
            "which then rejects it"
        ) from None
