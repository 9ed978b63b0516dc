"""Archived payloads -> objects in a tree: checked, named by their SHA-1, stored; frames of videos, too."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sengu import warc
from sengu.base.ids import ObjectId
from sengu.objects.store import ObjectTree
from sengu.pictures import images, videos

ERASED = "erased for good (tombstones.csv)"


@dataclass(frozen=True)
class Filed:
    """A payload that became an object: a row of the index without its URL, with the same fields."""

    objectId: str
    format: str
    width: int
    height: int
    bytes: int
    milliseconds: int = 0
    video: str = ""


Outcome = list[Filed] | str  # an object and the frames of a video, or the reason of a reject


@dataclass(frozen=True)
class Batch:
    """The outcomes of some records, in order; and the frames of videos among them that the caller must store."""

    outcomes: list[Outcome]
    frames: list[tuple[ObjectId, bytes]]


@dataclass(frozen=True)
class Filing:
    """The tree that objects go to, and the conditions on a payload.

    The fields are plain values, because each worker would have to import the types of the parameters. `max_pixels` is the
    largest width times height; without `checks`, only the header of a picture is read; `frames` of each video become objects;
    a payload with one of the SHA-1s `erased` does not come back. Without `leaves` the archive is the only place of what it
    holds: only frames of videos are stored, and not by a worker, which may see no file of this machine.
    """

    tree: ObjectTree
    max_pixels: int
    checks: bool = True
    frames: int = 0
    erased: frozenset[str] = frozenset()
    leaves: bool = True

    def file_all(self, records: Sequence[warc.Entry | warc.Place]) -> Batch:
        """The outcome of each record, in order, and what is left to store. Runs in a worker."""
        frames: list[tuple[ObjectId, bytes]] = []
        return Batch([self._file(record, frames) for record in records], frames)

    def file(self, record: warc.Entry | warc.Place) -> Outcome:
        """Checks, names and stores the payload of one record."""
        batch = self.file_all([record])
        self.store(batch)
        return batch.outcomes[0]

    def store(self, batch: Batch) -> None:
        """Stores what a worker did not."""
        for object_id, payload in batch.frames:
            self.tree.put(object_id, payload)

    def needs_leaf(self, filed: Filed) -> bool:
        """True if the tree is the place of an object."""
        return self.leaves or filed.video != ""

    def _file(self, record: warc.Entry | warc.Place, frames: list[tuple[ObjectId, bytes]]) -> Outcome:
        try:
            payload = warc.payload(record)
            if self._is_erased(payload):
                return ERASED
            if videos.sniff(payload):
                return self._video(payload, frames)
            return [self._picture(payload)]
        except (warc.UnreadableCapture, images.NotAPicture, videos.NotAVideo) as reason:
            return str(reason)

    def _is_erased(self, payload: bytes) -> bool:
        return bool(self.erased) and hashlib.sha1(payload, usedforsecurity=False).hexdigest() in self.erased

    def _picture(self, payload: bytes, milliseconds: int = 0, video: str = "") -> Filed:
        picture = images.examine(payload, self.max_pixels, self.checks)
        object_id = ObjectId.of(payload, picture.extension)
        if self.leaves:
            self.tree.put(object_id, payload)
        return Filed(str(object_id), picture.extension, picture.width, picture.height, len(payload), milliseconds, video)

    def _video(self, payload: bytes, stored_later: list[tuple[ObjectId, bytes]]) -> list[Filed]:
        """Files a video. It is always played through, because its header only estimates its duration."""
        video = videos.examine(payload, self.max_pixels)
        object_id = ObjectId.of(payload, video.extension)
        chosen = videos.evenly(len(video.times), self.frames)
        frames = []
        for frame in videos.frames(payload, video, chosen):
            if not self._is_erased(frame.payload):
                frames.append(self._picture(frame.payload, frame.milliseconds, str(object_id)))
                if not self.leaves:
                    stored_later.append((ObjectId.parse(frames[-1].objectId), frame.payload))
        if self.leaves:
            self.tree.put(object_id, payload)
        whole = Filed(str(object_id), video.extension, video.width, video.height, len(payload), video.milliseconds)
        return [whole, *frames]
