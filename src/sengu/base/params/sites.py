"""`sites` of params.yaml: where the pictures of a site come from, and what is read from its pages."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from sengu.base.params.values import STRICT, Count, Megabytes, Pattern, Rate
from sengu.base.urls import TRACKING, host_name, start_url

SOURCES = ("generic", "folder", "s3", "warc")


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Archived:
    """Settings of every kind of source."""

    roll_over: Megabytes = 1024.0  # size at which an archive file is closed and the next one begun


@dataclass(config=STRICT, frozen=True, kw_only=True)
class GenericFetch(Archived):
    """A web site: pages are followed from `start` within `domains`, at most `depth` links deep, media are taken from anywhere."""

    source: Literal["generic"]
    start: Annotated[list[Annotated[str, AfterValidator(start_url)]], Field(min_length=1)]
    domains: list[Annotated[str, AfterValidator(host_name)]] = field(
        default_factory=list
    )  # with their sub-domains; by default the hosts of `start`
    depth: Annotated[int, Field(ge=0)] = 3
    follow: list[Pattern] = field(default_factory=list)  # a link is followed if one of these is found in it; by default any
    take: list[Pattern] = field(default_factory=list)  # a picture or video is taken if one of these is found in its URL
    srcset: Literal["largest", "all"] = "largest"  # which of the sizes that a page offers of one picture
    spider: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "generic"  # a module of crawlers/spiders
    contact: str = ""  # URL or e-mail address for the user agent; a public site is not crawled without one
    delay: Annotated[float, Field(ge=0)] = 1.0  # seconds between two requests to one host
    concurrent: Count = 1  # requests to one host at a time
    opt_outs: Literal["honour", "ignore"] = "honour"  # noai and noimageai in headers and meta tags
    referer: bool = True  # whether a page is named as the Referer of its pictures; some servers require it
    private: bool | None = None  # whether addresses of a private network may be requested; by default if `start` is one
    timeout: Rate = 60.0  # seconds for one answer
    retries: Annotated[int, Field(ge=0)] = 2  # after transient failures, of one URL
    patience: Annotated[float, Field(ge=0)] = 600.0  # seconds; a host that asks for a longer wait by Retry-After is left alone
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
    """Settings of `extract`: what to read from archived pages and files."""

    tags: str = ""  # CSS selector of the page's tags; none by default
    # parameters dropped from URLs; crawl heeds them too, but a change does not touch the web
    tracking: list[str] = field(default_factory=lambda: list(TRACKING))
    # of a folder or bucket: a pattern with the groups `tag` (also tag1, tag2, …), `device`, `operator` and `subject`;
    # by default each folder is a tag
    path: Pattern = ""


@dataclass(config=STRICT, frozen=True)
class Site:
    fetch: Fetch
    read: Read = field(default_factory=Read)
