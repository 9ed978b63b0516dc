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
    "img::attr(src)", "video::attr(src)", "video::attr(poster)", "video source::attr(src)",
    *(f"[{name}]::attr({name})" for name in (*LAZY, "data-poster")),
    "link[rel~=image_src]::attr(href)", "link[rel~=preload][as=image]::attr(href)",
    "object[type^='image/']::attr(data)", "embed[type^='image/']::attr(src)", "[background]::attr(background)",
    "meta[itemprop=image]::attr(content)", "link[itemprop=image]::attr(href)",
)  # fmt: skip
# of attributes whose case does not count or whose names have a colon: an `image` is a picture in a drawing, or an old `img`
ODD = (
    "//image/@*[name() = 'href' or name() = 'xlink:href' or name() = 'src']",
    "//input[translate(@type, 'IMAGE', 'image') = 'image']/@src",
)
# the first belongs under `property`, the second under `name`, and pages confuse the two
META = (
    "og:image", "og:image:url", "og:image:secure_url", "og:video", "og:video:url", "twitter:image", "twitter:image:src",
)  # fmt: skip
SETS = (
    "img::attr(srcset)", "picture source::attr(srcset)", "link[imagesrcset]::attr(imagesrcset)",
    *(f"[{name}]::attr({name})" for name in LAZY_SETS),
)  # fmt: skip
# the expressions are possessive: they never backtrack, so no page can make them slow
BLANK = re.compile(r"[\s,]*+")
ADDRESS = re.compile(r"\S++")
SIZE = re.compile(r"([0-9]++(?:\.[0-9]++)?+)[wx]", re.ASCII)
CSS_URL = re.compile(
    r"""url\(\s*+(?:"((?:[^"\\]|\\.)*+)"|'((?:[^'\\]|\\.)*+)'|((?:[^"'()\s\\]|\\.)++))\s*+\)""", re.IGNORECASE | re.DOTALL
)
CSS_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?+|(.))", re.DOTALL)  # CSS Syntax, 4.3.7
# HTML Standard, "shared declarative refresh steps"
REFRESH = re.compile(
    r"""\s*+[0-9.]*+(?:\s*+[;,]|\s)\s*+(?:url\s*+=\s*+)?+(?:"([^"]*+)|'([^']*+)|([^"'].*+))""", re.IGNORECASE | re.DOTALL
)
DIGITS = 12  # of a width or density that is a number
NO_PICTURES = ("woff", "woff2", "ttf", "otf", "eot", "css")  # what style sheets name besides pictures


def shown_addresses(response: HtmlResponse, sizes: str) -> Iterator[str]:
    """Addresses that the page shows, with any extension; `sizes` chooses from a srcset: largest or all."""
    for meta in response.css("meta[content]"):
        if {meta.attrib.get(key, "").strip().lower() for key in ("property", "name")} & set(META):
            yield meta.attrib["content"]
    for selector in SHOWN:
        yield from response.css(selector).getall()
    for path in ODD:
        yield from response.xpath(path).getall()
    for selector in SETS:
        for text in response.css(selector).getall():
            yield from candidates(text, sizes)
    for style in response.css("[style*=url]::attr(style), style::text").getall():
        for quoted, single, bare in CSS_URL.findall(style):
            address = CSS_ESCAPE.sub(_unescaped, quoted or single or bare)
            # a fragment alone names a shape within the page
            if not address.startswith("#") and extension(address) not in NO_PICTURES:
                yield address


def linked(response: HtmlResponse) -> Iterator[str]:
    """Addresses that the page links to; they are media if their extension is one of EXTENSIONS."""
    yield from response.css("a::attr(href), area::attr(href)").getall()


def refreshed(response: HtmlResponse) -> Iterator[str]:
    """Addresses of the pages that a browser would load after this one, by meta tags (HTML Standard, "refresh state")."""
    for content in response.xpath("//meta[translate(@http-equiv, 'REFSH', 'refsh') = 'refresh']/@content").getall():
        if refresh := REFRESH.match(content):
            yield (refresh[1] or refresh[2] or refresh[3] or "").strip()


def _unescaped(escape: re.Match[str]) -> str:
    code = int(escape[1] or "0", 16)
    return escape[2] or (chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd")


def extension(address: str) -> str:
    """The extension of a path, in lower case and without the dot; empty if there is none."""
    path = address.partition("?")[0].partition("#")[0].strip().rpartition("/")[2]
    return path.rpartition(".")[2].lower() if "." in path else ""


def candidates(srcset: str, sizes: str) -> list[str]:
    """The addresses of a srcset attribute: the one with the largest width or density, or all of them."""
    sized = list(_candidates(srcset))
    if sizes == "largest" and sized:
        return [max(sized, key=lambda candidate: candidate[0])[1]]
    return [address for _, address in sized]


def _candidates(srcset: str) -> Iterator[tuple[float, str]]:
    """Width or density, 1 if none is given, and address (HTML Standard, "parsing a srcset attribute").

    An address may hold commas, but does not end with one; it ends at white space, like a data: URL.
    """
    place = 0
    while address := ADDRESS.match(srcset, BLANK.match(srcset, place).end()):  # type: ignore[union-attr]
        place = address.end()
        if address[0].endswith(","):
            yield 1.0, address[0].rstrip(",")
            continue
        end = srcset.find(",", place)
        end = len(srcset) if end < 0 else end
        sizes = filter(None, map(SIZE.fullmatch, srcset[place:end].split()))
        yield next((float(size[1]) for size in sizes if len(size[1]) < DIGITS), 1.0), address[0]
        place = end
