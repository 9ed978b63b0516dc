"""Pictures from devices: where they go, and what cannot be put there."""

import http.client
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import requests
import yaml
from bucket import SECRETS
from bucket import served as bucket_served
from PIL import Image
from project import run
from served import CRAWL, EXTRACT
from web.shop import Served, Shop, served

from sengu.base import params, tables
from sengu.base.errors import SenguError
from sengu.remote.s3 import Prefix
from sengu.web.upload import Entrance, Folder, _kept

RULE = "{device}/{operator}/{subject}/{name}"


def picture(level: int) -> bytes:
    stream = BytesIO()
    Image.new("RGB", (8, 8), (level, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def entrance(tmp_path: Path) -> Entrance:
    return Entrance({"scanner": params.UploadDevice(site="clinic", name=RULE)}, lambda site: Folder(tmp_path / site))


def test_a_picture_is_named_by_the_rule_of_its_device(entrance: Entrance, tmp_path: Path) -> None:
    said = {"operator": "mori", "subject": "patient-7"}
    assert entrance.take("scanner", "left.png", picture(1), said) == "clinic/scanner/mori/patient-7/left.png"
    assert (tmp_path / "clinic/scanner/mori/patient-7/left.png").read_bytes() == picture(1)
    found = entrance.take("scanner", "a.png", picture(1), {})
    other = entrance.take("scanner", "b.png", picture(2), {})
    assert re.fullmatch(r"clinic/scanner/unknown/unknown-[0-9a-f]{12}/a.png", found)
    assert Path(found).parent != Path(other).parent  # two pictures of unknown subjects are not of one subject


def test_what_is_there_is_never_written_over(entrance: Entrance, tmp_path: Path) -> None:
    first = entrance.take("scanner", "a.png", picture(1), {})
    assert entrance.take("scanner", "a.png", picture(1), {}) == first
    second = entrance.take("scanner", "a.png", picture(2), {})
    assert second != first
    assert entrance.take("scanner", "a.png", picture(2), {}) == second
    assert {path.read_bytes() for path in tmp_path.rglob("*.png")} == {picture(1), picture(2)}


HOSTILE_NAMES = [
    "../../evil.png",
    "/etc/evil.png",
    "..\\..\\evil.png",
    ".git/evil.png",
    "a/../../evil.png",
    ".evil.png",
    "x\0/evil.png",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_file_name_leads_nowhere(entrance: Entrance, tmp_path: Path, name: str) -> None:
    assert entrance.take("scanner", name, picture(1), {"subject": "s"}) == "clinic/scanner/unknown/s/evil.png"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "clinic/scanner/unknown/s/evil.png"]


@pytest.mark.parametrize("part", ["..", ".", "../x", "a/b", ".git", "a\0", "\\x", " x", "x" * 200, "con", "a\nb"])
def test_a_part_of_a_name_leads_nowhere(entrance: Entrance, tmp_path: Path, part: str) -> None:
    for key in ("operator", "subject", "annotator"):
        with pytest.raises(SenguError, match=f"{key} is "):
            entrance.take("scanner", "a.png", picture(1), {key: part})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"<svg><script>1</script></svg>", b"#!/bin/sh\n", picture(1)[:40]])
def test_what_is_no_picture_is_refused(entrance: Entrance, data: bytes) -> None:
    with pytest.raises(SenguError, match="'a.png' is"):
        entrance.take("scanner", "a.png", data, {})
    with pytest.raises(SenguError, match="device 'x' is unknown: the devices are scanner"):
        entrance.take("x", "a.png", picture(1), {})


@pytest.mark.parametrize("rule", ["{x}", "/{name}", "../{name}", "a//{name}", ".a/{name}", "{name", "{name.__class__}", "fixed"])
def test_a_naming_rule_that_could_lead_elsewhere_is_an_error(tmp_path: Path, rule: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"upload:\n  scanner: {{ site: clinic, name: '{rule}' }}\n")
    with pytest.raises(SenguError, match="upload.scanner.name"):
        params.upload(path)


