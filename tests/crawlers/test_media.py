import pytest
from scrapy.http import HtmlResponse

from crawlers.media import candidates, linked, shown


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
    assert list(shown(page(body), "largest")) == expected


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
    ],
)
def test_candidates_of_a_srcset(srcset: str, every: list[str], largest: list[str]) -> None:
    assert candidates(srcset, "all") == every
    assert candidates(srcset, "largest") == largest
