"""Every stage on a full disk, with too many open files and with a folder that may not be written: one line with a file's name.

The stages run in the order of the pipeline, on a few pictures and a tiny network, and then again with something refused.
"""

import os
import re
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import takewhile
from pathlib import Path

import pytest
import tiny
import yaml
from project import ROOT

from crawlers.demo import pictures
from sengu import warc
from sengu.base.errors import one_line

pytestmark = pytest.mark.slow

NOBODY = 65534
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
CACHED = ("objects", "duplicates", "prepare", "features", "embed")  # write what they know to .sengu, and then their output


def outputs(name: str) -> list[Path]:
    arguments = STAGES[name][1:]
    return [Path(arguments[0])] if name == "v1" else [Path(path) for path in arguments[OUTPUTS.get(name, -1) :]]


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    """A folder that other users may enter, with an archive of two classes of pictures, and settings that cost little."""
    with tempfile.TemporaryDirectory() as made, pytest.MonkeyPatch.context() as patch:
        folder = Path(made)
        folder.chmod(0o755)
        patch.chdir(folder)
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
        yield folder


def run(name: str) -> None:
    module, *arguments = STAGES[name]
    import_module(module).main(arguments)


def run_until(name: str) -> None:
    """Runs the stages before, each once."""
    for before in takewhile(lambda other: other != name, ORDER):
        if not all(path.exists() for path in outputs(before)):
            run(before)


def message(name: str, refuse: Callable[[], None], allow: Callable[[], None]) -> str:
    """What a stage says that is refused something while it runs."""
    with pytest.raises(SystemExit) as ended, one_line(outputs(name)[-1]):
        refuse()
        try:
            run(name)
        finally:
            allow()
    return str(ended.value)


def limited(name: str, limit: int, value: int) -> str:
    before = resource.getrlimit(limit)
    return message(name, lambda: resource.setrlimit(limit, (value, before[1])), lambda: resource.setrlimit(limit, before))


def read_only(name: str, folder: Path) -> str:
    """The stage run by somebody who may write everywhere but beside its outputs."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    for output in outputs(name):
        output.parent.mkdir(parents=True, exist_ok=True)
        output.parent.chmod(0o555)
    as_another = os.geteuid() == 0  # root may write everywhere
    try:
        return message(
            name,
            lambda: os.seteuid(NOBODY) if as_another else None,
            lambda: os.seteuid(0) if as_another else None,
        )
    finally:
        for output in outputs(name):
            output.parent.chmod(0o777)


@contextmanager
def set_aside(name: str) -> Iterator[None]:
    """Within, the stage has no output yet."""
    places = [(output, output.with_name(f"{output.name}.aside")) for output in outputs(name) if output.exists()]
    for output, aside in places:
        output.rename(aside)
    try:
        yield
    finally:
        for output, aside in places:
            shutil.rmtree(output) if output.is_dir() else output.unlink(missing_ok=True)
            aside.rename(output)


@pytest.mark.parametrize("name", ORDER)
def test_what_the_system_refuses_is_one_line_with_the_name_of_a_file(project: Path, name: str) -> None:
    run_until(name)
    if name != "crawl":
        run(name)  # which also loads whatever could not be loaded below
    with set_aside(name):
        text = limited(name, resource.RLIMIT_NOFILE, 3)
        assert re.fullmatch(r"error: \S+: Too many open files: `ulimit -n \d+` allows more", text), text
        text = read_only(name, project)
        assert re.fullmatch(r"error: \S+: Permission denied", text), text
        assert any(str(output.parent) in text for output in outputs(name)), text
        if name == "crawl":
            return
        # a limit on the size of files gives the error of a full disk, at the same places
        text = limited(name, resource.RLIMIT_FSIZE, 0)
        assert re.fullmatch(r"error: \S+: File too large", text), text
        places = [output.name for output in outputs(name)] + [f"error: {tempfile.gettempdir()}/"]
        assert any(place in text for place in places), text
        if name in CACHED:
            shutil.rmtree(".sengu")
            text = limited(name, resource.RLIMIT_FSIZE, 0)
            assert re.fullmatch(r"error: \S+: File too large", text), text


def test_every_stage_is_tried() -> None:
    assert set(ORDER) == set(STAGES)