@pytest.fixture
def page(tmp_path: Path, entrance: Entrance) -> Iterator[Served]:
    with served(Shop(tmp_path / "shop/labels"), entrance=entrance) as found:
        yield found


def test_curl_sends_with_a_token_and_no_cookie(page: Served, tmp_path: Path) -> None:
    address, form = f"{page.url}/upload", {"device": "scanner", "operator": "mori", "subject": "s"}
    named = {"Authorization": f"Bearer {page.guard.upload_token}"}
    files = [("file", ("a.png", picture(1))), ("file", ("b.png", b"x")), ("file", ("c.png", picture(2)))]
    answer = requests.post(address, data=form, files=files, headers=named, timeout=20)
    assert answer.status_code == 200
    assert answer.json()["kept"] == ["clinic/scanner/mori/s/a.png", "clinic/scanner/mori/s/c.png"]
    assert list(answer.json()["refused"]) == ["b.png"]
    cookie = requests.get(page.open(), timeout=20, allow_redirects=False).headers["Set-Cookie"].partition(";")[0]
    for headers in (
        {}, {"Cookie": cookie}, {"Authorization": "Bearer x"}, {"Authorization": named["Authorization"][:-1]},
        {"Authorization": named["Authorization"].replace("Bearer", "Basic")}, {**named, "Origin": "http://evil.example"},
        {**named, "Sec-Fetch-Site": "same-site"},
    ):  # fmt: skip
        assert requests.post(address, data=form, files=files, headers=headers, timeout=20).status_code in (401, 403)
    assert requests.post(address, json=form, headers=named, timeout=20).status_code == 415
    assert requests.post(address, data=form, files={"x": b"x"}, headers=named, timeout=20).status_code == 400
    connection = http.client.HTTPConnection("127.0.0.1", page.port)
    connection.request("POST", "/upload", headers={**named, "Content-Type": "multipart/form-data", "Content-Length": "9" * 12})
    assert connection.getresponse().status == 413


def test_a_bucket_takes_pictures_below_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    device = params.UploadDevice(site="clinic", name="{operator}/{name}")
    with bucket_served() as server:
        shelf = Prefix("s3://sengu/in/", server.endpoint)
        entrance = Entrance({"scanner": device}, lambda _: shelf)
        assert entrance.take("scanner", "a.png", picture(1), {"operator": "mori"}) == "clinic/mori/a.png"
        entrance.take("scanner", "a.png", picture(2), {"operator": "mori"})
        assert server.read("in/mori/a.png") == picture(1)
        assert len(server.keys("in/mori/")) == 2
        assert shelf.read("b.png") is None


@pytest.mark.slow
def test_the_next_crawl_archives_what_was_sent(tmp_path: Path) -> None:
    device = params.UploadDevice(site="web", name="{operator}/{subject}/{name}")
    entrance = Entrance({"scanner": device}, lambda _: Folder(tmp_path / "camera"))
    entrance.take("scanner", "left.png", picture(1), {"operator": "mori", "subject": "patient-7"})
    site = {"fetch": {"source": "folder", "folder": "camera"}, "read": {"path": "^(?P<operator>[^/]+)/(?P<subject>[^/]+)/"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"sites": {"web": site}}))
    run(tmp_path, *CRAWL)
    run(tmp_path, *EXTRACT)
    (row,) = tables.read(tmp_path / "captures/web.csv", tables.Capture).itertuples()
    assert (row.filename, row.operator, row.subject) == ("mori/patient-7/left.png", "mori", "patient-7")


def test_a_name_that_somebody_else_takes_meanwhile_is_theirs(tmp_path: Path) -> None:
    class Late(Folder):
        def read(self, name: str) -> bytes | None:
            found = super().read(name)
            if found is None and "-" not in name:
                super().add(name, b"theirs")  # between our look and our writing
                return None
            return found

    names = ("a.jpg", "a-0123.jpg")
    assert _kept(Late(tmp_path), names, b"ours") == "a-0123.jpg"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.jpg": b"theirs", "a-0123.jpg": b"ours"}
