"""The kinds of values in params.yaml, with their limits."""

import math
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from sengu.base import names
from sengu.base.texts import nfc

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
MOST = 2**31 - 1  # what TensorFlow takes for a number of examples


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


def _is_folder(name: str) -> str:
    if reason := names.fault(name):
        raise ValueError(f"a class named {name!r} {reason}: give it another name")
    return name


def differing(classes: list[str]) -> list[str]:
    if twice := names.same(classes):
        raise ValueError(f"two classes are named {twice!r}, where upper and lower case are the same: rename one of them")
    return classes


def _penalty(value: object) -> object:
    if value != "auto" and not (isinstance(value, int | float) and 0 < value < math.inf):
        raise ValueError("expected auto, or a number greater than 0")
    return value


Count = Annotated[int, Field(ge=1, le=MOST)]
Times = Annotated[int, Field(ge=0, le=MOST)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what NumPy takes
Byte = Annotated[int, Field(ge=0, le=255)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Ratio = Annotated[float, Field(gt=0, le=1)]
Value = Annotated[int, Field(ge=0)]
Megabytes = Annotated[float, Field(gt=0)]  # of 1,000,000 bytes
ClassName = Annotated[str, AfterValidator(nfc), AfterValidator(_is_folder)]  # a folder of `sengu objects export`
Penalty = Annotated[float | Literal["auto"], BeforeValidator(_penalty)]
Pattern = Annotated[str, AfterValidator(_compiles)]
Text = Annotated[str, AfterValidator(nfc)]  # typed text, which is compared with text that others typed
# processes of this machine, or the address of a Dask scheduler
Engine = Annotated[str, Field(pattern=r"^(processes|(tcp|tls|ws|wss)://[^\s/]+:[0-9]+)$")]
# where those who read payloads out of archives find the archive files: in this folder, or in the remote of DVC
Archives = Literal["local", "remote"]
