"""A label set, its tables and the model's embeddings -> what the labelling page asks of them."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.tables import versions as version_files
from sengu.commands import places
from sengu.commands.label.label_set import LabelSet, versions
from sengu.commands.label.sheet import meeting, queue
from sengu.embeddings import Embeddings
from sengu.labels import rules
from sengu.labels.rules import Rule
from sengu.labels.sheets import sheets

SIMILAR = 12  # pictures like the one that is shown
LOOKED = 200  # nearest pictures among which the labelled ones are looked for
SHOWN = 48  # pictures of a list to review
SAMPLE = 12  # pictures of each class of a dataset version
CAPTURE = ("site", "url", "page", "device", "operator", "subject", "taken", "fetched", "camera", "filename")


class Repository:
    """The repository in the current folder, as `Material`. Sheets that change are read again when a queue is made."""

    def __init__(self, name: str):
        self.name = name
        self._label_set = LabelSet.called(name)
        self._stamp = self._stamped()
        self.classes: Sequence[str] = self._label_set.settings.classes
        self.folder: Path = self._label_set.folder
        self._names = {picture for picture in self._label_set.index["objectId"].unique() if not ObjectId.parse(picture).is_video}

    def _stamped(self) -> list[tuple[str, int, int]]:
        states = ((path, path.stat()) for path in sheets(self._label_set.folder))
        return [(str(path), state.st_size, state.st_mtime_ns) for path, state in states]

    @property
    def label_set(self) -> LabelSet:
        """The label set as its sheets are now."""
        stamp = self._stamped()
        if stamp != self._stamp:
            before = self._label_set
            self._label_set = LabelSet.called(self.name)
            for table in ("captures", "index", "known", "settings"):  # which no sheet changes
                if table in before.__dict__:
                    self._label_set.__dict__[table] = before.__dict__[table]
            self._stamp = stamp
        return self._label_set

    def rules(self) -> Mapping[str, Rule]:
        return rules.read(self.folder)

    def knows(self, object_id: str) -> bool:
        return object_id in self._names

    def queue(self, kind: str, annotator: str, condition: str, value: int) -> list[str]:
        label_set = self.label_set
        names = queue(label_set, kind, annotator, again=False, value=value)
        names = meeting(label_set, names, condition) if condition else names
        return [name for name in names if name in self._names]

    @cached_property
    def _embeddings(self) -> Embeddings | None:
        if not places.EMBEDDINGS.is_dir():
            return None
        from sengu import embeddings

        return embeddings.read(places.EMBEDDINGS)

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        """Object id -> all near-duplicates of its group, itself among them."""
        if not places.DUPLICATES.is_file():
            return {}
        duplicates = tables.read(places.DUPLICATES, tables.Duplicate)
        members = duplicates.groupby("group")["objectId"].agg(list).to_dict()
        return {name: members[group] for name, group in zip(duplicates["objectId"], duplicates["group"], strict=True)}

    def group(self, object_id: str) -> list[str]:
        return [name for name in self._groups.get(object_id, ()) if name != object_id and name in self._names]

    def _captures(self, object_id: str) -> tuple[dict[str, Any], pd.DataFrame]:
        label_set = self._label_set
        rows = label_set.index[label_set.index["objectId"] == object_id]
        captures = label_set.captures[
            label_set.captures["urlId"].isin(rows["urlId"]) & label_set.captures["site"].isin(rows["site"])
        ]
        return {str(key): cell for key, cell in rows.iloc[0].items()}, captures

    def facts(self, object_id: str) -> dict[str, Any]:
        row, captures = self._captures(object_id)
        seen = [{name: cells[name] for name in CAPTURE if cells[name]} for cells in captures.to_dict("records")]
        about = {"format": row["format"], "width": int(row["width"]), "height": int(row["height"]), "bytes": int(row["bytes"])}
        return {"id": object_id, **about, "video": row["video"], "seen": seen, "duplicates": self.group(object_id)}

    def opinions(self, object_id: str, annotator: str) -> dict[str, Any]:
        _, captures = self._captures(object_id)
        tags = sorted({tag for cell in captures["tags"] for tag in cell.split("|") if tag})
        standing = self.label_set.standing
        words = standing[(standing["objectId"] == object_id) & (standing["annotator"] != annotator)]
        said = [
            {"annotator": who, "value": self.classes[value], "rule": rule, "how": how, "note": note}
            for who, value, rule, how, note in words[["annotator", "value", "rule", "how", "note"]].itertuples(index=False)
        ]
        model, similar = self._seen_by_model(object_id)
        return {"tags": tags, "words": said, "model": model, "similar": similar}

    def _seen_by_model(self, object_id: str) -> tuple[dict[str, float], list[dict[str, Any]]]:
        model = self._embeddings
        if model is None or ObjectId.parse(object_id).is_video:
            return {}, []
        from sengu import embeddings

        try:
            row = model.row(object_id)
        except SenguError:  # an object that came after the last `dvc repro embed`
            return {}, []
        labels = self.label_set.merged.labels
        value_of = dict(zip(labels["objectId"], labels["value"], strict=True))
        similarities, rows = embeddings.nearest(model.vectors[row], model.vectors, LOOKED)
        near = [(model.objects[other], float(alike)) for other, alike in zip(rows, similarities, strict=True) if other != row]
        similar = [
            {"id": name, "value": self.classes[value_of[name]], "similarity": round(alike, 3)}
            for name, alike in near
            if name in value_of and name in self._names
        ]
        chances = model.probabilities[row]
        of_class = {name: round(float(chance), 3) for name, chance in zip(self.classes, chances, strict=False)}
        return of_class if len(chances) == len(self.classes) else {}, similar[:SIMILAR]

    def predecessors(self, annotator: str) -> dict[str, dict[str, dict[str, str]]]:
        standing = self.label_set.standing
        people = standing[(standing["how"] != "model") & (standing["annotator"] != annotator)]
        said_by: dict[str, dict[str, dict[str, str]]] = {}
        columns = ["annotator", "objectId", "value", "rule", "note"]
        for who, name, value, rule, note in people[columns].itertuples(index=False, name=None):
            if name in self._names:
                said_by.setdefault(who, {})[name] = {"value": self.classes[value], "rule": rule, "note": note}
        return said_by

    def review(self) -> dict[str, Any]:
        return {
            "versions": self._versions(),
            "mistakes": self._mistakes(),
            "conflicts": self._conflicts(),
            "groups": self._to_confirm(),
        }

    def _versions(self) -> list[dict[str, Any]]:
        labels_of = versions()
        described = []
        for name, labels in labels_of.items():
            facts = version_files.read(places.DATASETS / name)
            before = [labels_of[parent] for parent in facts.parents if parent in labels_of]
            parents = pd.concat(before)["objectId"] if before else labels["objectId"].iloc[:0]
            counts = labels["value"].value_counts()
            samples = {
                title: [picture for picture in labels.loc[labels["value"] == value, "objectId"] if picture in self._names][
                    :SAMPLE
                ]
                for value, title in enumerate(facts.classes)
            }
            described.append(
                {
                    "name": name,
                    "parents": list(facts.parents),
                    "rows": len(labels),
                    "classes": {title: int(counts.get(value, 0)) for value, title in enumerate(facts.classes)},
                    "added": int((~labels["objectId"].isin(parents)).sum()),
                    "removed": int((~parents.isin(labels["objectId"])).sum()),
                    "samples": samples,
                }
            )
        return described

    def _mistakes(self) -> list[dict[str, Any]]:
        """What the model calls otherwise than the labels of the test split, the surest first."""
        model = self._embeddings
        if model is None or not places.SPLIT.is_file() or model.probabilities.shape[1] != len(self.classes):
            return []
        split = tables.read(places.SPLIT, tables.SplitLabel)
        test = split[(split["type"] == "test") & split["objectId"].isin(list(self._names))]
        row_of = {name: row for row, name in enumerate(model.objects)}
        test = test[test["objectId"].isin(row_of)]
        chances = np.asarray(model.probabilities)[[row_of[name] for name in test["objectId"]]]
        if not len(chances):
            return []
        called, values = chances.argmax(axis=1), test["value"].to_numpy()
        wrong = np.flatnonzero(called != values)
        wrong = wrong[np.argsort(-chances[wrong].max(axis=1), kind="stable")][:SHOWN]
        return [
            {
                "id": test["objectId"].iloc[row],
                "label": self.classes[values[row]],
                "called": self.classes[called[row]],
                "probability": round(float(chances[row].max()), 3),
            }
            for row in wrong
        ]

    def _conflicts(self) -> list[dict[str, Any]]:
        conflicts = []
        for cells in self.label_set.merged.conflicts.head(SHOWN).to_dict("records"):
            if cells["objectId"] not in self._names:
                continue
            parts = [cells[name].split("|") for name in ("values", "annotators", "sources", "rules")]
            sides = [
                {"value": self.classes[int(value)], "annotator": who, "source": source, "rule": rule}
                for value, who, source, rule in zip(*parts, strict=True)
            ]
            conflicts.append({"id": cells["objectId"], "sides": sides, "label": cells["label"]})
        return conflicts

    def _to_confirm(self) -> list[list[str]]:
        seen: dict[str, list[str]] = {}
        for members in self._groups.values():
            if members[0] not in seen:
                seen[members[0]] = [name for name in members if name in self._names]
        return sorted((group for group in seen.values() if len(group) > 1), key=len, reverse=True)[:SHOWN]
