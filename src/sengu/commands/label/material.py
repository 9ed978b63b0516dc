"""A label set, its tables and the model's embeddings -> the answers that the labelling page needs."""

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
from sengu.commands.label.label_set import LabelSet, answers, learned, versions
from sengu.commands.label.sheet import meeting, queue
from sengu.duplicates import decisions
from sengu.embeddings import Embeddings
from sengu.labels import rules
from sengu.labels.rules import Rule
from sengu.labels.sheets import sheets

SIMILAR = 12  # pictures like the current one
LOOKED = 200  # nearest pictures, among which labelled ones are sought
SHOWN = 48  # pictures of a list to review
SAMPLE = 12  # pictures of each class of a dataset version
MEMBERS = 60  # pictures of a group of near-duplicates to review
BESIDE = 8  # near-duplicates beside a picture
CAPTURE = ("site", "url", "page", "device", "operator", "subject", "taken", "fetched", "camera", "filename")


class Repository:
    """The repository in the current folder, as `Material`. Sheets that change are read again when a queue is made."""

    def __init__(self, name: str):
        self.name = name
        self._label_set = LabelSet.called(name)
        self._stamp = self._stamped()
        self.classes: Sequence[str] = self._label_set.settings.classes
        self.folder: Path = self._label_set.folder
        self._names = {name for name in self._label_set.index["objectId"].unique() if not ObjectId.parse(name).is_video}
        # by id and sorted, so that a picture is looked up, not searched for among half a million
        self._index = self._label_set.index.set_index("objectId", drop=False).sort_index(kind="stable")
        self._captures = self._label_set.captures.set_index("urlId", drop=False).sort_index(kind="stable")

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
            for table in ("captures", "index", "known", "settings"):  # no sheet changes these
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
    def _duplicates(self) -> pd.DataFrame:
        is_here = places.DUPLICATES.is_file()
        return tables.read(places.DUPLICATES, tables.Duplicate) if is_here else tables.empty(tables.Duplicate)

    @cached_property
    def _is_answered(self) -> bool:
        """True if the model answers the question of this label set."""
        return self._embeddings is not None and answers(self._embeddings, self._label_set)

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        """Object id -> all near-duplicates of its group, itself among them, as the next `dvc repro` will have them."""
        groups = decisions.split(self._duplicates, decisions.read())
        members = self._duplicates["objectId"].groupby(groups).agg(list).to_dict()
        return {name: members[group] for name, group in zip(self._duplicates["objectId"], groups, strict=True)}

    def settle(self, object_id: str, apart: Sequence[str], annotator: str) -> list[dict[str, Any]]:
        members = self._groups.get(object_id, [])
        rest = [name for name in members if name not in apart]
        if not set(apart) <= set(members) or not rest or len(members) < 2:
            raise SenguError("there is no such group of near-duplicates: open the review again")
        parts = [rest, sorted(set(apart))] if apart else [rest]
        decisions.decide(parts, annotator)
        del self._groups
        return [self._reviewed(part) for part in parts]

    def group(self, object_id: str) -> list[str]:
        return [name for name in self._groups.get(object_id, ()) if name != object_id and name in self._names]

    def _seen(self, object_id: str) -> tuple[dict[str, Any], pd.DataFrame]:
        """An object's row of the index, and every capture of it."""
        rows = self._index.loc[object_id:object_id]
        captures = pd.concat([self._captures.loc[url_id:url_id] for url_id in sorted(set(rows["urlId"]))])
        return {str(key): cell for key, cell in rows.iloc[0].items()}, captures[captures["site"].isin(rows["site"])]

    def facts(self, object_id: str) -> dict[str, Any]:
        row, captures = self._seen(object_id)
        seen = [{name: cells[name] for name in CAPTURE if cells[name]} for cells in captures.to_dict("records")]
        others = self.group(object_id)
        about = {"format": row["format"], "width": int(row["width"]), "height": int(row["height"]), "bytes": int(row["bytes"])}
        about |= {"video": row["video"], "duplicates": others[:BESIDE], "others": len(others)}
        return {"id": object_id, **about, "seen": seen}

    def opinions(self, object_id: str, annotator: str) -> dict[str, Any]:
        _, captures = self._seen(object_id)
        tags = sorted({tag for cell in captures["tags"] for tag in cell.split("|") if tag})
        standing = self.label_set.in_force
        words = standing[(standing["objectId"] == object_id) & (standing["annotator"] != annotator)]
        said = [
            {"annotator": who, "value": self.label_set.decision_of(value), "rule": rule, "how": how, "note": note}
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
        if not self._is_answered:
            return {}, similar[:SIMILAR]
        chances = model.probabilities[row]
        of_class = {name: round(float(chance), 3) for name, chance in zip(self.classes, chances, strict=True)}
        return of_class, similar[:SIMILAR]

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
        """Each dataset version beside its parents that are here: objects added, removed and relabelled."""
        tables_of = versions(self._label_set)
        facts_of = {name: version_files.read(places.DATASETS / name) for name in tables_of}
        class_of = {
            name: dict(zip(labels["objectId"], labels["value"].map(dict(enumerate(facts_of[name].classes))), strict=True))
            for name, labels in tables_of.items()
        }
        return [self._version(name, facts, class_of) for name, facts in facts_of.items()]

    def _version(self, name: str, facts: version_files.Version, class_of: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        now = class_of[name]
        before: dict[str, str] = {}
        for parent in facts.parents:
            before |= class_of.get(parent, {})
        pictures = {title: [picture for picture in now if now[picture] == title] for title in facts.classes}
        return {
            "name": name,
            "parents": list(facts.parents),
            "rows": len(now),
            "classes": {title: len(names) for title, names in pictures.items()},
            "added": len(now.keys() - before.keys()),
            "removed": len(before.keys() - now.keys()),
            "relabelled": sum(now[picture] != before[picture] for picture in now.keys() & before.keys()),
            "samples": {
                title: [picture for picture in names if picture in self._names][:SAMPLE] for title, names in pictures.items()
            },
        }

    def _mistakes(self) -> list[dict[str, Any]]:
        """Test pictures that the model puts into another class than their label, the surest first."""
        model = self._embeddings
        if model is None or not self._is_answered or not places.SPLIT.is_file() or not learned(self._label_set):
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
        values = {str(number): name for number, name in enumerate(self.classes)}  # of which none stands for no class
        for cells in self.label_set.merged.conflicts.head(SHOWN).to_dict("records"):
            if cells["objectId"] not in self._names:
                continue
            parts = [cells[name].split("|") for name in ("values", "annotators", "sources", "rules")]
            sides = [
                {"value": values.get(value, ""), "annotator": who, "source": source, "rule": rule}
                for value, who, source, rule in zip(*parts, strict=True)
            ]
            conflicts.append({"id": cells["objectId"], "sides": sides, "label": cells["label"]})
        return conflicts

    def _to_confirm(self) -> list[dict[str, Any]]:
        """The largest groups on which nobody has decided yet."""
        decided = set(decisions.read()["objectId"])
        waiting = {members[0]: members for members in self._groups.values() if not decided.issuperset(members)}
        groups = [self._reviewed(members) for members in waiting.values()]
        return sorted((group for group in groups if group["count"] > 1), key=lambda group: -group["count"])[:SHOWN]

    def _reviewed(self, members: Sequence[str]) -> dict[str, Any]:
        pictures = [name for name in members if name in self._names]
        return {"ids": pictures[:MEMBERS], "count": len(pictures)}
