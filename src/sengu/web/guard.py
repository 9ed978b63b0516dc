"""Requests -> admitted or denied, in this one place: anything that no rule here allows is denied.

Every program on this machine, and every web page that this person opens, can reach the server. So a request must name exactly
this host and port, come from the page itself, and carry the cookie that the secret address of `sengu label page` gave.
SameSite does not separate the ports of one host, hence the headers Sec-Fetch-Site and Origin, which no script can set.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from hmac import compare_digest
from types import MappingProxyType

from flask import Flask, Request, Response, g, make_response, request

BODY = 1 << 20  # bytes of a request that is no upload
UPLOAD = 1 << 31
JSON = "application/json"
FORM = "multipart/form-data"
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }
)


class Access(Enum):
    """The kind of an address, which decides what a request for it must have."""

    PAGE = "the page itself, which a one-time token opens, then the cookie"
    READ = "what the page reads, with the cookie"
    CHANGE = "what the page changes, with the cookie, from the page itself, as JSON"
    UPLOAD = "pictures from devices and scripts, with a bearer token and no cookie"


@dataclass(frozen=True)
class Place:
    """The server's place: `hosts` are the names that a request may use, without port."""

    hosts: tuple[str, ...]
    port: int
    is_secure: bool = False

    @property
    def scheme(self) -> str:
        return "https" if self.is_secure else "http"

    @property
    def authorities(self) -> frozenset[str]:
        """The values that the header Host may have."""
        usual = 443 if self.is_secure else 80
        names = {f"[{host}]" if ":" in host else host for host in self.hosts}
        return frozenset({f"{name}:{self.port}" for name in names} | (names if self.port == usual else set()))

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(f"{self.scheme}://{authority}" for authority in self.authorities)


@dataclass
class Guard:
    """The secrets of one start, and the kind of each address. `people` may open the page, each with a token of their own."""

    place: Place
    people: tuple[str, ...]
    access: dict[str, Access] = field(default_factory=dict)
    upload_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def __post_init__(self) -> None:
        self._tokens = {secrets.token_urlsafe(32): person for person in self.people}
        self._sessions: dict[str, str] = {}

    @property
    def cookie(self) -> str:
        return f"sengu-{self.place.port}"

    def addresses(self) -> dict[str, str]:
        """The address of each person who has not opened the page yet."""
        host = f"{self.place.scheme}://{_first(self.place)}"
        return {person: f"{host}/?token={token}" for token, person in self._tokens.items()}

    def install(self, app: Flask) -> None:
        """Checks every request to `app` before anything else does, and every answer."""
        app.before_request(self._admit)
        app.after_request(self._seal)

    def _admit(self) -> Response | None:
        """Denies the request, or admits it and sets `g.person` to its sender."""
        asked = request
        if asked.headers.getlist("Host") not in ([host] for host in self.place.authorities):
            return _deny(421, "This server does not answer to this name: open the address that `sengu label page` printed.")
        kind = self.access.get(asked.endpoint or "")
        if kind is None:
            return _deny(404, "There is nothing here.")
        length = asked.environ.get("CONTENT_LENGTH") or "0"
        if "\0" in asked.full_path or asked.headers.get("Transfer-Encoding") or not (length.isascii() and length.isdigit()):
            return _deny(400, "The request is malformed.")
        origin = asked.headers.get("Origin")
        if origin is not None and origin not in self.place.origins:
            return _deny(403, "The request came from another web site and was refused.")
        if kind is Access.UPLOAD:
            return self._admit_upload(asked)
        if kind is Access.PAGE:
            return self._admit_page(asked)
        if asked.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            return _deny(403, "The request came from another web site and was refused.")
        if not self._is_known(asked):
            return _deny(403, "Open the address that `sengu label page` printed.")
        return _checked_change(asked, origin) if kind is Access.CHANGE else _without_body(asked)

    def _admit_page(self, asked: Request) -> Response | None:
        if asked.headers.get("Sec-Fetch-Dest", "document") != "document":
            return _deny(403, "This page cannot be shown inside another page.")
        if token := asked.args.get("token"):
            match = next((known for known in self._tokens if compare_digest(known.encode(), token.encode())), None)
            if match is None:
                if self._is_known(asked) or _is_sent_from_elsewhere(asked):
                    return _to_the_page(asked)
                return _deny(403, "This address has already been used, or is from an earlier run: run `sengu label page` again.")
            session = secrets.token_urlsafe(32)
            self._sessions[session] = self._tokens.pop(match)
            answer = _to_the_page(asked)
            answer.set_cookie(self.cookie, session, httponly=True, samesite="Strict", secure=self.place.is_secure, path="/")
            return answer
        if not self._is_known(asked):
            return _deny(403, "Open the address that `sengu label page` printed.")
        return _without_body(asked)

    def _is_known(self, asked: Request) -> bool:
        given = asked.cookies.get(self.cookie, "")
        session = next((known for known in self._sessions if compare_digest(known.encode(), given.encode())), None)
        if session is not None:
            g.person = self._sessions[session]
        return session is not None

    def _admit_upload(self, asked: Request) -> Response | None:
        kind, _, token = asked.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not compare_digest(token.encode(), self.upload_token.encode()):
            return _deny(401, "Pictures need the token that `sengu label page` printed: -H 'Authorization: Bearer TOKEN'.")
        if asked.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            return _deny(403, "The request came from another web site and was refused.")
        if asked.mimetype != FORM:
            return _deny(415, "Send the pictures as a form, as `curl -F` does.")
        if asked.content_length is None:
            return _deny(411, "The request has no Content-Length header.")
        return _too_large(UPLOAD) if asked.content_length > UPLOAD else None

    def _seal(self, answer: Response) -> Response:
        for name, value in HEADERS.items():
            answer.headers[name] = value
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


def _checked_change(asked: Request, origin: str | None) -> Response | None:
    if origin is None and asked.headers.get("Sec-Fetch-Site") != "same-origin":
        return _deny(403, "Only the page itself may change anything.")
    if asked.content_type != JSON:
        return _deny(415, "Only JSON may change anything.")
    if asked.content_length is None:
        return _deny(411, "The request has no Content-Length header.")
    if asked.content_length > BODY:
        return _too_large(BODY)
    return None


def _without_body(asked: Request) -> Response | None:
    return _deny(400, "The request is malformed.") if asked.content_length else None


def _too_large(limit: int) -> Response:
    return _deny(413, f"The request is too large: at most {limit} bytes.")


def _deny(status: int, reason: str) -> Response:
    """An answer that ends the connection, so that the rest of the request is not read."""
    connection = request.environ.get("sengu.connection")
    if connection is not None:
        connection.close_connection = True
    answer = make_response(f"{reason}\n", status)
    answer.mimetype = "text/plain"
    return answer


def _is_sent_from_elsewhere(asked: Request) -> bool:
    """True if the address was clicked in a mail or chat. Then the browser keeps a Strict cookie back, on redirects too."""
    return asked.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")


def _to_the_page(asked: Request) -> Response:
    if _is_sent_from_elsewhere(asked):
        answer = make_response("", 200)
        answer.headers["Refresh"] = "0; url=/"  # it is this page that goes on, and a page of ours is sent the cookie
        return answer
    answer = make_response("", 303)
    answer.headers["Location"] = "/"
    answer.autocorrect_location_header = False
    return answer


def _first(place: Place) -> str:
    host = place.hosts[0]
    return f"{f'[{host}]' if ':' in host else host}:{place.port}"
