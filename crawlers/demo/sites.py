"""The name of a demo site -> every answer it gives, by path: pages, pictures of two kinds, and real-life defects."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crawlers.demo import pictures

PER_PAGE = 25
HTML = "text/html; charset=utf-8"
WEBP = Path(__file__).with_name("stripes.webp")  # made once and kept: the WebP encoder computes with floating point

# site -> how many pictures of each kind, and the word by which the site's pages call it
KINDS: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "demo_a": {"dots": (290, "dots"), "stripes": (600, "stripes")},
    "demo_b": {"dots": (190, "spots"), "stripes": (420, "lines")},
}
FIRST_NUMBER = {"demo_a": 0, "demo_b": 10_000}


@dataclass(frozen=True)
class Answer:
    """The server's answer for one path."""

    content_type: str
    body: bytes
    status: int = 200
    location: str = ""


def answers(site: str) -> dict[str, Answer]:
    """Every path of a demo site and its answer. Raises KeyError for a site that is not one."""
    by_kind: dict[str, dict[str, Answer]] = {kind: _drawn(site, kind) for kind in KINDS[site]}
    if site == "demo_a":
        by_kind["dots"] |= _odd_but_good("dots", 20_000)
        by_kind["stripes"] |= _odd_but_good("stripes", 21_000) | {"/pictures/photo.webp": Answer("image/webp", WEBP.read_bytes())}
        by_kind["stripes"] |= _defects()
    else:
        for kind in by_kind:
            by_kind[kind] |= _taken_from_demo_a(kind)
        # the same picture under the other kind's tag: its labels conflict
        for number in range(3):
            by_kind["stripes"][f"/pictures/mistaken-{number}.jpg"] = _jpeg("dots", 100 + number)
    listed = [path for kind in KINDS[site] for path in _pages(site, kind, by_kind[kind])]
    rest = {
        "/": _page(site, "Home", "", [f'<a href="{path}">{path}</a>' for path in listed] + ['<a href="/private/">private</a>']),
        "/robots.txt": Answer("text/plain", b"User-agent: *\nDisallow: /private/\n"),
        "/private/": _page(site, "Private", "dots", ['<img src="/pictures/dots-0.jpg">']),
    }
    for kind in KINDS[site]:
        rest |= _pages(site, kind, by_kind[kind]) | by_kind[kind]
    return rest


def _drawn(site: str, kind: str) -> dict[str, Answer]:
    count, word = KINDS[site][kind]
    return {f"/pictures/{word}-{number}.jpg": _jpeg(kind, FIRST_NUMBER[site] + number) for number in range(count)}


def _jpeg(kind: str, number: int) -> Answer:
    return Answer("image/jpeg", pictures.jpeg(pictures.draw(kind, number)))


def _odd_but_good(kind: str, first: int) -> dict[str, Answer]:
    """Pictures that are hard to read, and that a good pipeline keeps."""
    forms = {
        "cmyk.jpg": ("image/jpeg", pictures.cmyk_jpeg),
        "rotated.jpg": ("image/jpeg", pictures.rotated_jpeg),
        "alpha.png": ("image/png", pictures.alpha_png),
        "palette.png": ("image/png", pictures.palette_png),
        "deep.png": ("image/png", pictures.deep_png),
        "animated.gif": ("image/gif", pictures.animated_gif),
        "wrong-extension.jpg": ("image/jpeg", pictures.png),
    }
    odd = {
        f"/pictures/{kind}-{name}": Answer(content_type, encode(pictures.draw(kind, first + i)))
        for i, (name, (content_type, encode)) in enumerate(forms.items())
    }
    moved = f"/pictures/{kind}-here-now.jpg"
    odd[moved] = _jpeg(kind, first + len(forms))
    odd[f"/old/{kind}.jpg"] = Answer(HTML, b"moved", 301, moved)
    return odd


def _defects() -> dict[str, Answer]:
    """Pictures that cannot be used; each must end in the rejected table."""
    whole = pictures.jpeg(pictures.draw("stripes", 22_000))
    return {
        "/pictures/truncated.jpg": Answer("image/jpeg", whole[: len(whole) // 2]),
        "/pictures/zero.jpg": Answer("image/jpeg", b""),
        "/pictures/page.jpg": Answer("image/jpeg", b"<!DOCTYPE html><html><body>Please log in</body></html>"),
        "/pictures/bomb.png": Answer("image/png", pictures.bomb_png()),
        "/pictures/drawing.svg": Answer("image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        "/pictures/gone.jpg": Answer(HTML, b"gone", 404),
    }


def _taken_from_demo_a(kind: str) -> dict[str, Answer]:
    """Copies of the other site's pictures: exact, equal in every pixel, and nearly equal."""
    word = KINDS["demo_b"][kind][1]
    taken: dict[str, Answer] = {}
    for number in range(10):
        original = {
            name: pictures.draw(kind, 10 * i + number) for i, name in enumerate(("copy", "comment", "small", "weak", "crop"))
        }
        versions = {
            "copy": pictures.jpeg(original["copy"]),
            "comment": pictures.commented_jpeg(original["comment"]),
            "small": pictures.jpeg(pictures.shrunk(original["small"])),
            "weak": pictures.jpeg(original["weak"], quality=40),
            "crop": pictures.jpeg(pictures.cropped(original["crop"])),
        }
        taken |= {f"/pictures/{word}-{name}-{number}.jpg": Answer("image/jpeg", body) for name, body in versions.items()}
    return taken


def _pages(site: str, kind: str, pictures_shown: Mapping[str, Answer]) -> dict[str, Answer]:
    """The pages that show the pictures of one kind, some by name of their old address."""
    word = KINDS[site][kind][1]
    paths = [path for path in pictures_shown if path != f"/pictures/{kind}-here-now.jpg"]
    slices = [paths[i : i + PER_PAGE] for i in range(0, len(paths), PER_PAGE)]
    return {
        f"/{word}/{number}": _page(site, f"{word} {number}", word, [f'<img src="{path}" alt="">' for path in part])
        for number, part in enumerate(slices, start=1)
    }


def _page(site: str, title: str, word: str, lines: list[str]) -> Answer:
    """A page: demo_a links its tags, demo_b has them as keywords, since no two real sites are alike."""
    keywords = f'<meta name="keywords" content="pictures, {word}">' if site == "demo_b" and word else ""
    tags = f'<p class="tags"><a href="/">pictures</a> <a href="/{word}/1">{word}</a></p>' if site == "demo_a" and word else ""
    text = (
        f"<!DOCTYPE html>\n<html><head><title>{title}</title>{keywords}</head><body>{tags}\n"
        + "\n".join(lines)
        + "\n</body></html>\n"
    )
    return Answer(HTML, text.encode())
