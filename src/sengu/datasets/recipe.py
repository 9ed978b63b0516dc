"""The command of a version's stage <-> its recipe: parents, additions, removals and facts."""

import argparse
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from sengu.base.errors import SenguError
from sengu.base.tables import where

MODULE = "sengu.stages.dataset"
FOLDER = Path("data/dataset")
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")  # names that gto accepts, too: it refuses dots
SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
DETAILS = "label_details.csv"  # the name of the table that `label` writes beside label.csv
LABELS = "labels"  # what `--prefer` calls the current labels

# objects to take out -> the default limit; None: there is no limit
CLEANINGS: dict[str, float | None] = {
    "duplicates": None,  # the same pixels in another file: the largest file stays
    "near-duplicates": None,  # of each group in data/duplicates.csv and class: the largest picture stays
    "small": 64.0,  # pixels of the shorter side
    "dark": 0.2,  # 95% of the pixels are darker than this share of white
    "bright": 0.95,  # 95% of the pixels are brighter than this share of white
    "blurred": 0.0005,  # variance of the Laplacian of grey levels from 0 to 1, at most 256 pixels wide
}


@dataclass(frozen=True)
class Recipe:
    """The recipe of a version; paths are relative to the folder that holds params.yaml."""

    version: Path  # the folder that is made
    index: Path
    captures: Path
    objects: Path
    erased: Path
    parents: tuple[Path, ...] = ()
    labels: Path | None = None  # the table of current labels, without parents or where it extends them
    details: Path | None = None  # where those labels come from, likewise
    sheets: Path | None = None  # the folder of sheets and rules, likewise
    duplicates: Path | None = None
    extend: tuple[str, ...] = ()  # sheets and sites whose objects are added
    where: str = ""
    exclude: tuple[Path, ...] = ()
    clean: tuple[str, ...] = ()
    prefer: str = ""
    set: tuple[str, ...] = ()
    semver: str = "1.0.0"
    purpose: str = ""
    description: str = ""

    @property
    def name(self) -> str:
        return self.version.name

    @property
    def extending(self) -> tuple[str, ...]:
        """The sheets, not the sites, that extend it."""
        return tuple(entry for entry in self.extend if entry.endswith(".csv"))

    def command(self) -> list[str]:
        """The lines of the command of the stage: one option each, as a shell takes them."""
        lines = [f"python -m {MODULE} {self.version}"]
        for option, values in self._options():
            if values:
                lines.append(f"--{option} {' '.join(_quoted(str(value)) for value in values)}")
        return lines

    def inputs(self) -> list[str]:
        """Data that the stage depends on."""
        alone = [path for path in (self.labels, self.details, self.sheets, self.duplicates) if path]
        paths = [*self.parents, *alone, *self.exclude, self.index, self.captures, self.objects, self.erased]
        inside = [path for path in self.extending if self.sheets is None or not Path(path).is_relative_to(self.sheets)]
        return [str(path) for path in (*paths, *inside)]

    def _options(self) -> list[tuple[str, Sequence[object]]]:
        return [
            ("from", self.parents),
            ("prefer", [self.prefer] if self.prefer else []),
            ("extend", self.extend),
            ("where", [self.where] if self.where else []),
            ("exclude", self.exclude),
            ("clean", [",".join(self.clean)] if self.clean else []),
            ("set", self.set),
            ("semver", [self.semver]),
            ("purpose", [self.purpose] if self.purpose else []),
            ("description", [self.description] if self.description else []),
            *((name, [path] if (path := getattr(self, name)) else []) for name in ("labels", "details", "sheets", "duplicates")),
            *((name, [getattr(self, name)]) for name in ("index", "captures", "objects", "erased")),
        ]


def _quoted(word: str) -> str:
    """A word quoted for a shell; in double quotes if it has a single one, which is easier to read than shlex's spelling."""
    plain = "'" in word and not any(letter in word for letter in '"$`\\\n')
    return f'"{word}"' if plain else shlex.quote(word)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SenguError(f"the recipe of a dataset version: {message}: see docs/datasets.md")


