"""A desk and a guard -> the Flask app of the labelling page: every address, and what it needs, in one table."""

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any, NoReturn

from flask import Flask, Response, abort, g, make_response, request
from werkzeug.exceptions import HTTPException

from sengu.base.errors import SenguError
from sengu.base.ids import OBJECT_ID, ObjectId
from sengu.drawing import pages
from sengu.pictures.reasons import NotAPicture
from sengu.web.desk import WINDOW, Decided, Desk, decision
from sengu.web.guard import Access, Guard
from sengu.web.pictures import SIZES, Pictures
from sengu.web.upload import Entrance

STATIC = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html"}
MOST = 2000  # pictures that one request decides
AGE = 600  # seconds that the browser keeps a picture


def create(desk: Desk, pictures: Pictures, guard: Guard, entrance: Entrance | None = None) -> Flask:
    """Creates the app. No text of a request becomes a path: static files are read here, once."""
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    static = _static()
    views = _Views(desk, pictures, static, entrance)
    table: list[tuple[str, str, Callable[..., Any], Access]] = [
        ("GET", "/", views.page, Access.PAGE),
        ("GET", "/static/<name>", views.static, Access.READ),
        ("GET", "/api/start", views.start, Access.READ),
        ("GET", "/api/queue/<int:number>", views.window, Access.READ),
        ("GET", "/api/facts/<name>", views.facts, Access.READ),
        ("GET", "/api/rules", views.rules, Access.READ),
        ("GET", "/api/review", views.review, Access.READ),
        ("GET", "/picture/<int:size>/<name>", views.picture, Access.READ),
        ("POST", "/api/queue", views.open_queue, Access.CHANGE),
        ("POST", "/api/opinions", views.opinions, Access.CHANGE),
        ("POST", "/api/label", views.label, Access.CHANGE),
        ("POST", "/api/undo", views.undo, Access.CHANGE),
        ("POST", "/api/example", views.example, Access.CHANGE),
        ("POST", "/api/group", views.settle, Access.CHANGE),
        ("POST", "/api/quiz", views.start_quiz, Access.CHANGE),
        ("POST", "/api/answer", views.answer, Access.CHANGE),
    ]
    if entrance is not None:
        table += [("POST", "/upload", views.upload, Access.UPLOAD)]
        table += [("POST", "/api/upload", lambda: _entrance(entrance, guard), Access.CHANGE)]
    for method, rule, view, access in table:
        endpoint = f"{method} {rule}".replace(".", "")
        app.add_url_rule(rule, endpoint, view, methods=[method], provide_automatic_options=False)
        guard.access[endpoint] = access
    guard.install(app)
    app.register_error_handler(SenguError, lambda error: make_response({"error": str(error)}, 409))
    app.register_error_handler(OSError, lambda error: make_response({"error": f"not saved: {error}"}, 507))
    app.register_error_handler(HTTPException, _in_words)
    return app


def _entrance(entrance: Entrance, guard: Guard) -> dict[str, Any]:
    """The addresses and token that the page needs to send pictures as a script does."""
    return {"token": guard.upload_token, "devices": sorted(entrance.devices)}


def _in_words(error: HTTPException) -> Response:
    return error.response if isinstance(error.response, Response) else make_response({"error": error.name}, error.code or 500)


def _static() -> dict[str, tuple[bytes, str]]:
    contents = {"style.css": (pages.style().encode(), STATIC[".css"])}
    for entry in files("sengu.web").joinpath("static").iterdir():
        if kind := STATIC.get(f".{entry.name.rpartition('.')[2]}"):
            contents[entry.name] = (entry.read_bytes(), kind)
    return contents


