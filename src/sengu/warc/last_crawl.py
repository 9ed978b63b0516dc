"""A site -> when it was last crawled on this machine: kept in .sengu/, because no output may hold a time."""

import json
from datetime import UTC, datetime

from sengu.base import working
from sengu.base.atomic import replaced_file


def crawled(site: str) -> None:
    with replaced_file(working.CRAWLS / f"{site}.json") as partial:
        partial.write_text(json.dumps({"finished": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}))


def last_crawl(site: str) -> str:
    """The end of the last crawl on this machine, ISO 8601 in UTC; empty text if there was none."""
    path = working.CRAWLS / f"{site}.json"
    return str(json.loads(path.read_text())["finished"]) if path.is_file() else ""
