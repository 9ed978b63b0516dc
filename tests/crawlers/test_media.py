import re
from collections.abc import Iterator
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest
from scrapy.http import HtmlResponse

from crawlers import archive, extract, foreign, media, optouts, pages
from crawlers.media import candidates, linked, refreshed, shown_addresses
from crawlers.spiders import generic
from sengu.base import urls
from sengu.warc import payloads, reading


def page(body: str) -> HtmlResponse:
    return HtmlResponse("http://a.example/", body=f"<html>{body}</html>".encode(), encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<img src="a.jpg" alt="x">', ["a.jpg"]),
        ('<img src="s.jpg" srcset="s.jpg 320w, l.jpg 1280w, m.jpg 640w">', ["s.jpg", "l.jpg"]),
        ('<picture><source srcset="a.webp 1x, b.webp 2x" type="image/webp"><img src="a.jpg"></picture>', ["a.jpg", "b.webp"]),
        ('<video src="v.mp4" poster="p.jpg"></video>', ["v.mp4", "p.jpg"]),
        ('<video poster="p.jpg"><source src="v.webm"></video>', ["p.jpg", "v.webm"]),
        ('<img src="blank.gif" data-src="real.jpg">', ["blank.gif", "real.jpg"]),
        ('<img data-original="real.jpg" data-srcset="x.jpg 1x, y.jpg 2x">', ["real.jpg", "y.jpg"]),
        ('<div data-bg="wall.jpg"></div>', ["wall.jpg"]),
        ('<noscript><img src="n.jpg"></noscript>', ["n.jpg"]),
        ('<head><meta property="og:image" content="http://cdn.example/o.jpg"></head>', ["http://cdn.example/o.jpg"]),
        ('<head><meta name="twitter:image" content="t.jpg"></head>', ["t.jpg"]),
        ("<div style=\"background: url(a.jpg) no-repeat, URL( 'b.jpg' )\"></div>", ["a.jpg", "b.jpg"]),
        ("<div style='background-image: url(\"c d.jpg\")'></div>", ["c d.jpg"]),
        ("<div style='color: red'></div>", []),
        ("<p>a.jpg</p>", []),
    ],
)
def test_what_a_page_shows(body: str, expected: list[str]) -> None:
    assert list(shown_addresses(page(body), "largest")) == expected


def test_links_are_what_anchors_and_areas_name() -> None:
    assert list(linked(page('<a href="a.jpg">x</a><map><area href="b.png"></map><a name="c">c</a>'))) == ["a.jpg", "b.png"]