class _Views:
    def __init__(self, desk: Desk, pictures: Pictures, static: dict[str, tuple[bytes, str]], entrance: Entrance | None):
        self.desk, self.pictures, self.files, self.entrance = desk, pictures, static, entrance

    def page(self) -> Response:
        return _sent(*self.files["index.html"])

    def static(self, name: str) -> Response:
        return _sent(*self.files[name]) if name in self.files else _refused(404, "there is no such file")

    def picture(self, size: int, name: str) -> Response:
        if size not in SIZES:
            _refused(404, "there is no such size")
        object_id = ObjectId.parse(self._known(name))
        try:
            answer = _sent(self.pictures.jpeg(object_id, size), "image/jpeg")
        except NotAPicture as reason:
            _refused(415, f"the picture cannot be shown: {reason}")
        answer.headers["Cache-Control"] = f"private, max-age={AGE}"
        return answer

    def start(self) -> dict[str, Any]:
        return self.desk.start(g.person)

    def rules(self) -> list[dict[str, Any]]:
        return self.desk.rules()

    def review(self) -> dict[str, Any]:
        return self.desk.material.review()

    def open_queue(self) -> dict[str, Any]:
        asked = _body({"kind": str, "where": str, "value": int})
        return self.desk.open_queue(g.person, asked["kind"], asked["where"], asked["value"])

    def window(self, number: int) -> list[dict[str, Any]]:
        start = request.args.get("start", 0, type=int)
        return self.desk.window(g.person, number, start, request.args.get("count", WINDOW, type=int))

    def facts(self, name: str) -> dict[str, Any]:
        return self.desk.material.facts(self._known(name))

    def opinions(self) -> dict[str, Any]:
        return self.desk.opinions(g.person, self._known(_body({"id": str})["id"]))

    def label(self) -> dict[str, Any]:
        asked = _body({"queue": int, "view": str, "items": list, "rule": str, "note": str})
        if not 0 < len(asked["items"]) <= MOST or not all(isinstance(item, dict) for item in asked["items"]):
            _refused(400, "a request decides at least one picture")
        decided = Decided(asked["view"], [decision(item) for item in asked["items"]], asked["rule"], asked["note"])
        return self.desk.decide(g.person, asked["queue"], decided)

    def undo(self) -> dict[str, Any]:
        _body({})
        return self.desk.undo(g.person)

    def example(self) -> list[dict[str, Any]]:
        asked = _body({"id": str, "rule": str, "value": str, "was": str, "why": str})
        self.desk.example(self._known(asked["id"]), asked["rule"], asked["value"], asked["was"], asked["why"])
        return self.desk.rules()

    def settle(self) -> list[dict[str, Any]]:
        asked = _body({"id": str, "apart": list})
        apart = [self._known(name) for name in asked["apart"] if isinstance(name, str)]
        if len(apart) != len(asked["apart"]):
            _refused(400, "the request needs the ids of pictures")
        return self.desk.settle(g.person, self._known(asked["id"]), apart)

    def start_quiz(self) -> dict[str, Any]:
        return self.desk.start_quiz(g.person, _body({"predecessor": str})["predecessor"])

    def answer(self) -> dict[str, Any]:
        asked = _body({"place": int, "value": str})
        return self.desk.answer(g.person, asked["place"], asked["value"])

    def upload(self) -> Any:
        """Takes the files of a form, each under its own name; a refused file does not stop the others."""
        assert self.entrance is not None
        said = {key: request.form.get(key, "") for key in ("device", "operator", "subject", "annotator")}
        kept, refused = [], {}
        for sent in request.files.getlist("file"):
            name = sent.filename or ""
            try:
                kept.append(self.entrance.take(said["device"], name, sent.read(), said))
            except SenguError as error:
                refused[name] = str(error)
            except OSError as error:
                if not kept:
                    raise
                refused[name] = f"not saved: {error}"
        if not kept and not refused:
            _refused(400, "there is no file in the form: send each as `-F file=@PICTURE`")
        return {"kept": kept, "refused": refused}, 200 if kept else 422

    def _known(self, name: str) -> str:
        """An object id of this repository; its pattern is checked first."""
        if OBJECT_ID.fullmatch(name) is None or not self.desk.material.knows(name):
            _refused(404, "there is no such picture")
        return name


def _body(wanted: dict[str, type]) -> dict[str, Any]:
    """The JSON object of a request, which must have values of these types, and only valid characters."""
    try:
        body = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError):
        _refused(400, "the request is no JSON")
    if not isinstance(body, dict):
        _refused(400, "the request is no JSON object")
    for name, kind in wanted.items():
        value = body.get(name)
        if type(value) is not kind or (isinstance(value, str) and not _is_text(value)):
            _refused(400, f"the request needs {name}")
    return body


def _is_text(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _sent(data: bytes, kind: str) -> Response:
    answer = make_response(data)
    answer.mimetype = kind
    return answer


def _refused(status: int, reason: str) -> NoReturn:
    abort(make_response({"error": reason}, status))
