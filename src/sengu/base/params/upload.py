"""The section `upload` of params.yaml: where pictures go that devices and scripts send to the labelling page."""

import re
import string
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from sengu.base.params.values import STRICT

FIELDS = ("device", "operator", "subject", "annotator", "date", "name")
EXAMPLE = "{operator}/{subject}/{date}-{name}"


def _is_naming(rule: str) -> str:
    try:
        fields = {name for _, name, form, _ in string.Formatter().parse(rule) if name is not None or form}
    except ValueError as error:
        raise ValueError(f"not a naming rule: {error}") from error
    if strangers := fields - set(FIELDS):
        raise ValueError(f"a naming rule knows {', '.join(FIELDS)}, not {strangers.pop()!r}, as in {EXAMPLE!r}")
    if "name" not in fields or any(part.strip(". ") == "" or part[0] == "." for part in re.sub(r"{\w+}", "x", rule).split("/")):
        raise ValueError(f"a naming rule has {{name}} and no part that is empty or begins with a dot, as in {EXAMPLE!r}")
    return rule


@dataclass(config=STRICT, frozen=True, kw_only=True)
class UploadDevice:
    """One device: its pictures go into the folder or below the prefix of `site`, by the name that the rule gives."""

    site: str
    name: Annotated[str, Field(min_length=1), AfterValidator(_is_naming)] = "{date}-{name}"
