"""A small store of one-coloured pictures with labels and embeddings, made by the stage `embed` and a tiny model."""

import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import yaml
from click.testing import CliRunner
from project import ROOT, run
from released import tiny_release

from crawlers.demo import pictures
from sengu.base import tables
from sengu.base.ids import ObjectId, url_id
from sengu.commands.main import sengu
from sengu.objects.store import ObjectTree

COLOURS = {
    "red": (250, 10, 10), "orange": (250, 120, 10), "brown": (130, 60, 10), "green": (10, 250, 10), "blue": (10, 10, 250),
    "violet": (150, 10, 250), "grey": (128, 128, 128), "white": (250, 250, 250),
}  # fmt: skip
LABELLED = {"orange": 0, "brown": 0, "green": 1}


def picture(colour: tuple[int, int, int]) -> bytes:
    return pictures.png(np.full((40, 60, 3), colour, np.uint8))


IDS = {name: str(ObjectId.of(picture(colour), "png")) for name, colour in COLOURS.items()}


def make(folder: Path) -> Path:
    """Fills a folder; the classes are dots and stripes, and orange, brown and green have labels."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["sites"] = {"a": {"fetch": {"source": "folder", "folder": "camera"}}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    index, captures = [], []
    for name, colour in COLOURS.items():
        url = f"http://a.example/{name}.png"
        ObjectTree(folder / "data/object/a").put(ObjectId.parse(IDS[name]), picture(colour))
        index.append(tables.IndexRow(IDS[name], url_id(url), "png", 60, 40, len(picture(colour))))
        captures.append(tables.Capture(url_id(url), url, "http://a.example/<&>", "", "", "", "2026-01-01T00:00:00Z", "", 200))
    tables.write(folder / "data/index/a.csv", tables.frame(index, tables.IndexRow), tables.IndexRow)
    tables.write(folder / "data/captures/a.csv", tables.frame(captures, tables.Capture), tables.Capture)
    labels = tables.frame([tables.Label(IDS[name], value) for name, value in LABELLED.items()], tables.Label)
    tables.write(folder / "data/label.csv", labels, tables.Label)
    tables.write(folder / "data/duplicates.csv", tables.empty(tables.Duplicate), tables.Duplicate)
    (folder / "labels").mkdir()
    tiny_release(folder / "models/release", classes=("dots", "stripes"))
    run(folder, *["python", "-m", "sengu.stages.embed", "data/index", "data/object", "models/release", "data/embeddings"])
    return folder


def sengu_in(folder: Path, *arguments: str) -> str:
    """What the command `sengu` prints to stdout, run in a folder but in this process; raises the SenguError that it ends with.

    Not for what imports gto: that closes every log handler there is, and absl's, if a test has imported TensorFlow, closes with
    it the stderr of pytest, which cannot even say so.
    """
    with chdir(folder):
        done = CliRunner().invoke(sengu, arguments, catch_exceptions=False)
    assert "gto" not in sys.modules, "run this command as a program (project.run)"
    assert done.exit_code == 0, done.output
    return done.stdout
