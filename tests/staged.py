"""Every stage of the pipeline on a few pictures and a tiny network, run in this process, in the order of the pipeline."""

import shutil
from contextlib import chdir
from importlib import import_module
from itertools import takewhile
from pathlib import Path

import tiny
import yaml
from project import ROOT

from crawlers.demo import pictures
from sengu import warc

SITE = "web"


def command(stage: dict[str, object]) -> list[str]:
    """The module of a stage and its arguments, as dvc.yaml has them; what comes before only looks whether it may run."""
    commands = stage["cmd"]
    last = str(commands[-1] if isinstance(commands, list) else commands)
    return last.replace("${key}", SITE).replace("${split.dataset}", "v1").split()[2:]


STAGES = {
    name: command(stage.get("do", stage))
    for path in ("dvc.yaml", "datasets/dvc.yaml")
    for name, stage in yaml.safe_load((ROOT / path).read_text())["stages"].items()
    if path == "dvc.yaml" or name == "v1"
}
# its folder is a new one, and so met before Scrapy starts, which runs once in a process: tests/crawlers/test_crawl.py goes on
STAGES["crawl"] = [STAGES["crawl"][0], SITE, "data/raw/new", f"data/failed/{SITE}.csv"]
ORDER = ["extract", "objects", "label", "duplicates", "v1", "version", "split", "prepare", "backbone", "features", "train"]
ORDER += ["label_errors", "evaluate", "export", "embed", "crawl"]
OUTPUTS = {  # of those that have more than one argument of the kind, or another place for it
    "objects": -3, "label": -3, "train": -2, "evaluate": -4, "crawl": -2,
}  # fmt: skip


def outputs(name: str) -> list[Path]:
    arguments = STAGES[name][1:]
    return [Path(arguments[0])] if name == "v1" else [Path(path) for path in arguments[OUTPUTS.get(name, -1) :]]


def make(folder: Path) -> Path:
    """An archive of two classes of pictures, and settings that cost little."""
    with chdir(folder):
        for name in ("tombstones.csv", "LICENSE"):
            shutil.copy(ROOT / name, name)
        Path("labels").mkdir()
        Path("camera").mkdir()
        Path("camera/a.jpg").write_bytes(pictures.jpeg(pictures.draw("dots", 99)))
        settings = yaml.safe_load((ROOT / "params.yaml").read_text())
        settings["sites"] = {SITE: {"fetch": {"source": "folder", "folder": "camera"}}}
        settings["split"] |= {"test": [0, 90], "validation": [91, 160], "minimum": 1}
        settings["prepare"]["size"] = 32
        settings["backbone"]["source"] = "tiny"
        settings["train"]["fine_tune"]["epochs"] = 0
        settings["label_errors"]["folds"] = 2
        settings["evaluate"] |= {"bootstrap": 10, "folds": 0}
        Path("params.yaml").write_text(yaml.safe_dump(settings))
        tiny.save(Path("tiny"))
        writer = warc.Writer(Path(f"data/raw/{SITE}"), SITE, {"software": "Sengu"})
        for number in range(32):
            kind = "stripes" if number % 2 else "dots"
            url = f"file://{SITE}/{kind}/{number}.jpg"
            writer.resource(url, "2026-01-01T00:00:00Z", {}, pictures.jpeg(pictures.draw(kind, number)))
        writer.close()
    return folder


def run(name: str) -> None:
    module, *arguments = STAGES[name]
    import_module(module).main(arguments)


def run_until(name: str) -> None:
    """Runs the stages before, each once."""
    for before in takewhile(lambda other: other != name, ORDER):
        if not all(path.exists() for path in outputs(before)):
            run(before)
