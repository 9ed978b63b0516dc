"""A page's HTML -> the addresses of the pictures and videos that it shows or links to, as they are written there."""

import re
from collections.abc import Iterator

from scrapy.http import HtmlResponse

EXTENSIONS = (
    "jpg", "jpeg", "jpe", "jfif", "png", "gif", "webp", "avif", "bmp", "tif", "tiff", "heic", "svg",
    "mp4", "m4v", "webm", "mov", "mkv", "avi",
)  # fmt: skip
# where scripts that load pictures late find the address; none is standard, these are the ones in wide use
LAZY = ("data-src", "data-original", "data-lazy", "data-lazy-src", "data-echo", "data-full", "data-image", "data-bg")
LAZY_SETS = ("data-srcset", "data-lazy-srcset", "data-original-set")
SHOWN = (
    "img::attr(src)", "video::attr(src)", "video::attr(poster)", "video source::attr(src)", "input[type=image]::attr(src)",
    *(f"[{name}]::attr({name})" for name in (*LAZY, "data-poster")),
    "link[rel~=image_src]::attr(href)",
    *(f"meta[{key}='{name}']::attr(content)" for key, name in (
        ("property", "og:image"), ("property", "og:image:url"), ("property", "og:image:secure_url"), ("property", "og:video"),
        ("property", "og:video:url"), ("name", "twitter:image"),
    )),
)  # fmt: skip
SETS = ("img::attr(srcset)", "picture source::attr(srcset)", *(f"[{name}]::attr({name})" for name in LAZY_SETS))
# HTML Standard, "parsing a srcset attribute": addresses may hold commas, but do not end with one
CANDIDATE = re.compile(r"[\s,]*(\S*[^\s,])(?:\s+([\d.]+)([wx])[^,]*)?\s*(?:,|$)")
CSS_URL = re.compile(r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^"'()\s]+))\s*\)""", re.IGNORECASE)


def shown(response: HtmlResponse, sizes: str) -> Iterator[str]:
    """Addresses that the page shows, whatever their extension; `sizes` says which of a srcset: largest or all."""
    for selector in SHOWN:
        yield from response.css(selector).getall()
    for selector in SETS:
        for text in response.css(selector).getall():
            yield from candidates(text, sizes)
    for style in response.css("[style*=url]::attr(style)").getall():
        for quoted, single, bare in CSS_URL.findall(style):
            yield quoted or single or bare


def linked(response: HtmlResponse) -> Iterator[str]:
    """Addresses that the page links to; they are media if their extension is one of EXTENSIONS."""
    yield from response.css("a::attr(href), area::attr(href)").getall()


def candidates(srcset: str, sizes: str) -> list[str]:
    """The addresses of a srcset attribute: the one with the largest width or density, or all of them."""
    found = [(float(number or 1), address) for address, number, _ in CANDIDATE.findall(srcset)]
    if sizes == "largest" and found:
        return [max(found, key=lambda candidate: candidate[0])[1]]
    return [address for _, address in found]
