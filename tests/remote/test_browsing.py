"""The pages by which a person who sees only the bucket browses its contact sheets: by site, device, date and class."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bucket import fill, handmade, sengu
from PIL import Image

from crawlers.demo import pictures
from sengu.base import tables
from sengu.base.ids import ObjectId
from sengu.base.tables import tombstones
from sengu.objects.store import ObjectTree

MORE = "label: { classes: [dark, bright] }\nobjects: { max_pixels: 100000 }\n"
# site, device, fetched, level of the picture, value of its label or None
SEEN = [
    ("birds", "phone", "2026-10-01T00:00:00Z", 10, 0),
    ("birds", "phone", "2026-11-01T00:00:00Z", 240, 1),
    ("birds", "", "2026-11-02T00:00:00Z", 120, None),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the tables and objects of three pictures, whose remote is a folder beside it."""
    made = handmade(tmp_path / "project", 1, 100, str(tmp_path / "remote"), more=MORE)
    fill(tmp_path / "remote", made.objects)
    monkeypatch.chdir(made.folder)
    index, captures, labels = [], [], []
    for number, (site, device, fetched, level, value) in enumerate(SEEN):
        payload = pictures.png(np.full((40, 60, 3), level, np.uint8))
        object_id = ObjectId.of(payload, "png")
        ObjectTree(Path("data/object") / site).put(object_id, payload)
        url = f"{number:040x}"
        index.append(tables.IndexRow(str(object_id), url, "png", 60, 40, len(payload)))
        captures.append(tables.Capture(url, "https://b.example/", "https://b.example/", "", device, "", fetched, "", 200))
        if value is not None:
            labels.append(tables.Label(str(object_id), value))
    write("data/index/birds.csv", index, tables.IndexRow)
    write("data/captures/birds.csv", captures, tables.Capture)
    write("data/label.csv", labels, tables.Label)
    return made.folder


def write(path: str, rows: list[Any], kind: type) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    tables.write(Path(path), tables.frame(rows, kind), kind)


def links(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]+)"', page)


def test_every_sheet_is_reached_from_the_page_and_shows_its_pictures(folder: Path, tmp_path: Path) -> None:
    assert sengu(folder, "remote", "catalog").code == 0
    remote = tmp_path / "remote"
    assert "catalog/index.html" in links((remote / "README.html").read_text())
    text = (remote / "catalog/index.html").read_text()
    groups = dict(re.findall(r'<li><a href="[^"]+">([^<]+)</a>: (\d+) pictures', text))
    assert groups == {
        "birds": "3",
        "birds phone": "2",
        "birds unknown": "1",
        "birds 2026-10": "1",
        "birds 2026-11": "2",
        "dark": "1",
        "bright": "1",
        "not labelled": "1",
    }
    assert re.findall(r"<h2>By (\w+)</h2>", text) == ["site", "device", "date", "class"]
    seen: set[Path] = set()
    todo = [remote / "README.html"]
    while todo:
        page = todo.pop()
        assert page.is_file(), page  # no link leads nowhere
        seen.add(page)
        if page.suffix == ".html":
            near = [link for link in links(page.read_text()) if "://" not in link and not link.startswith(("#", "mailto:"))]
            todo += [path for link in near if (path := (page.parent / link).resolve()) not in seen]
    assert set((remote / "catalog").iterdir()) <= seen  # and no page lies apart
    bright = re.search(r'<a href="([^"]+)">bright<', text)[1]
    sheet = np.asarray(Image.open(BytesIO((remote / "catalog" / bright.replace(".html", ".jpg")).read_bytes())).convert("L"))
    assert (abs(sheet.astype(int) - 240) < 6).sum() > 500  # the bright picture is on it


def test_an_erased_picture_is_on_no_page_and_its_sheets_go(folder: Path, tmp_path: Path) -> None:
    assert sengu(folder, "remote", "catalog").code == 0
    doomed = tables.read(Path("data/label.csv"), tables.Label)["objectId"][0]
    tombstones.add([ObjectId.parse(doomed)], "asked to", "2026-11-27")
    assert sengu(folder, "remote", "catalog").code == 0
    pages = [path.read_text() for path in (tmp_path / "remote/catalog").glob("*.html")]
    assert pages
    assert not any(doomed.partition(".")[0] in page for page in pages)
    assert len(list((tmp_path / "remote/catalog").glob("class-*.jpg"))) == 2  # of a class without pictures nothing is left
