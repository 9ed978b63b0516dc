"""params.yaml -> frozen dataclasses, one per section; an unknown key or a wrong type is an error that names it."""

import json
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sengu.errors import SenguError
from sengu.urls import TRACKING

PARAMS = Path("params.yaml")
SOURCES = ("generic", "folder", "s3", "warc")
STRICT = ConfigDict(extra="forbid", strict=True)

Section = TypeVar("Section")


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Count = Annotated[int, Field(ge=1)]
Byte = Annotated[int, Field(ge=0, le=255)]
Rate = Annotated[float, Field(gt=0)]
Value = Annotated[int, Field(ge=0)]
Megabytes = Annotated[float, Field(gt=0)]  # of 1,000,000 bytes
Pattern = Annotated[str, AfterValidator(_compiles)]
# processes of this machine, or the address of a Dask scheduler
Engine = Annotated[str, Field(pattern=r"^(processes|(tcp|tls|ws|wss)://[^\s/]+:[0-9]+)$")]


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Archived:
    """What holds for every kind of source."""

    roll_over: Megabytes = 1024.0  # size at which an archive file is closed and the next one begun


@dataclass(config=STRICT, frozen=True, kw_only=True)
class GenericFetch(Archived):
    """A web site: pages are followed from `start` within `domains`, at most `depth` links deep, media are taken from anywhere."""

    source: Literal["generic"]
    start: Annotated[list[str], Field(min_length=1)]
    domains: list[str] = field(default_factory=list)  # with their sub-domains; by default the hosts of `start`
    depth: Annotated[int, Field(ge=0)] = 3
    follow: list[Pattern] = field(default_factory=list)  # a link is followed if one of these is found in it; by default any
    take: list[Pattern] = field(default_factory=list)  # a picture or video is taken if one of these is found in its URL
    srcset: Literal["largest", "all"] = "largest"  # which of the sizes that a page offers of one picture
    spider: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "generic"  # a module of crawlers/spiders
    contact: str = ""  # URL or e-mail address for the user agent; a public site is not crawled without one
    delay: Annotated[float, Field(ge=0)] = 1.0  # seconds between two requests to one host
    concurrent: Count = 1  # requests to one host at a time
    opt_outs: Literal["honour", "ignore"] = "honour"  # noai and noimageai in headers and meta tags
    private: bool | None = None  # may addresses of a private network be asked? By default if `start` is one
    timeout: Rate = 60.0  # seconds for one answer
    retries: Annotated[int, Field(ge=0)] = 2  # after transient failures, of one URL
    patience: Annotated[float, Field(ge=0)] = 600.0  # seconds; a host that asks for more by Retry-After is left alone
    redirects: Annotated[int, Field(ge=0)] = 20  # of one URL
    max_size: Megabytes = 256.0  # of one answer
    max_pages: Count = 100_000
    max_hours: Rate = 168.0  # of one crawl; the next one goes on
    reproducible: bool = False  # may be regenerated in a clone without pull, and must then equal dvc.lock
    demo: str = ""  # the embedded site that the crawl serves to itself


@dataclass(config=STRICT, frozen=True, kw_only=True)
class FolderFetch(Archived):
    """A local or NFS folder whose files are archived under file://<site>/<relative path>."""

    source: Literal["folder"]
    folder: str
    device: str = ""


@dataclass(config=STRICT, frozen=True, kw_only=True)
class S3Fetch(Archived):
    """The objects of a bucket below a prefix, archived under their s3:// URLs; credentials come from AWS_* variables."""

    source: Literal["s3"]
    url: Annotated[str, Field(pattern=r"^s3://[^/]+(/.*)?$")]
    device: str = ""
    endpoint: str = ""  # of an S3 that is not Amazon's
    concurrent: Count = 8  # requests at a time


@dataclass(config=STRICT, frozen=True, kw_only=True)
class WarcFetch(Archived):
    """WARC files made by others, copied record by record; all their pages are read."""

    source: Literal["warc"]
    files: Annotated[list[str], Field(min_length=1)]  # paths, or patterns such as ../old/*.warc.gz
    take: list[Pattern] = field(default_factory=list)
    srcset: Literal["largest", "all"] = "largest"
    spider: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "generic"
    opt_outs: Literal["honour", "ignore"] = "honour"


Fetch = Annotated[GenericFetch | FolderFetch | S3Fetch | WarcFetch, Field(discriminator="source")]


@dataclass(config=STRICT, frozen=True)
class Read:
    """What `extract` reads from archived pages and files."""

    tags: str = ""  # CSS selector of the page's tags; none by default
    # parameters dropped from URLs; crawl heeds them too, but a change does not touch the web
    tracking: list[str] = field(default_factory=lambda: list(TRACKING))
    # of a folder or bucket: a pattern with the groups `tag` (also tag1, tag2, …) and `device`; by default each folder is a tag
    path: Pattern = ""


@dataclass(config=STRICT, frozen=True)
class Site:
    fetch: Fetch
    read: Read = field(default_factory=Read)


@dataclass(config=STRICT, frozen=True)
class Video:
    frames: Annotated[int, Field(ge=0)] = 0  # evenly spaced frames of each video that become objects of their own


