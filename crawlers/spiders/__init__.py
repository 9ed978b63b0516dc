"""One spider per kind of source: what it fetches, and what it finds in what was fetched."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """A picture or video that a page shows; `tags` are the page's, sorted."""

    url: str
    page: str
    tags: tuple[str, ...]
