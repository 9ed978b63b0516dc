"""`remote` of params.yaml: how many copies there are to be, what the bucket is to be like, and what storage costs."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from sengu.base.params.values import STRICT, Count

Days = Annotated[int, Field(ge=1, le=36_500)]
Price = Annotated[float, Field(ge=0)]  # in the currency of the table
StorageClass = Literal["INTELLIGENT_TIERING", "STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Tiering:
    """Moves what lies in the remote `remote` to a cheaper class; lifecycle rules go by prefix, so all of it."""

    remote: str  # a remote of its own for archives, which outputs of dvc.yaml name by `remote:`, or the default one
    to: StorageClass
    after: Days


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Bucket:
    """The settings that `sengu remote apply` gives a bucket."""

    versioning: bool = True  # without, an overwritten or deleted object is gone
    keep_versions: Days = 90  # before overwritten and deleted objects expire
    abort_uploads: Days = 7  # before the parts of an unfinished upload are deleted
    block_public: bool = True
    tls_only: bool = True
    encrypt: bool = True  # SSE-S3; not KMS, whose ETags are no MD5s
    vpc_endpoints: list[str] = field(default_factory=list)  # if any, or any range: requests from elsewhere are denied
    address_ranges: list[str] = field(default_factory=list)  # such as 198.51.100.0/24
    tags: dict[str, str] = field(default_factory=dict)  # for the bill
    tiering: list[Tiering] = field(default_factory=list)


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Retention:
    """The time for which `sengu remote prune` keeps what nothing pins any more."""

    days: Days = 90
    sites: dict[str, Days] = field(default_factory=dict)  # of their archives


@dataclass(config=STRICT, frozen=True, kw_only=True)
class StoragePrice:
    """The price of one storage class."""

    month: Price  # a gigabyte (1,000,000,000 bytes) in a month
    objects: Price = 0.0  # 1,000 objects in a month, as Intelligent-Tiering's monitoring
    transition: Price = 0.0  # moving 1,000 objects into the class
    retrieval: Price = 0.0  # reading a gigabyte back
    floor: Annotated[int, Field(ge=0)] = 0  # bytes that a smaller object is charged for


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Prices:
    """The price list of a store; by default that of a folder: nothing."""

    currency: str = "USD"
    source: str = ""  # whose list, and of which date
    classes: dict[str, StoragePrice] = field(default_factory=dict)
    write: Price = 0.0  # 1,000 PUT, COPY or LIST requests
    read: Price = 0.0  # 1,000 GET requests
    transfer: Price = 0.0  # a gigabyte out to the internet
    free_transfer: Price = 0.0  # gigabytes a month that go out for nothing


@dataclass(config=STRICT, frozen=True, kw_only=True)
class RemoteParams:
    copies: Count = 1  # independent remotes that must hold every object
    further: list[str] = field(default_factory=list)  # the remotes of .dvc/config that count, beside the default one
    check_budget: str = "100%"  # of a folder remote, which must be read to be checked; such as 5%, 30m or 1h
    thaw_days: Days = 7  # how long a cold object stays readable after `thaw`
    thaw_tier: Literal["Standard", "Bulk", "Expedited"] = "Standard"
    bucket: Bucket = field(default_factory=Bucket)
    retention: Retention = field(default_factory=Retention)
    prices: Prices = field(default_factory=Prices)
