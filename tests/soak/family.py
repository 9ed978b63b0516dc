"""Photographs, three annotators, six versions, a model of each: docs/labels.md and docs/datasets.md tried as a new user would.

    python tests/soak/family.py PHOTOGRAPHS.zip [--pictures 200] [--folder DIR] [--tiny]

The zip holds folders of photographs, one for each class. Anna, Ben and Eve label them blind, with disagreements planted; A, B, A
cleaned, B extended, A+B and the merge of the new two are made, trained and compared; A is finalised and tampered with in five
ways; a successor asks a clone. Every answer is held against what was planted: it stops at the first that is wrong. It trains six
networks, which takes ten minutes on two idle processors, so it is no test of the suite. With --tiny they learn nothing, and take
a third of the time.
"""

import argparse
import json
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny
import versioned
from project import attempt, copy_of_the_project, run

from sengu.base.ids import ObjectId

RULES = "# Rules\n\n## R1 One animal\n\nThe animal in front decides.\n\n## R2 Drawings\n\nA drawing counts as what it shows.\n"
PEOPLE = ("anna", "ben", "eve")
WRONG = {"anna": (3, 17), "ben": (5, 29, 41, 60, 77), "eve": (8, 55, 90)}  # by number of the picture: who says the other class
SIDE = 160  # pixels of the shorter side, so that the run is about the tables
VERSIONS = ("A", "B", "A-clean", "B2", "AB", "new")
SAID = ("--purpose", "Tell them apart.", "--description")


def photographs(archive: Path, count: int) -> Iterator[tuple[str, bytes]]:
    """Class and JPEG of photographs, the classes in turn."""
    with zipfile.ZipFile(archive) as file:
        names = sorted(name for name in file.namelist() if name.endswith(".jpg"))
        classes = sorted({name.partition("/")[0] for name in names})[:2]
        of_class = [[name for name in names if name.startswith(f"{folder}/")] for folder in classes]
        for pair in zip(*of_class, strict=False):
            for folder, name in zip(classes, pair, strict=True):
                if count == 0:
                    return
                count -= 1
                picture = Image.open(BytesIO(file.read(name))).convert("RGB")
                picture.thumbnail((2 * SIDE, 2 * SIDE))
                buffer = BytesIO()
                picture.save(buffer, "JPEG", quality=90)
                yield folder, buffer.getvalue()


