"""A project of one site, whose objects have files of their own or lie in the archive only; and what the stages make of it."""

import gzip
from contextlib import chdir
from pathlib import Path
from random import Random

from recorded import recorded
from released import tiny_release

from crawlers.demo import pictures
from sengu import warc
from sengu.base import tables
from sengu.base.ids import url_id
from sengu.stages import duplicates, embed, objects, prepare

DATE = "2013-10-05T20:00:00Z"
VIDEO = recorded("mp4", "mp4v", 20)
PARAMS = """\
sites: {{ a: {{ fetch: {{ source: generic, start: ["http://a.example/"] }} }} }}
objects: {{ max_pixels: 100000000, tree: {tree}, video: {{ frames: 2 }} }}
prepare: {{ size: 32, fit: squash }}
engine: {engine}
archives: {archives}
"""
OUTPUTS = ("data/index/a.csv", "data/rejected/a.csv", "data/duplicates.csv", "data/pixels", "data/embeddings")
RAW, TREE = Path("data/raw/a"), Path("data/object/a")


def settings(folder: Path, tree: bool, engine: str = "processes", archives: str = "local") -> None:
    text = PARAMS.format(tree="true" if tree else "false", engine=engine, archives=archives)
    (folder / "params.yaml").write_text(text)


def project(folder: Path, count: int = 12) -> Path:
    """Pictures as they come, gzipped by the server, the same under two URLs, damaged, and files of a folder; and a video."""
    for name in ("index", "rejected", "captures", "object"):
        (folder / "data" / name).mkdir(parents=True)
    random = Random(count)
    payloads = {f"http://a.example/{n}": pictures.jpeg(pictures.draw("dots", n % 30)) for n in range(count)}
    payloads["http://a.example/again"] = payloads["http://a.example/3"]
    payloads["http://a.example/cut"] = payloads["http://a.example/4"][:-200]
    payloads["http://a.example/video"] = VIDEO
    payloads["file://a/b.png"] = pictures.png(pictures.draw("stripes", 7))
    # files of a few records each; a page lies between two pictures
    writer = warc.Writer(folder / RAW, "a", {}, roll_over=30_000)
    rows = []
    for url, payload in payloads.items():
        if url.startswith("file"):
            writer.resource(url, DATE, {}, payload)
        else:
            zipped = url.endswith("/5")
            headers = [(b"Content-Encoding", b"gzip")] if zipped else []
            writer.response(url, DATE, 200, headers, gzip.compress(payload, mtime=0) if zipped else payload)
            writer.response(f"{url}.html", DATE, 200, [], random.randbytes(500))
        rows.append(tables.Capture(url_id(url), url, "", "", "", "", DATE, "", 200))
    writer.close()
    tables.write(folder / "data/captures/a.csv", tables.frame(rows, tables.Capture), tables.Capture)
    tables.write(folder / "tombstones.csv", tables.empty(tables.Tombstone), tables.Tombstone)
    tables.write(folder / "duplicate_groups.csv", tables.empty(tables.GroupDecision), tables.GroupDecision)
    tiny_release(folder / "models/release")
    return folder


def run_objects(folder: Path) -> None:
    with chdir(folder):
        objects.main([str(RAW), "data/captures/a.csv", "tombstones.csv", str(TREE), "data/index/a.csv", "data/rejected/a.csv"])


def run(folder: Path) -> None:
    """The stages that read payloads, as `dvc repro` would run them; the split is of all pictures."""
    run_objects(folder)
    with chdir(folder):
        duplicates.main(["data/index", "data/object", "duplicate_groups.csv", "data/duplicates.csv"])
        index = tables.read(Path("data/index/a.csv"), tables.IndexRow)
        names = sorted(index.loc[index["format"] != "mp4", "objectId"].unique())
        rows = [tables.SplitLabel(name, 0, "train") for name in names]
        tables.write(Path("data/split_label.csv"), tables.frame(rows, tables.SplitLabel), tables.SplitLabel)
        prepare.main(["data/split_label.csv", "data/object", "data/pixels"])
        embed.main(["data/index", "data/object", "models/release", "data/embeddings"])


def outputs(folder: Path) -> dict[str, bytes]:
    """What the stages wrote, but the tree."""
    files = [path for name in OUTPUTS for path in ([folder / name] if (folder / name).is_file() else (folder / name).iterdir())]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def leaves(folder: Path) -> set[str]:
    """The names of the files in the tree."""
    return {path.name for path in (folder / TREE).rglob("*") if path.is_file()}
