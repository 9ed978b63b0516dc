"""One spider per kind of source: what it fetches, and what it finds in the answers."""

from dataclasses import dataclass

# request meta: how many links a page is away from the start, or MEDIA; not Scrapy's own depth, which counts a picture as a step
STEPS = "steps"
MEDIA = -1
PAGE = "page"  # request meta: the page on which the URL stands
UNREAD = "unread: "  # flag of an archived page that cannot be decoded, before the reason
AGE = "age"  # request meta of a replay: how many versions of the page are younger than the one to read


@dataclass(frozen=True)
class Found:
    """A picture or video that a page shows, or a file; `tags` are the page's, sorted.

    `age` counts the page's younger versions. `device`, `operator` and `subject` come from the path of a file, if it has them.
    """

    url: str
    page: str
    tags: tuple[str, ...]
    age: int = 0
    device: str = ""
    operator: str = ""
    subject: str = ""


@dataclass(frozen=True)
class FoundOnPage:
    """Everything that one page shows, as one item: Scrapy takes longer for an item than the spider to find it."""

    media: list[Found]
