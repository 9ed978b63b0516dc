"""Attacks on the labelling page by programs that speak HTTP: none is let in, and what is changed stays as it was."""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from web.shop import Served, Shop, served

CHANGES = ["queue", "opinions", "label", "undo", "example", "group", "quiz", "answer"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(Shop(tmp_path_factory.mktemp("page") / "labels"), "anna", "ben") as found:
        yield found


@pytest.fixture(scope="module")
def cookie(page: Served) -> str:
    status, headers, _ = ask(page, "GET", page.open().removeprefix(page.url))
    assert status == 303
    return headers["Set-Cookie"].partition(";")[0]


def ask(page: Served, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer; a header is named with _ for -, and left out where it is empty."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items() if value}
    connection.putrequest(method, path, skip_host="Host" in named)
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    if body is not None and "Content-Length" not in named and "Transfer-Encoding" not in named:
        named["Content-Length"] = str(len(data))
    for name, value in named.items():
        connection.putheader(name, value)
    connection.endheaders(data or None)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def change(page: Served, cookie: str, path: str = "/api/undo", body: Any = None, **headers: str) -> int:
    """The status of a request that the page itself would send, but for `headers`."""
    usual = {"Cookie": cookie, "Sec_Fetch_Site": "same-origin", "Origin": page.url, "Content_Type": "application/json"}
    return ask(page, "POST", path, {} if body is None else body, **(usual | headers))[0]


def test_the_page_itself_is_let_in(page: Served, cookie: str) -> None:
    assert change(page, cookie) == 200
    assert change(page, cookie, Origin="") == 200
    assert change(page, cookie, Sec_Fetch_Site="") == 200
    status, headers, body = ask(page, "GET", "/api/start", Cookie=cookie)
    assert (status, json.loads(body)["annotator"]) == (200, "anna")
    assert headers["Cache-Control"] == "no-store"


def test_the_token_is_used_once_and_leaves_the_address(page: Served) -> None:
    address = page.open("ben").removeprefix(page.url)
    status, headers, _ = ask(page, "GET", address)
    assert (status, headers["Location"]) == (303, "/")
    flags = set(headers["Set-Cookie"].split("; ")[1:])
    assert flags == {"HttpOnly", "Path=/", "SameSite=Strict"}
    assert headers["Set-Cookie"].startswith(f"sengu-{page.port}=")
    assert ask(page, "GET", address)[0] == 403


@pytest.mark.parametrize("token", ["", "x", "é", "%00", "a" * 5000])
def test_a_guessed_token_opens_nothing(page: Served, token: str) -> None:
    path = f"/?token={token}".encode().decode("latin-1").replace("Ã©", "%C3%A9")
    status, headers, _ = ask(page, "GET", path)
    assert status in (400, 403)
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:PORT", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:PORT", "127.0.0.1:PORT, x"]
)
def test_another_name_of_this_machine_is_denied(page: Served, cookie: str, host: str) -> None:
    named = host.replace("PORT", str(page.port))
    assert ask(page, "GET", "/api/start", Cookie=cookie, Host=named)[0] in (400, 421)


@pytest.mark.parametrize("path", ["/api/start", "/picture/320/NAME", "/static/main.js", "/", "/api/rules", "/api/review"])
def test_nothing_is_read_without_the_cookie(page: Served, cookie: str, path: str) -> None:
    path = path.replace("NAME", page.shop.names[0])
    assert ask(page, "GET", path, Cookie=cookie)[0] == 200
    assert ask(page, "GET", path)[0] == 403
    assert ask(page, "GET", path, Cookie=f"sengu-{page.port}=guessed")[0] == 403
    assert ask(page, "GET", path, Cookie=cookie.replace(str(page.port), str(page.port + 1)))[0] == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_nothing_is_read_by_another_site_or_port(page: Served, cookie: str, site: str) -> None:
    assert ask(page, "GET", f"/picture/320/{page.shop.names[0]}", Cookie=cookie, Sec_Fetch_Site=site)[0] == 403
    assert ask(page, "GET", "/api/start", Cookie=cookie, Sec_Fetch_Site=site)[0] == 403


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "", "Sec_Fetch_Site": ""},
        {"Origin": "", "Sec_Fetch_Site": "none"},
    ],
    ids=["no cookie", "origin", "null", "port", "cross-site", "same-site", "nothing said", "typed in"],
)
def test_nothing_is_changed_but_by_the_page(page: Served, cookie: str, name: str, headers: dict[str, str]) -> None:
    assert change(page, cookie, f"/api/{name}", **headers) == 403


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=utf-8, x"]
)
def test_only_json_changes_anything(page: Served, cookie: str, kind: str) -> None:
    assert change(page, cookie, Content_Type=kind) == 415


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "HEAD", "GET"])
def test_no_other_method_and_no_cors_header(page: Served, cookie: str, method: str) -> None:
    asked = {"Origin": "http://evil.example", "Access_Control_Request_Method": "POST"}
    status, headers, _ = ask(page, method, "/api/undo", Cookie=cookie, **asked)
    assert status in (403, 404)
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "//etc/passwd", "/static//etc/passwd",
        "/static/..\\app.py", "/picture/320/../../params.yaml", "/picture/320/..%2f..%2fparams.yaml", "/picture/320/NAME%00.png",
        "/picture/320/NAME/../../../x", "/picture/9999/NAME", "/picture/-1/NAME", "/picture/320/UPPER", "/picture/320/unknown",
        "/api/facts/..%2f..%2fetc%2fpasswd", "/api/queue/99999999999999999999", "/.git/config", "/labels/anna.csv",
    ],
)  # fmt: skip
def test_no_path_reaches_the_disk(page: Served, cookie: str, path: str) -> None:
    name = page.shop.names[0]
    path = path.replace("NAME", name).replace("UPPER", name.upper()).replace("unknown", f"{'0' * 40}.png")
    status, _, body = ask(page, "GET", path, Cookie=cookie)
    assert status in (400, 404, 409), body
    assert b"root:" not in body
    assert b"sengu" not in body.lower()


