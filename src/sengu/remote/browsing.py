"""Captures, index, labels and the object store -> pages of contact sheets, by site, device, date and class."""

from collections.abc import Collection, Iterator, Mapping
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from tqdm import tqdm

from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.drawing.contact_sheets import contact_sheet
from sengu.objects.store import ObjectStore
from sengu.pictures import images

SHOWN = 60  # pictures of a group, evenly spaced among all of it
HEAD = '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n<h1>{title}</h1>\n'
Groups = dict[str, dict[str, list[str]]]


def groups(rows: pd.DataFrame, labels: Mapping[str, int], classes: list[str], erased: Collection[str]) -> Groups:
    """Heading -> group -> object ids, sorted. `rows` has site, device, fetched and objectId, a row per capture."""
    rows = rows[~rows["objectId"].str.partition(".")[0].isin(set(erased))]
    month = rows["fetched"].str[:7]
    keys = {
        "site": rows["site"],
        "device": rows["site"] + " " + rows["device"].where(rows["device"] != "", "unknown"),
        "date": rows["site"] + " " + month.where(month != "", "unknown"),
        "class": rows["objectId"].map(lambda name: classes[labels[name]] if name in labels else "not labelled"),
    }
    return {heading: _grouped(rows["objectId"], key) for heading, key in keys.items()}


def _grouped(names: pd.Series, key: pd.Series) -> dict[str, list[str]]:
    return {str(name): sorted(set(part)) for name, part in names.groupby(key.astype("str"))}


def sample(names: list[str]) -> list[str]:
    """Takes at most SHOWN, evenly spaced."""
    if len(names) <= SHOWN:
        return names
    return [names[i * len(names) // SHOWN] for i in range(SHOWN)]


def pages(groups_by_heading: Groups, store: ObjectStore, max_pixels: int) -> Iterator[tuple[str, bytes]]:
    """Names below `catalog/` and their content: an index, and a page and a sheet for each group."""
    index = [HEAD.format(title="Contact sheets"), '<p><a href="../README.html">What this storage holds</a></p>\n']
    with images.limited(max_pixels), TemporaryDirectory(prefix="sengu-") as folder:
        for heading, members in groups_by_heading.items():
            index.append(f"<h2>By {heading}</h2>\n<ul>\n")
            for number, (name, ids) in enumerate(tqdm(sorted(members.items()), desc=f"sheets by {heading}", disable=None)):
                sheet = f"{heading}-{number:04}"
                sampled = sample(ids)
                count = f"{len(sampled)} of {len(ids)}" if len(sampled) < len(ids) else str(len(ids))
                index.append(f'<li><a href="{sheet}.html">{escape(name)}</a>: {len(ids)} pictures and videos\n')
                yield f"{sheet}.jpg", _sheet(f"{name}: {count}", sampled, store, Path(folder) / "sheet.jpg")
                lines = "\n".join(escape(object_id) for object_id in ids[:10_000])
                body = f'<p><a href="index.html">all sheets</a></p>\n<img src="{sheet}.jpg" alt="">\n<p>{count} shown.</p>\n'
                body += f"<pre>{lines}</pre>\n"
                yield f"{sheet}.html", (HEAD.format(title=escape(name)) + body + "</html>\n").encode()
            index.append("</ul>\n")
    yield "index.html", ("".join(index) + "</html>\n").encode()


def _sheet(title: str, names: list[str], store: ObjectStore, path: Path) -> bytes:
    pictures, captions = [], []
    for name in names:
        object_id = ObjectId.parse(name)
        try:
            pixels = np.full((16, 16, 3), 200, np.uint8) if object_id.is_video else store.pixels(object_id)
        except SenguError:  # it is not on this machine: `verify` says so
            pixels = np.full((16, 16, 3), 255, np.uint8)
        pictures.append(pixels)
        captions.append([name[:22]])
    contact_sheet(title, pictures, captions, path)
    return path.read_bytes()
