"""The row types of every table: frozen dataclasses whose fields are the columns, in order."""

from dataclasses import dataclass

TYPES = ("train", "validation", "test", "surplus", "excluded")


@dataclass(frozen=True)
class Capture:
    """One picture or video found on one page (data/captures/<site>.csv); `tags` are joined by "|".

    `url` is the address as archived; `urlId` names its canonical form. `fetched` and `modified` are ISO 8601 in UTC.
    `status` is the HTTP status after redirects, 0 if the archive holds no answer. `taken` is when the picture was taken, ISO
    8601: in UTC with a Z where that is known, else in the camera's own time; `camera` is its make and model. Who took it
    (`operator`) and of whom or what it is (`subject`: a person, patient, specimen or series) is what a path or a form says.
    """

    urlId: str
    url: str
    page: str
    tags: str
    device: str
    filename: str
    fetched: str
    modified: str
    status: int
    taken: str = ""
    camera: str = ""
    operator: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Failed:
    """One URL that a crawl could not fetch or was not to take (data/failed/<site>.csv); the next crawl asks again.

    `page` is where it was found; `steps` counts the links from the start, and is -1 for a picture or video.
    """

    url: str
    page: str
    steps: int
    reason: str


@dataclass(frozen=True)
class IndexRow:
    """One captured URL that became an object (data/index/<site>.csv), or a frame of a video that did.

    Width and height in pixels as stored in the file. `milliseconds` is the duration of a video, or the time of a frame in
    it, and 0 for a picture; `video` is the object id of a frame's video, and empty otherwise.
    """

    objectId: str
    urlId: str
    format: str
    width: int
    height: int
    bytes: int
    milliseconds: int = 0
    video: str = ""


@dataclass(frozen=True)
class Record:
    """The place in an archive of an object without a file of its own (data/object/<site>/records.csv, see `objects.tree`).

    `file` is the path of the archive file from the folder of this table on; `offset` and `length` in bytes say where in it the
    record begins, and at most how long it is.
    """

    objectId: str
    file: str
    offset: int
    length: int


@dataclass(frozen=True)
class Rejected:
    """One captured URL that did not become an object (data/rejected/<site>.csv); `url` and `filename` as its capture has them."""

    urlId: str
    url: str
    filename: str
    reason: str


@dataclass(frozen=True)
class Tombstone:
    """One object that was erased for good (tombstones.csv, which Git tracks); `date` is ISO 8601."""

    objectId: str
    reason: str
    date: str


@dataclass(frozen=True)
class ErasedFile:
    """One file that held an erased object (tombstone_files.csv, which Git tracks), by its MD5; `date` is ISO 8601."""

    md5: str
    date: str


@dataclass(frozen=True)
class Label:
    """One labelled object (data/label.csv and every dataset version)."""

    objectId: str
    value: int


@dataclass(frozen=True)
class LabelDetail:
    """The origin of an object's label (data/label_details.csv): a row for each row of data/label.csv.

    `source` is sheet, model, tag or device: the highest rank that said anything. `annotator`, `rule` and `how` are those of the
    words that gave the label, each once, joined by "|"; `labelledAt` is the latest of them, ISO 8601 in UTC. A label whose
    source is `model` must not stand in validation or test.
    """

    objectId: str
    value: int
    source: str
    annotator: str
    labelledAt: str
    rule: str
    how: str
    subject: str


@dataclass(frozen=True)
class Conflict:
    """One object whose best sources disagree (data/label_conflicts.csv).

    The lists have an entry for each word, joined by "|": its value, "-" if no class fits; its source (sheet and line, page or
    device), who said it, when, and by which rule. `label` is what was made of it by label.disagreement: one of the values, or
    empty if the object was left out.
    """

    objectId: str
    values: str
    sources: str
    annotators: str
    labelledAt: str
    rules: str
    label: str


@dataclass(frozen=True)
class Duplicate:
    """One object that has duplicates or a mirror image (data/duplicates.csv); `group` is the smallest id of its duplicates.

    `mirrored` is the smallest object id among these and their mirror images, and empty where there is no mirror image.
    """

    objectId: str
    group: str
    mirrored: str = ""


@dataclass(frozen=True)
class GroupDecision:
    """One picture of a group of near-duplicates that a person looked at (duplicate_groups.csv, which Git tracks).

    `group` is the smallest id of the pictures that the person says it shows the same as; `decidedAt` is ISO 8601 in UTC.
    """

    objectId: str
    group: str
    annotator: str
    decidedAt: str


@dataclass(frozen=True)
class SplitLabel:
    """One example of the split (data/split_label.csv)."""

    objectId: str
    value: int
    type: str


@dataclass(frozen=True)
class LabelError:
    """One example (reports/label_errors.csv), the most doubtful first.

    `value` is its label and `predicted` what the other folds make of it; `quality` is the probability that they give the
    label, with six decimals; `suspect` is `yes` where confident learning takes the label for wrong, else `no`.
    """

    objectId: str
    value: int
    predicted: int
    quality: str
    suspect: str