HOSTILE: list[Any] = [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, {"kind": 1, "where": "", "value": 0},
    {"kind": "random\0", "where": "", "value": 0}, {"kind": "\ud800", "where": "", "value": 0},
    {"kind": "random", "where": "", "value": True}, {"kind": "random", "where": "", "value": 10**30},
    {"kind": "../x", "where": "", "value": 0},
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=[str(one)[:20] for one in HOSTILE])
def test_a_body_that_is_none_is_refused(page: Served, cookie: str, body: Any) -> None:
    assert change(page, cookie, "/api/queue", body) in (400, 409)


def opened(page: Served, cookie: str) -> int:
    asked = {"kind": "random", "where": "", "value": 0}
    usual = {"Cookie": cookie, "Origin": page.url, "Content_Type": "application/json"}
    return int(json.loads(ask(page, "POST", "/api/queue", asked, **usual)[2])["queue"])


def test_hostile_decisions_write_nothing(page: Served, cookie: str) -> None:
    queue = opened(page, cookie)
    asked = {"queue": queue, "view": "single", "rule": "", "note": ""}
    for items in (
        [], [1], [{"place": -5, "value": "dots"}], [{"place": 10**9, "value": "dots"}], [{"place": 0, "value": "=cmd()"}],
        [{"place": 0, "value": ["dots"]}], [{"place": -1, "id": "../../x", "value": "dots"}], [{"place": True, "value": "dots"}],
        [{"place": 0, "value": "dots"}] * 2001,
    ):  # fmt: skip
        assert change(page, cookie, "/api/label", asked | {"items": items}) in (400, 409)
    assert change(page, cookie, "/api/label", asked | {"items": [{"place": 0, "value": "dots"}], "rule": "R9"}) == 409
    assert change(page, cookie, "/api/label", asked | {"queue": 999, "items": [{"place": 0, "value": "dots"}]}) == 409
    assert not (page.shop.folder / "anna.csv").exists()


def test_a_queue_of_another_person_is_none(page: Served, cookie: str) -> None:
    number = page.desk.open_queue("ben", "random", "", 0)["queue"]
    assert ask(page, "GET", f"/api/queue/{number}", Cookie=cookie)[0] == 409


def test_a_giant_body_is_denied_before_it_is_read(page: Served, cookie: str) -> None:
    assert change(page, cookie, Content_Length=str(1 << 21)) == 413
    assert change(page, "", Content_Length=str(1 << 30)) == 403
    assert change(page, cookie, Content_Length=str(1 << 40)) == 413
    assert change(page, cookie, Content_Length="", Transfer_Encoding="chunked", body=b"0\r\n\r\n") == 400


@pytest.mark.parametrize("length", ["-1", "x", "1e3"])
def test_a_length_that_is_none_is_denied(page: Served, cookie: str, length: str) -> None:
    assert change(page, cookie, Content_Length=length) in (400, 411)


def test_slow_bodies_stop_nobody(page: Served, cookie: str) -> None:
    slow = []
    for _ in range(10):
        connection = socket.create_connection(("127.0.0.1", page.port))
        connection.sendall(
            f"POST /api/undo HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nOrigin: {page.url}\r\nCookie: {cookie}\r\n"
            "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{".encode()
        )
        slow.append(connection)
    assert ask(page, "GET", "/api/start", Cookie=cookie)[0] == 200
    for connection in slow:
        connection.close()


def test_a_second_host_or_a_smuggled_request_is_denied(page: Served, cookie: str) -> None:
    for head in (
        f"GET /api/start HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nHost: evil.example\r\nCookie: {cookie}\r\n\r\n",
        f"GET http://evil.example/api/start HTTP/1.1\r\nHost: evil.example\r\nCookie: {cookie}\r\n\r\n",
        f"GET /api/start HTTP/1.1\r\nCookie: {cookie}\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", page.port), timeout=20) as connection:
            connection.sendall(head.encode())
            assert connection.recv(100).split(b" ")[1] in (b"400", b"421")


def test_every_answer_has_the_headers(page: Served, cookie: str) -> None:
    for path, given in (("/", cookie), ("/", ""), ("/nothing", cookie), ("/api/queue/999", cookie), ("/static/main.js", cookie)):
        _, headers, _ = ask(page, "GET", path, Cookie=given)
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_an_address_that_no_table_lists_is_denied(page: Served) -> None:
    assert set(page.guard.access) == {rule.endpoint for rule in _rules(page)}


def _rules(page: Served) -> Any:
    from sengu.web.app import create
    from sengu.web.guard import Guard
    from sengu.web.pictures import Pictures

    guard = Guard(page.guard.place, ("anna",))
    app = create(page.desk, Pictures(lambda _: b""), guard)
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    answer = app.test_client().get("/forgotten", headers={"Host": f"127.0.0.1:{page.port}"})
    assert (answer.status_code, answer.text) == (404, "There is nothing here.\n")
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint != "forgotten"]