@dataclass(config=STRICT, frozen=True)
class Objects:
    max_pixels: Count  # width times height above which a picture is rejected before decoding
    checks: bool = True  # is every picture decoded, to see that it is whole? Without, only its header is read
    video: Video = field(default_factory=Video)


@dataclass(config=STRICT, frozen=True)
class LabelParams:
    classes: Annotated[list[str], Field(min_length=2)]  # the class named at position i has value i
    tags: dict[str, Value] = field(default_factory=dict)  # page tag -> value, for objects without an annotation
    devices: dict[str, Value] = field(default_factory=dict)  # device -> value of its objects that have neither annotation nor tag


@dataclass(config=STRICT, frozen=True)
class Split:
    dataset: str  # the dataset version to split
    test: tuple[Byte, Byte]  # first and last low byte of the SHA-1, inclusive
    validation: tuple[Byte, Byte]
    leaks: Literal["exclude", "keep"]


@dataclass(config=STRICT, frozen=True)
class Prepare:
    size: Annotated[int, Field(ge=32)]  # pixels, height and width
    fit: Literal["squash", "letterbox"]


@dataclass(config=STRICT, frozen=True)
class Backbone:
    source: str  # embedded, a TensorFlow Hub URL, or the local path of a SavedModel folder or .tar.gz


@dataclass(config=STRICT, frozen=True)
class Phase:
    epochs: Annotated[int, Field(ge=0)]
    rate: Rate  # peak learning rate
    batch: Count


@dataclass(config=STRICT, frozen=True)
class Train:
    seed: int
    head: Phase
    fine_tune: Phase


SECTIONS: Mapping[str, Any] = {
    "sites": dict[str, Site],
    "objects": Objects,
    "label": LabelParams,
    "split": Split,
    "prepare": Prepare,
    "backbone": Backbone,
    "train": Train,
    "engine": Engine,
}


def section(name: str, kind: type[Section], path: Path = PARAMS) -> Section:
    """The section `name` of the params file (dots go deeper) as `kind`. Raises SenguError naming file, key and value."""
    value = document(path)
    for position, key in enumerate(keys := name.split(".")):
        if not isinstance(value, dict) or key not in value:
            raise SenguError(f"{path}: {'.'.join(keys[: position + 1])} is missing: add it, see params.yaml in the repository")
        value = value[key]
    return _validated(value, kind, name, path)


def engine(path: Path = PARAMS) -> str:
    """Where the file-parallel stages run. It is no dependency of any stage: the results are the same everywhere."""
    return section("engine", Engine, path) if "engine" in document(path) else "processes"


def document(path: Path = PARAMS) -> dict[str, Any]:
    """The whole params file as plain values, its section names checked."""
    if not path.is_file():
        raise SenguError(f"{path} is missing: run the stage in the folder that holds it")
    try:
        value = YAML(typ="safe").load(path.read_text(encoding="utf-8"))  # YAML 1.2, as DVC reads it: `yes` is a text
    except (YAMLError, UnicodeDecodeError) as error:
        raise SenguError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(value, dict):
        raise SenguError(f"{path}: expected sections such as `split:`, found {type(value).__name__}")
    for key in value:
        if key not in SECTIONS:
            raise SenguError(f"{path}: unknown section {key!r}: expected one of {', '.join(SECTIONS)}")
    return value


def site_names(path: Path = PARAMS) -> list[str]:
    """The sites, by name; params.yaml is the only list of them."""
    names = sorted(section("sites", dict[str, Any], path))
    if not names:
        raise SenguError(f"{path}: sites is empty: list at least one, see README.md")
    for name in names:
        check_site_name(name, path)
    return names


def check_site_name(name: str, path: Path = PARAMS) -> None:
    """Raises SenguError for a name that cannot be one of a stage and of files."""
    if not re.fullmatch(r"\w[\w-]*", name, re.ASCII):
        raise SenguError(f"{path}: site name {name!r}: use letters, digits, _ and - (DVC cannot take dots or spaces)")


def _validated(value: Any, kind: type[Section], name: str, path: Path) -> Section:
    try:
        text = json.dumps(value)
    except TypeError as error:
        raise SenguError(f"{path}: {name}: {error}: write dates and other special values in quotes") from error
    try:
        # params.yaml has lists only; strict mode would refuse them for tuples, but the JSON rules take them
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        # a misspelt key is reported as missing too; the misspelling is what the user needs to see
        first = min(error.errors(include_url=False), key=lambda e: e["type"] != "unexpected_keyword_argument")
        parts = [str(part) for part in first["loc"]]
        # after `fetch` pydantic names the source, which is no key
        place = ".".join([name, *(p for i, p in enumerate(parts) if i == 0 or parts[i - 1] != "fetch" or p not in SOURCES)])
        message = {"unexpected_keyword_argument": "unknown key", "missing": "missing", "missing_argument": "missing"}.get(
            first["type"], first["msg"]
        )
        found = "" if first["type"] in ("missing", "missing_argument") else f" (found {first['input']!r})"
        raise SenguError(f"{path}: {place}: {message}{found}{_choices(kind, first['type'])}") from error


def _choices(kind: Any, error_type: str) -> str:
    if error_type != "unexpected_keyword_argument" or not hasattr(kind, "__dataclass_fields__"):
        return ""
    return f"; the keys are {', '.join(kind.__dataclass_fields__)}"