def parse(arguments: Sequence[str]) -> Recipe:
    """The recipe in the arguments of the stage. Raises SenguError for unknown, missing, repeated or wrong arguments."""
    if twice := [word for word in arguments if word.startswith("--") and arguments.count(word) > 1]:
        raise SenguError(
            f"datasets/dvc.yaml: the command of {Path(arguments[0]).name} has {twice[0]} twice: write it once, or, if two "
            "branches have a version of this name, make two stages of it and rename one"
        )
    parser = _Parser(prog=MODULE, allow_abbrev=False, add_help=False)
    parser.add_argument("version", type=Path)
    for name in ("index", "captures", "objects", "erased"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("labels", "details", "sheets", "duplicates"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--from", dest="parents", type=Path, nargs="+", default=[])
    parser.add_argument("--exclude", type=Path, nargs="+", default=[])
    parser.add_argument("--extend", nargs="+", default=[])
    parser.add_argument("--set", nargs="+", default=[])
    parser.add_argument("--clean", type=lambda text: text.split(","), default=[])
    for name in ("where", "prefer", "purpose", "description"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--semver", default="1.0.0")
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in vars(parser.parse_args(arguments)).items()
    }
    recipe = Recipe(**given)
    check(recipe)
    return recipe


def of_stage(stage: dict[str, object]) -> Recipe | None:
    """The recipe of a stage of datasets/dvc.yaml; None for one written by hand, with a script of its own."""
    words = shlex.split(str(stage.get("cmd", "")))
    return parse(words[3:]) if words[1:3] == ["-m", MODULE] else None


def check(recipe: Recipe) -> None:
    """Raises SenguError for an invalid name, condition, cleaning, number or setting."""
    check_name(recipe.name)
    if not SEMANTIC.fullmatch(recipe.semver):
        raise SenguError(f"--semver {recipe.semver!r} is not a semantic version: write three numbers, such as 1.0.0")
    if recipe.where:
        where.parse(recipe.where)
    for entry in recipe.clean:
        limit(entry)
    for text in (recipe.where, recipe.purpose, recipe.description, *recipe.set):
        if "${" in text or "\n" in text:
            raise SenguError(f"{text!r}: leave out {'line breaks' if chr(10) in text else '${, which DVC takes for a param'}")
    settings(recipe)
    if recipe.clean and any(entry in ("duplicates", "near-duplicates") for entry in recipe.clean) and not recipe.duplicates:
        raise SenguError(f"{recipe.name}: --clean {','.join(recipe.clean)} needs --duplicates data/duplicates.csv")
    if (not recipe.parents or recipe.extend) and not recipe.labels:
        raise SenguError(f"{recipe.name}: neither --from nor --labels says where its labels come from: add one of them")
    if recipe.parents and recipe.labels and not recipe.extend:
        raise SenguError(f"{recipe.name}: --labels beside --from adds labels, but --extend does not say which: add or remove one")
    if twice := [path for path in recipe.parents if recipe.parents.count(path) > 1]:
        raise SenguError(f"{recipe.name}: parent {twice[0].name} appears twice: name it once")
    choices = [path.name for path in recipe.parents] + ([LABELS] if recipe.labels else [])
    if recipe.prefer and recipe.prefer not in choices:
        raise SenguError(f"{recipe.name}: --prefer {recipe.prefer} is none of its parents: choose one of {', '.join(choices)}")


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise SenguError(
            f"{name!r} cannot name a dataset version: use letters, digits, - and _, and begin and end with a letter or digit"
        )


def limit(entry: str) -> tuple[str, float]:
    """The name and limit of a part of --clean such as small=64."""
    name, _, text = entry.partition("=")
    if name not in CLEANINGS:
        raise SenguError(f"--clean {entry!r}: choose from {', '.join(CLEANINGS)} and, in `sengu dataset create`, suspect")
    default = CLEANINGS[name]
    if text and default is None:
        raise SenguError(f"--clean {entry!r}: {name} takes no number")
    try:
        value = float(text or default or 0)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise SenguError(f"--clean {entry!r}: write a number behind =, such as {name}={default}")
    return name, value


def settings(recipe: Recipe) -> dict[str, str]:
    """The facts given by --set: texts by key."""
    texts: dict[str, str] = {}
    for entry in recipe.set:
        key, equals, value = entry.partition("=")
        if not equals or not key or key in texts:
            raise SenguError(f"--set {entry!r}: write key=value, each key once")
        texts[key] = value
    return texts
