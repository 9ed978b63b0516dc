"""The page's questions to a repository: which pictures there are, in which order to ask for them, and facts about each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sengu.labels.rules import Rule


@dataclass(frozen=True)
class Kind:
    """A way to order pictures. If its order reveals a picture's class beforehand, a label counts as suggested."""

    name: str
    title: str
    suggests: bool = False
    of_class: bool = False  # whether it is of one class
    relabels: bool = False  # whether it asks for labelled pictures


KINDS = (
    Kind("random", "By chance"),
    Kind("uncertain", "The model is least certain"),
    Kind("far", "Far from everything labelled"),
    Kind("class", "The model says", suggests=True, of_class=True),
    Kind("groups", "Near-duplicates, decided as one"),
    Kind("site", "One of each site in turn"),
    Kind("tag", "One of each page tag in turn"),
    Kind("device", "One of each device in turn"),
    Kind("date", "One of each month in turn"),
    Kind("suspect", "Labels that may be wrong", relabels=True),
    Kind("disagreement", "Annotators differ", relabels=True),
    Kind("rule-changed", "Labelled under an older rule", relabels=True),
)


class Material(Protocol):
    """A label set and its pictures."""

    classes: Sequence[str]
    folder: Path  # of the sheets

    def rules(self) -> Mapping[str, Rule]:
        """The rules as they are now."""

    def queue(self, kind: str, annotator: str, condition: str, value: int) -> list[str]:
        """Object ids in the order of a queue. Raises SenguError for an invalid condition, or missing data."""

    def knows(self, object_id: str) -> bool:
        """True for a picture that can be labelled."""

    def facts(self, object_id: str) -> dict[str, Any]:
        """Facts about a picture that give no class away; some near-duplicates, and how many `others` there are."""

    def opinions(self, object_id: str, annotator: str) -> dict[str, Any]:
        """Opinions on a picture's class: tags, the model, labels of similar pictures, other annotators."""

    def group(self, object_id: str) -> list[str]:
        """The near-duplicates of a picture, without itself."""

    def settle(self, object_id: str, apart: Sequence[str], annotator: str) -> list[dict[str, Any]]:
        """Records a person's decision on a group of near-duplicates: it shows one picture, except those `apart`.

        Returns the present groups, as `review` has them. Raises SenguError if it is no group, or nothing would be left.
        """

    def review(self) -> dict[str, Any]:
        """Dataset versions, mistakes of the model, conflicts and near-duplicates, as the review page shows them."""

    def predecessors(self, annotator: str) -> dict[str, dict[str, dict[str, str]]]:
        """Other annotator -> object id -> value, rule and note of their decision."""