@pytest.mark.parametrize(
    ("srcset", "every", "largest"),
    [
        ("a.jpg", ["a.jpg"], ["a.jpg"]),
        ("a.jpg, b.jpg 2x", ["a.jpg", "b.jpg"], ["b.jpg"]),
        (" a.jpg 1.5x ,\n b.jpg 1x ", ["a.jpg", "b.jpg"], ["a.jpg"]),
        ("a.jpg 100w,b.jpg 200w", ["a.jpg", "b.jpg"], ["b.jpg"]),
        (
            "/w_100,h_100/a.jpg 100w, /w_200,h_200/a.jpg 200w",
            ["/w_100,h_100/a.jpg", "/w_200,h_200/a.jpg"],
            ["/w_200,h_200/a.jpg"],
        ),
        ("a.jpg 100w 50h, b.jpg 200w 100h", ["a.jpg", "b.jpg"], ["b.jpg"]),
        ("", [], []),
        (" , ", [], []),
        ("a.jpg 1.2.3x, b.jpg 2x", ["a.jpg", "b.jpg"], ["b.jpg"]),
        ("a.jpg 9999999999999999999w, b.jpg 2w", ["a.jpg", "b.jpg"], ["b.jpg"]),
        ("data:image/gif;base64,AAAA 1x, b.jpg 2x", ["data:image/gif;base64,AAAA", "b.jpg"], ["b.jpg"]),
    ],
)
def test_candidates_of_a_srcset(srcset: str, every: list[str], largest: list[str]) -> None:
    assert candidates(srcset, "all") == every
    assert candidates(srcset, "largest") == largest


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<meta http-equiv="refresh" content="5; url=/next">', ["/next"]),
        ("<META HTTP-EQUIV=Refresh CONTENT=\"0;URL='/next?a=1;b=2'\">", ["/next?a=1;b=2"]),
        ('<meta http-equiv="refresh" content="5, /next">', ["/next"]),
        ('<meta http-equiv="refresh" content="0 url=/next">', ["/next"]),
        ("<meta http-equiv=refresh content=\"0; url = '/next' and more\">", ["/next"]),
        ('<meta http-equiv="refresh" content=".5;url.html">', ["url.html"]),
        ('<meta http-equiv="refresh" content="0; url=">', []),
        ('<meta http-equiv="refresh" content="url=/next">', []),
        ('<meta http-equiv="refresh" content="5">', []),
        ('<meta name="refresh" content="5; url=/next">', []),
    ],
)
def test_where_a_page_refreshes_to(body: str, expected: list[str]) -> None:
    assert list(refreshed(page(body))) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<style>a { background: url(a.jpg) } b { background: url('b.png?x#y') }</style>", ["a.jpg", "b.png?x#y"]),
        ("<style>@import url(x.css); @font-face { src: url(f.woff2?v=1) } a { mask: url(#m) }</style>", []),
        ('<meta name="og:image" content="o.jpg"><meta itemprop="image" content="i.jpg">', ["o.jpg", "i.jpg"]),
        ('<meta property="twitter:image:src" content="t.jpg">', ["t.jpg"]),
        ('<META NAME="OG:Image" CONTENT="o.jpg">', ["o.jpg"]),
        ('<svg><image href="a.jpg" xlink:href="b.jpg"/></svg><image src="c.jpg">', ["a.jpg", "b.jpg", "c.jpg"]),
        ('<input type="IMAGE" src="i.jpg"><input type="text" src="t.jpg">', ["i.jpg"]),
        ('<object type="image/png" data="o.png"></object><embed type="image/png" src="e.png">', ["o.png", "e.png"]),
        ('<object type="text/html" data="o.html"></object>', []),
        ('<link rel="preload" as="image" href="p.jpg" imagesrcset="s.jpg 1x, l.jpg 2x">', ["p.jpg", "l.jpg"]),
        ('<body background="b.jpg"><table><td background="t.jpg">', ["b.jpg", "t.jpg"]),
        (r"<style>a { background: url(a\ b.jpg) } b { mask: url('c\27 d.jpg') }</style>", ["a b.jpg", "c'd.jpg"]),
    ],
)
def test_what_a_page_shows_in_places_where_it_should_not(body: str, expected: list[str]) -> None:
    assert list(shown_addresses(page(body), "largest")) == expected


def patterns() -> list[tuple[str, re.Pattern[Any]]]:
    """Every regular expression of the modules that read what others wrote."""
    modules = [media, optouts, pages, archive, extract, foreign, generic, urls, payloads, reading]
    return [
        (f"{module.__name__}.{name}", value)
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
    ]


def unbounded(parsed: Any) -> Iterator[str]:
    """Names of the repeats in an expression that may take any number of letters and give them back one by one."""
    for name, argument in parsed:
        if str(name) in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _, most, inner = argument
            if str(name) != "POSSESSIVE_REPEAT" and str(most) == "MAXREPEAT":
                yield f"{name} of {inner}"
            yield from unbounded(inner)
        elif str(name) in ("SUBPATTERN", "ASSERT", "ASSERT_NOT"):
            yield from unbounded(argument[-1])
        elif str(name) == "BRANCH":
            for branch in argument[1]:
                yield from unbounded(branch)


def test_no_regular_expression_gives_back_what_it_has_taken() -> None:
    # so that each makes at most one pass from where it starts, whatever stands in a page
    found = patterns()
    assert {"crawlers.media.CSS_URL", "crawlers.pages.ENDS", "sengu.base.urls.PATH_PARAMETER"} <= {name for name, _ in found}
    assert {name: list(unbounded(parser.parse(p.pattern, p.flags))) for name, p in found} == {name: [] for name, _ in found}


class Counted(str):
    """A text that counts the letters that are looked through for commas."""

    looked_at = 0

    def find(self, part: str, start: Any = 0, end: Any = None) -> int:
        place = super().find(part, start)
        Counted.looked_at += (place if place >= 0 else len(self)) - start
        return place


@pytest.mark.parametrize("unit", ["a ", "a,", ", ", " ", ",", "1.2.3x ", "data:x;base64,AAAA", "a 1x 1x"])
def test_a_srcset_of_100_kb_is_gone_through_once(unit: str) -> None:
    text = Counted(unit * (100_000 // len(unit)))
    Counted.looked_at = 0
    candidates(text, "all")
    assert Counted.looked_at <= len(text)