class Walk:
    """The repository, and what was planted in it."""

    def __init__(self, folder: Path, archive: Path, count: int, is_tiny: bool):
        self.is_tiny = is_tiny
        self.root = copy_of_the_project(folder / "project")
        self.pictures = list(photographs(archive, count))
        self.ids = [str(ObjectId.of(data, "jpg")) for _, data in self.pictures]
        self.classes = sorted({name for name, _ in self.pictures})
        self.number = {name: number for number, name in enumerate(self.ids)}
        self.first = len(self.ids) * 6 // 10  # the pictures of the camera; the others are of the attic
        self.known = len(self.ids) * 85 // 100  # those that are labelled at first

    def run(self, *command: str) -> str:
        print("$", " ".join(f"'{word}'" if " " in word else word for word in command), flush=True)
        text = run(self.root, *command)
        print("\n".join(f"    {line[:150]}" for line in text.splitlines()[-14:]), flush=True)
        return text

    def json(self, *command: str) -> Any:
        """What a command with --json prints, which stands below its log."""
        lines = self.run(*command, "--json").splitlines()
        return json.loads("\n".join(lines[next(i for i, line in enumerate(lines) if line in ("{", "[")) :]))

    def commit(self, message: str) -> None:
        versioned.commit(self.root, message)

    def prepare(self) -> None:
        """Two sites of photographs, a licence, and settings so small that a training takes seconds."""
        path = self.root / "params.yaml"
        params = yaml.safe_load(path.read_text())
        sites = {"camera": range(self.first), "attic": range(self.first, len(self.ids))}
        params["sites"] = {site: {"fetch": {"source": "folder", "folder": f"pictures/{site}"}} for site in sites}
        params["label"] = {"classes": self.classes, "disagreement": "majority"}
        params["project"].update(name="Pets", licence="CC0-1.0", purpose="Tell them apart.")
        params["split"].update(dataset="A", test=[0, 79], validation=[80, 119])
        params["prepare"]["size"] = 32
        params["train"]["fine_tune"].update(epochs=1)
        params["evaluate"]["bootstrap"] = 50
        if self.is_tiny:
            params["backbone"]["source"] = str(tiny.save(self.root / "tiny").relative_to(self.root))
            params["train"]["fine_tune"].update(epochs=0)
        path.write_text(yaml.safe_dump(params, sort_keys=False))
        for site, numbers in sites.items():
            (self.root / "pictures" / site).mkdir(parents=True)
            for number in numbers:
                (self.root / f"pictures/{site}/n{number:03}.jpg").write_bytes(self.pictures[number][1])
        with (self.root / ".gitignore").open("a") as stream:
            stream.write("/pictures/\n/sheet-*.csv\n")
        (self.root / "labels/RULES.md").write_text(RULES)
        for lock in ("dvc.lock", "datasets/dvc.lock"):
            (self.root / lock).unlink(missing_ok=True)
        datasets = self.root / "datasets/dvc.yaml"
        datasets.write_text(datasets.read_text().partition("\nstages:")[0] + "\nstages: {}\n")
        run(self.root, "dvc", "remote", "add", "--force", "--default", "--quiet", "beside", "../../remote")
        self.run("dvc", "repro", "--quiet", "objects", "duplicates")
        self.commit("Two sites of photographs")

    def label(self, who: str, where: str, numbers: range, name: str) -> None:
        """One annotator fills in a sheet, and imports it."""
        sheet = self.root / name
        options = ("--annotator", who, "--rule", "R1", "--again", "--out", name, "-n", str(len(self.ids)), "--where", where)
        self.run("sengu", "label", "sheet", "--queue", "random", *options)
        table = pd.read_csv(sheet, dtype="str", keep_default_na=False)
        asked = [self.number[object_id] for object_id in table["objectId"]]
        assert set(asked) == set(numbers), f"{who} was asked for {len(asked)} pictures, not {len(numbers)}"
        table["value"] = [self.said(who, number) for number in asked]
        table.to_csv(sheet, index=False)
        assert f"{len(numbers)} lines added" in self.run("sengu", "label", "import", name)

    def said(self, who: str, number: int) -> str:
        right = self.pictures[number][0]
        return next(name for name in self.classes if name != right) if number in WRONG[who] else right

    def label_all(self) -> None:
        """The three label what is known at first; agreement and conflicts are what was planted."""
        for who in PEOPLE:
            self.label(who, f"filename < 'n{self.known:03}.jpg'", range(self.known), f"sheet-{who}.csv")
        found = self.json("sengu", "label", "check")
        planted = {number for numbers in WRONG.values() for number in numbers if number < self.known}
        assert found["problems"] == []
        assert found["conflicts"] == len(planted)
        raw = 1 - len(planted) * 2 / 3 / self.known  # of three pairs of annotators two differ where one is wrong
        assert abs(found["agreement"]["all"]["raw"]["value"] - raw) < 1e-3
        self.run("dvc", "repro", "--quiet", "label")
        conflicts = pd.read_csv(self.root / "data/label_conflicts.csv", dtype="str", keep_default_na=False)
        assert {self.number[name] for name in conflicts["objectId"]} == planted
        labels = pd.read_csv(self.root / "data/label.csv")
        assert len(labels) == self.known, "two of three outvote the third, so every picture has a label"
        assert all(self.classes[row.value] == self.pictures[self.number[row.objectId]][0] for row in labels.itertuples()), (
            "the majority is right everywhere"
        )
        self.commit("Labels of three people")

    def make_versions(self) -> None:
        create = ("sengu", "dataset", "create")
        self.run(*create, "A", "--where", "site == 'camera'", *SAID, "Of the camera.")
        self.run(*create, "B", "--where", "filename >= 'n040.jpg'", *SAID, "The later ones.")
        self.run("dvc", "repro", "--quiet", "datasets/dvc.yaml")
        self.commit("Versions A and B")
        self.run("dvc", "push", "--quiet")
        for name in ("A", "B"):
            self.run("sengu", "dataset", "finalize", name)
        self.label("eve", f"filename >= 'n{self.known:03}.jpg'", range(self.known, len(self.ids)), "sheet-more.csv")
        self.run(
            *create,
            "A-clean",
            "--from",
            "A",
            "--clean",
            "near-duplicates,small=100,blurred",
            *SAID,
            "A without doubtful pictures.",
        )
        self.run(*create, "B2", "--from", "B", "--extend", "attic", *SAID, "B and what Eve labelled.")
        self.run(*create, "AB", "--from", "A", "--from", "B", *SAID, "Both.")
        self.run(*create, "new", "--from", "A-clean", "--from", "B2", *SAID, "Both, as they are now.")
        self.run("dvc", "repro", "--quiet", "datasets/dvc.yaml")
        self.commit("The versions that come from A and B")
        self.run("dvc", "push", "--quiet")
        rows = {row["version"]: row for row in self.json("sengu", "dataset", "list")}
        assert rows["B2"]["pictures"] == len(self.ids) - 40
        assert rows["AB"]["pictures"] == self.known
        assert rows["new"]["parents"] == ["A-clean", "B2"]
        self.run("sengu", "dataset", "log")
        self.run("sengu", "dataset", "diff", "B", "B2")

    def train(self) -> str:
        """Trains and compares all of them, and commits the best one's training; returns its name."""
        found = self.json("sengu", "dataset", "compare", *VERSIONS)
        assert [row["version"] for row in found] == list(VERSIONS)
        assert len({row["shared"] for row in found}) == 1
        assert not run(self.root, "git", "status", "--porcelain"), "compare leaves the working tree as it was"
        self.run("sengu", "dataset", "compare", *VERSIONS)  # from the run cache, as a table
        best = max(found, key=lambda row: row["accuracy"])["version"]
        for name in dict.fromkeys(("A", best)):
            self.run("dvc", "exp", "run", "--quiet", "--set-param", f"split.dataset={name}", "evaluate")
            self.commit(f"A model of {name}")
        self.run("dvc", "push", "--quiet")
        return str(best)

    def tamper(self) -> None:
        """Five ways to change A, each found, and undone."""
        label = self.root / "data/dataset/A/label.csv"

        def flipped() -> None:
            text = label.read_text()
            label.unlink()
            label.write_text(text[:-2] + ("1" if text[-2] == "0" else "0") + "\n")

        def recipe() -> None:
            path = self.root / "datasets/dvc.yaml"
            path.write_text(path.read_text().replace("site == 'camera'", "site != 'camera'"))

        def repro() -> None:
            flipped()
            run(self.root, "dvc", "repro", "--quiet", "datasets/dvc.yaml:A")

        def untagged() -> None:
            run(self.root, "git", "tag", "--delete", "datasets=A@v1.0.0")

        def lost() -> None:
            next((self.root / "data/object/camera").rglob(self.ids[0])).unlink()

        tag = run(self.root, "git", "rev-parse", "datasets=A@v1.0.0").strip()
        for harm in (flipped, recipe, repro, untagged, lost):
            harm()
            done = attempt(self.root, "sengu", "dataset", "check")
            print(f"{harm.__name__}: {done.stdout.splitlines()[0]}", flush=True)
            assert done.returncode == 1
            assert any(line.startswith("A: ") for line in done.stdout.splitlines()), done.stdout
            run(self.root, "git", "reset", "--quiet", "--hard")
            run(self.root, "git", "tag", "--force", "datasets=A@v1.0.0", tag)
            run(self.root, "dvc", "checkout", "--quiet", "--force", "datasets/dvc.yaml:A")
            if harm is lost:
                run(self.root, "sengu", "objects", "heal")
            run(self.root, "sengu", "dataset", "check")

    def ask(self, best: str) -> None:
        """A successor on a clone: commands alone answer."""
        run(self.root.parent, "git", "clone", "--quiet", "project", "clone")
        self.root = self.root.parent / "clone"
        run(self.root, "dvc", "remote", "add", "--force", "--default", "--quiet", "beside", "../../remote")
        self.run("dvc", "pull", "--quiet", "--allow-missing")
        disputed = self.ids[WRONG["ben"][0]]
        why = self.run("sengu", "label", "why", disputed[:10])
        assert "by ben" in why
        assert "outranked: label.disagreement is majority" in why
        assert "R1" in why
        assert "The animal in front decides." in why
        models = {row["version"]: row["models"] for row in self.json("sengu", "dataset", "list")}
        trained = {name: rows[0]["accuracy"] for name, rows in models.items() if rows}
        assert set(trained) == {"A", best}
        self.run("sengu", "dataset", "list")
        shown = self.run("sengu", "dataset", "show", "A")
        assert re.search(r"may_change\s+no: it is final \(datasets=A@v1.0.0\)", shown)
        assert "0 faults" in self.run("sengu", "dataset", "check")
        self.run("sengu", "dataset", "sample", best, "--number", "2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder, which is then deleted")
    parser.add_argument("--tiny", action="store_true", help="networks that learn nothing, in a third of the time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        walk = Walk(options.folder or Path(temporary), options.archive, options.pictures, options.tiny)
        walk.prepare()
        walk.label_all()
        walk.make_versions()
        best = walk.train()
        walk.tamper()
        walk.ask(best)
    print(f"all answers are right; the best version is {best}")


if __name__ == "__main__":
    main()
