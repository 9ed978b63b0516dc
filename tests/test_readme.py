"""The README's walk-through, typed as it is printed."""

import re
import shutil
from pathlib import Path

import pytest
import tiny
import yaml
from project import BIN, ROOT, copy_of_the_project, run

from crawlers.demo import pictures
from sengu.base import tables

README = (ROOT / "README.md").read_text()


def block(name: str) -> str:
    return re.search(rf"<!-- walk-through: {name} -->\n```\w+\n(.*?)```", README, re.DOTALL).group(1)


@pytest.mark.slow
def test_pictures_and_labels_that_one_already_has(tmp_path: Path) -> None:
    lines = ["filename,value"]
    for kind, animal in (("dots", "cat"), ("stripes", "dog")):
        (tmp_path / "pictures" / animal).mkdir(parents=True)
        for number in range(110):
            name = f"{animal}/{animal} {number}.jpg"
            (tmp_path / "pictures" / name).write_bytes(pictures.jpeg(pictures.draw(kind, 50_000 + number)))
            lines.append(f"{name},{animal}")
    (tmp_path / "label.csv").write_text("\n".join(lines) + "\n")
    folder = copy_of_the_project(tmp_path / "project")
    params = yaml.safe_load((folder / "params.yaml").read_text()) | yaml.safe_load(block("params"))
    # a tiny network, as how well it learns is not asked here
    params["backbone"]["source"] = f"../{tiny.save(tmp_path / 'tiny').name}"
    params["prepare"]["size"] = 32
    params["train"]["fine_tune"]["epochs"] = 1
    params["evaluate"]["bootstrap"] = 20
    (folder / "params.yaml").write_text(yaml.safe_dump(params))

    assert block("commands").count("\n") <= 10
    (folder / ".venv/bin").mkdir(parents=True)
    shutil.copy(BIN / "activate", folder / ".venv/bin/activate")  # as `make install` would have made it
    run(folder, "bash", "-e", "-c", block("commands"))

    captures = tables.read(folder / "data/captures/mine.csv", tables.Capture)
    assert set(captures["device"]) == {"camera 7"}
    assert len(tables.read(folder / "data/label.csv", tables.Label)) == 220
    assert (folder / "reports/metrics.json").is_file()
    assert list((tmp_path / "sengu-remote").rglob("*"))
    assert not run(folder, "git", "status", "--porcelain")
