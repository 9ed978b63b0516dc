"""Attacks on the labelling page by other web pages, in a real browser that has the page open."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext
from project import needs
from web.shop import EVIL, Served, Shop, served

pytestmark = [needs("chromium", "chromium"), pytest.mark.slow]


@pytest.fixture(scope="module")
def evil() -> Iterator[str]:
    """The address of another web server on another port of this machine, which serves one empty page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>evil</title><body>")

        def log_message(self, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    shop = Shop(tmp_path_factory.mktemp("attacked") / "labels", classes=("dots", "<img src=x>"))
    (shop.folder / "RULES.md").write_text(f"# Rules\n\n## R1 {EVIL}\n\n{EVIL}\n")
    with served(shop) as found:
        yield found


@pytest.fixture(scope="module")
def context(browser: Browser, page: Served) -> Iterator[BrowserContext]:
    """A browser in which the page is open, and its cookie lies."""
    found = browser.new_context()
    found.set_default_timeout(30_000)
    own = found.new_page()
    own.goto(page.open())
    own.wait_for_selector("#stage img")
    yield found
    found.close()


ATTACKS = {
    "read by fetch": "fetch(U + '/api/start', {credentials: 'include'}).then((r) => r.text())",
    "read without cors": "fetch(U + '/api/start', {credentials: 'include', mode: 'no-cors'}).then((r) => r.type)",
    "change by json": "fetch(U + '/api/undo', {method: 'POST', credentials: 'include', "
    "headers: {'Content-Type': 'application/json'}, body: '{}'}).then((r) => r.status)",
    "change by plain text": "fetch(U + '/api/undo', {method: 'POST', credentials: 'include', mode: 'no-cors', "
    "headers: {'Content-Type': 'text/plain'}, body: '{}'}).then((r) => r.type)",
    "beacon": "new Promise((done) => done(String(navigator.sendBeacon(U + '/api/undo', "
    "new Blob(['{}'], {type: 'text/plain'})) && 'sent')))",
    "script": "new Promise((done, fail) => { const s = document.createElement('script'); s.src = U + '/static/main.js'; "
    "s.onload = () => done('loaded'); s.onerror = fail; document.body.append(s); })",
    "module": "import(U + '/static/dom.js').then(() => 'loaded')",
    "style": "new Promise((done, fail) => { const s = document.createElement('link'); s.rel = 'stylesheet'; "
    "s.href = U + '/static/page.css'; s.onload = () => done('loaded'); s.onerror = fail; document.body.append(s); })",
    "picture": "new Promise((done, fail) => { const s = new Image(); s.src = U + '/picture/320/' + N; "
    "s.onload = () => done('loaded'); s.onerror = fail; })",
    "event stream": "new Promise((done, fail) => { const s = new EventSource(U + '/api/start', {withCredentials: true}); "
    "s.onopen = () => done('open'); s.onerror = () => { s.close(); fail(Error('denied')); }; })",
    "web socket": "new Promise((done, fail) => { const s = new WebSocket(U.replace('http', 'ws') + '/api/start'); "
    "s.onopen = () => done('open'); s.onerror = () => fail(Error('denied')); })",
    "upload": "fetch(U + '/upload', {method: 'POST', credentials: 'include', body: new FormData()}).then((r) => r.status)",
}  # fmt: skip
HARMLESS = {"beacon": "sent"}  # it is not told what came of it


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("where", ["another port", "another site"])
def test_another_page_reads_and_changes_nothing(context: BrowserContext, page: Served, name: str, where: str, evil: str) -> None:
    mine = context.new_page()
    # both lie on this machine; `localhost` is another site than 127.0.0.1
    mine.goto(evil if where == "another port" else evil.replace("127.0.0.1", "localhost"))
    ledger = page.desk.ledgers["anna"]
    before = dict(ledger.standing)
    script = ATTACKS[name].replace("U", repr(page.url)).replace("N)", f"{page.shop.names[0]!r})")
    script = script.replace("+ N;", f"+ {page.shop.names[0]!r};")
    outcome = mine.evaluate(f"() => {script}.catch(() => 'denied')")
    assert outcome == HARMLESS.get(name, "denied")
    assert ledger.standing == before
    mine.close()


def test_a_form_of_another_page_changes_nothing(context: BrowserContext, page: Served, evil: str) -> None:
    mine = context.new_page()
    mine.goto(evil)
    for kind in ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded"):
        mine.goto(evil)
        with mine.expect_navigation():
            mine.evaluate(
                """([url, kind]) => { const f = document.createElement('form'); f.method = 'post';
                f.action = url + '/api/undo';
                f.enctype = kind; document.body.append(f); f.submit(); }""",
                [page.url, kind],
            )
        assert "another web site" in mine.inner_text("body")
    mine.close()


@pytest.mark.parametrize("tag", ["iframe", "object"])
def test_the_page_stands_in_no_other(context: BrowserContext, page: Served, tag: str, evil: str) -> None:
    mine = context.new_page()
    mine.goto(evil)
    mine.evaluate(
        """([tag, url]) => new Promise((done) => { const f = document.createElement(tag); f.onload = f.onerror = done;
        f[tag == 'object' ? 'data' : 'src'] = url + '/'; document.body.append(f); })""",
        [tag, page.url],
    )
    assert not [frame.url for frame in mine.frames if frame.url.startswith(page.url)]
    mine.close()


def test_a_rebinding_name_is_denied(context: BrowserContext, page: Served) -> None:
    """As after DNS rebinding: a name of somebody else's that leads to this server; the browser holds the cookie of 127.0.0.1."""
    mine = context.new_page()
    for path in ("/", "/api/start", "/?token=x"):
        answer = mine.goto(f"http://evil.example:{page.port}{path}")
        assert answer is not None
        said = "This server does not answer to this name: open the address that `sengu label page` printed.\n"
        assert (answer.status, answer.text()) == (421, said)
    mine.close()


def test_a_window_that_another_page_opens_tells_it_nothing(context: BrowserContext, page: Served, evil: str) -> None:
    mine = context.new_page()
    mine.goto(evil)
    with context.expect_page() as opening:
        mine.evaluate("(url) => { window.theirs = window.open(url + '/'); }", page.url)
    opening.value.wait_for_load_state()
    assert mine.evaluate("() => window.theirs.closed || window.theirs === null")  # the opener is cut off
    opening.value.close()
    mine.close()


def test_what_others_wrote_is_only_text(context: BrowserContext, page: Served) -> None:
    mine = context.new_page()
    dialogs: list[str] = []
    mine.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for view, ready in (("single", "aside dl"), ("grid", ".tile img"), ("review", "section img")):
        mine.goto(f"{page.url}/#{view}")
        mine.reload()
        mine.wait_for_selector(ready)
        if view == "single":
            mine.keyboard.press("i")
            mine.wait_for_selector("aside meter")
            assert EVIL in mine.inner_text("aside")
        assert mine.query_selector("main script, main img[src=x]") is None
        assert mine.query_selector('a[href^="javascript"]') is None
        assert mine.title().startswith("Sengu")
    assert dialogs == []
    mine.close()


def test_a_script_that_came_in_is_not_run(context: BrowserContext, page: Served) -> None:
    """The second wall: even markup in the page, and code in a text, do nothing."""
    mine = context.new_page()
    mine.goto(page.url)
    mine.wait_for_selector("#stage img")
    assert (
        mine.evaluate("() => { try { document.body.innerHTML = '<p>'; return 'set'; } catch { return 'denied'; } }") == "denied"
    )
    handler = "() => { try { document.body.setAttribute('onclick', 'evil()'); return 'set'; } catch { return 'denied'; } }"
    assert mine.evaluate(handler) == "denied"
    for address in ("http://127.0.0.1:1/x.png", "data:image/gif;base64,R0lGODlhAQABAAAAACw="):
        loaded = mine.evaluate(
            "(url) => new Promise((done) => { const s = new Image(); s.onload = () => done('loaded'); "
            "s.onerror = () => done('denied'); s.src = url; })",
            address,
        )
        assert loaded == "denied"
    assert mine.evaluate("() => fetch('http://127.0.0.1:1/').catch(() => 'denied')") == "denied"
    assert mine.evaluate("() => document.cookie") == ""
    mine.close()


def test_the_address_may_be_clicked_on_another_site(browser: Browser, tmp_path: Path, evil: str) -> None:
    context = browser.new_context()
    try:
        with served(Shop(tmp_path / "labels")) as found:
            address = found.open()
            for _ in range(2):  # the second time the token is spent, and the cookie lies in the browser
                page = context.new_page()
                page.goto(evil.replace("127.0.0.1", "localhost"))  # another site than 127.0.0.1, not only another port
                page.evaluate("address => { location.href = address }", address)
                page.wait_for_selector("#stage img")
                assert page.url == f"{found.url}/"
    finally:
        context.close()
