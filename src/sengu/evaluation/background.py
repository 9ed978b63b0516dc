"""dataset.json, params.yaml, tables of sites, curves -> what the report says beside what was measured."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from sengu.base import params, tables
from sengu.base.tables import grouping, versions
from sengu.evaluation.report import Background, Fact

DOUBTS = 3  # groups that the page names
SAID = {"file": "filename", "tags": "tags", "device": "device"}  # word -> column of the captures


def curves(folder: Path) -> dict[str, pd.DataFrame]:
    """Loss and accuracy after each epoch of fine-tuning, of train and validation, by metric; nothing where there was none."""
    by_metric = {}
    for metric in ("loss", "accuracy"):
        paths = {part: folder / "plots/metrics/fine_tune" / part / f"{metric}.tsv" for part in ("train", "validation")}
        read = [
            pd.read_csv(path, sep="\t").rename(columns={metric: part}).set_index("step")
            for part, path in paths.items()
            if path.is_file()
        ]
        if read:
            by_metric[metric] = pd.concat(read, axis=1).reset_index()
    return by_metric


def settings() -> dict[str, str]:
    """The training settings in params.yaml, with defaults, by dotted name."""
    sections = {"train": params.Train, "prepare": params.Prepare, "backbone": params.Backbone}
    texts: dict[str, str] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, below in value.items():
                add(f"{name}.{key}", below)
        else:
            texts[name] = str(value).lower() if isinstance(value, bool) else str(value)

    for name, kind in sections.items():
        add(name, asdict(params.section(name, kind)))
    return texts


def of_dataset(dataset: Path, version: versions.Version, known: Mapping[str, Sequence[str]], same: pd.DataFrame) -> Background:
    """The page's background by the version, params.yaml and `same`, the near-duplicates: dates, source, settings, warnings."""
    document = json.loads((dataset / versions.METADATA).read_text(encoding="utf-8"))
    counts = ", ".join(f"{version.rows_by_value[str(value)]:,} {name}" for value, name in enumerate(version.classes))
    number = f" ({document['semver']})" if document.get("semver") else ""
    facts = [Fact("Dataset", [f"{version.version}{number}", f"{version.rows:,} labelled pictures: {counts}"])]
    fetched = document.get("fetched") or {}
    first, last = (str(fetched.get(end) or "")[:10] for end in ("first", "last"))
    if first:
        facts.append(Fact("Date of the data", [first if first == last else f"{first} to {last}", "date of the crawl"]))
    sites = {site: sum(of.values()) for site, of in (document.get("counts") or {}).get("by_site", {}).items()}
    if sites:
        listed = [f"{count:,} from {site}" for site, count in list(sites.items())[:4]]
        more = [f"and {len(sites) - 4} more sites"] if len(sites) > 4 else []
        facts.append(Fact("Source", [f"{len(sites)} site{'s' * (len(sites) != 1)}", ", ".join([*listed, *more])]))
    project = str((document.get("project") or {}).get("name", ""))
    doubts = grouping.doubts(tables.read(dataset / versions.LABELS, tables.Label), same, version.classes)
    if len(doubts) > DOUBTS:
        rest = f"And {len(doubts) - DOUBTS} more groups of near-duplicates hold several labels, or much of a class."
        doubts = [*doubts[:DOUBTS], rest]
    return Background(version.version, project, facts, settings(), known, doubts)


def known(names: Sequence[str], index: pd.DataFrame, captures: pd.DataFrame, labels: pd.DataFrame) -> dict[str, list[str]]:
    """Lines about some objects: size and format, then each address, its site and its tags."""
    every = index.merge(captures.drop(columns="site"), on="urlId").groupby("objectId")
    sources = dict(zip(labels["objectId"], labels["source"], strict=True))
    lines_of = {}
    for name in dict.fromkeys(names):
        rows: list[dict[Any, Any]] = []
        if name in every.groups:
            rows = every.get_group(name).head(3).to_dict("records")
        lines = [f"{row['width']} x {row['height']} pixels, {row['bytes']:,} bytes" for row in rows[:1]]
        if sources.get(name):
            lines.append(f"label from a {sources[name]}")
        for row in rows:
            said = [f"{row['site']}: {row['url'].partition('://')[2] or row['url']}"]
            said += [f"{what}: {row[column]}" for what, column in SAID.items() if row[column]]
            lines.append("; ".join(said))
        if lines:
            lines_of[name] = lines
    return lines_of
