"""People's actions on the page -> lines in their sheets: queues, labels and undo, the quiz, and what they saw before deciding."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sengu.base.errors import SenguError
from sengu.labels import queues, quiz
from sengu.labels.ledger import Change, Ledger, Word, clean
from sengu.labels.rules import Example, add_example
from sengu.web.material import KINDS, Kind, Material

WINDOW = 500  # places of a queue that a request gets
FIRST = 400  # places that come with a new queue, so that its first picture needs no second request
BLIND, SUGGESTED, PAGE, GROUP, REPEAT, QUIZ = "blind", "suggested", "page", "group", "repeat", "quiz"
NAMED = {kind.name: kind for kind in KINDS}


@dataclass
class Queue:
    """The pictures to ask one person about; `decided` are the words of the decisions so far, by `Decision.key`."""

    person: str
    kind: Kind
    value: int
    names: list[str]
    decided: dict[int | str, Word] = field(default_factory=dict)


@dataclass
class Quiz:
    """The pictures of one quiz, and what was answered so far."""

    predecessor: str
    names: list[str]
    answers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """A picture in a request: by its `place` in the queue, or by its id; an `untouched` one has its class from the page."""

    place: int
    objectId: str
    value: str
    untouched: bool = False

    @property
    def key(self) -> int | str:
        """The key that tells a decision from another in a queue, which may ask for a picture at two places."""
        return self.place if self.place >= 0 else self.objectId


@dataclass(frozen=True)
class Decided:
    """A decision of a person on pictures at once in a view of the page, under one rule and with one note."""

    view: str
    decisions: Sequence[Decision]
    rule: str = ""
    note: str = ""


class Desk:
    """The work of all people with an open page. It is safe for several threads."""

    def __init__(self, material: Material, people: Sequence[str]):
        self.material = material
        self.ledgers = {who: Ledger(material.folder / f"{who}.csv", who, material.classes) for who in people}
        self.queues: list[Queue] = []
        self.quizzes: dict[str, Quiz] = {}
        self.seen: dict[str, set[str]] = {who: set() for who in people}
        self._lock = threading.Lock()
        self._ready: dict[str, tuple[int, int, list[str]]] = {}

    def prepare(self) -> None:
        """Makes the first queue of the page in advance, so that the first of half a million pictures is there at once."""
        for person, ledger in self.ledgers.items():
            self._ready[person] = (len(ledger.standing), ledger.changed, self._names(person, "random", "", 0))

    def _names(self, person: str, kind: str, condition: str, value: int) -> list[str]:
        """The object ids of a queue, without those that the person has decided; one in fifty comes again."""
        standing = self.ledgers[person].standing
        names = self.material.queue(kind, person, condition, value)
        if not NAMED[kind].relabels and standing:
            names = [name for name in names if not _is_decided(standing.get(name))]
        if kind == "random":
            names = queues.with_repeats(names, [name for name, word in standing.items() if word.value])
        return names

    def open_queue(self, person: str, kind: str, condition: str, value: int) -> dict[str, Any]:
        """Number, length and first places of a queue. Raises SenguError where it cannot be made."""
        if kind not in NAMED or not 0 <= value < len(self.material.classes):
            raise SenguError(f"there is no queue {kind!r}")
        ledger = self.ledgers[person]
        ledger.refresh()
        ready = self._ready.pop(person, None)
        if (kind, condition) == ("random", "") and ready and ready[:2] == (len(ledger.standing), ledger.changed):
            names = ready[2]
        else:
            names = self._names(person, kind, condition, value)
        queue = Queue(person, NAMED[kind], value, names)
        with self._lock:
            self.queues.append(queue)
            number = len(self.queues) - 1
        return {"queue": number, "length": len(names), "items": self._places(queue, names[:FIRST])}

    def queue_of(self, person: str, number: int) -> Queue:
        """Raises SenguError if the queue is of another person, or there is none."""
        if not 0 <= number < len(self.queues) or self.queues[number].person != person:
            raise SenguError("there is no such queue")
        return self.queues[number]

    def window(self, person: str, number: int, start: int, count: int) -> list[dict[str, Any]]:
        """A part of a queue: object ids, and in a queue of groups how many others each stands for."""
        queue = self.queue_of(person, number)
        return self._places(queue, queue.names[max(start, 0) : max(start, 0) + min(count, WINDOW)])

    def _places(self, queue: Queue, names: Sequence[str]) -> list[dict[str, Any]]:
        if queue.kind.name != GROUP + "s":
            return [{"id": name} for name in names]
        return [{"id": name, "others": len(self.material.group(name))} for name in names]

    def decide(self, person: str, number: int, decided: Decided) -> dict[str, Any]:
        """Adds simultaneous decisions to the sheet, and returns when the disk has them."""
        queue, ledger = self.queue_of(person, number), self.ledgers[person]
        rule = self._citation(decided.rule)
        words: list[Word] = []
        decided_here: dict[int | str, Word] = {}
        for decision in decided.decisions:
            name = self._name(queue, decision)
            is_group = queue.kind.name == GROUP + "s" and decision.place >= 0
            how = GROUP if is_group else self._how(queue, decision, name, decided.view)
            word = Word(name, decision.value, rule, how, clean(decided.note))
            words.append(word)
            decided_here[decision.key] = word
            others = self.material.group(name) if is_group else ()
            words += [
                replace(word, objectId=other)
                for other in others
                if other not in ledger.standing or not ledger.standing[other].value  # decided by itself before
            ]
        before = ledger.changed
        ledger.append(words)
        queue.decided |= decided_here
        return self._state(ledger, before) | {"saved": len(words)}

    def _citation(self, rule: str) -> str:
        rules = self.material.rules() if rule else {}
        if rule and rule not in rules:
            raise SenguError(f"there is no rule {rule}")
        return rules[rule].citation if rule else ""

    def _name(self, queue: Queue, decision: Decision) -> str:
        """The object that a decision is about. Raises SenguError if that, or its class, is none."""
        if decision.value and decision.value not in self.material.classes:
            raise SenguError(f"{decision.value!r} is not a class")
        if decision.place >= len(queue.names) or (decision.place < 0 and not self.material.knows(decision.objectId)):
            raise SenguError("there is no such picture")
        return queue.names[decision.place] if decision.place >= 0 else decision.objectId

    def _how(self, queue: Queue, decision: Decision, name: str, view: str) -> str:
        """The person's knowledge before deciding on a picture, as `how` records it."""
        if view == "grid":
            return PAGE if decision.untouched else SUGGESTED
        if queue.kind.suggests or name in self.seen[queue.person]:
            return SUGGESTED
        before = queue.decided.get(decision.key)
        if before is not None and before.how in (BLIND, REPEAT):
            return before.how  # a slip that is corrected at once is no second look
        word = self.ledgers[queue.person].standing.get(name)
        return REPEAT if word is not None and word.value else BLIND

    def undo(self, person: str) -> dict[str, Any]:
        """Undoes the person's last action; returns the pictures with their former labels."""
        ledger = self.ledgers[person]
        before = ledger.changed
        changes: list[Change] = ledger.undo()
        undone = [{"id": change.after.objectId, "value": change.after.value} for change in changes]
        return self._state(ledger, before) | {"undone": undone}

    @staticmethod
    def _state(ledger: Ledger, before: int) -> dict[str, Any]:
        return {"labelled": ledger.labelled, "canUndo": ledger.can_undo, "changed": ledger.changed > before}

    def start(self, person: str) -> dict[str, Any]:
        """The facts that the page shows before any picture."""
        ledger = self.ledgers[person]
        return self._state(ledger, ledger.changed) | {
            "annotator": person,
            "classes": list(self.material.classes),
            "kinds": [asdict(kind) for kind in KINDS],
            "rules": self.rules(),
        }

    def rules(self) -> list[dict[str, Any]]:
        """The rules, with their examples."""
        return [{**asdict(rule), "citation": rule.citation} for rule in self.material.rules().values()]

    def opinions(self, person: str, name: str) -> dict[str, Any]:
        """Other opinions on a picture; from now on a label that this person gives it is `suggested`."""
        self.seen[person].add(name)
        return self.material.opinions(name, person)

    def example(self, name: str, rule: str, value: str, was: str, why: str) -> None:
        """Writes a picture into RULES.md as an example of a rule, where Git shows it to a reviewer."""
        if value not in self.material.classes or was not in ("", *self.material.classes) or not clean(why):
            raise SenguError("an example needs a class and a reason")
        add_example(self.material.folder, rule, Example(name, value, was if was != value else "", clean(why), 0))

    def settle(self, person: str, name: str, apart: Sequence[str]) -> list[dict[str, Any]]:
        """Records that the group of a picture shows one picture, except those `apart`; see `Material.settle`."""
        with self._lock:
            return self.material.settle(name, apart, person)

    def start_quiz(self, person: str, predecessor: str) -> dict[str, Any]:
        """Starts a quiz with pictures of a predecessor; by default the one who has labelled most."""
        said = self.material.predecessors(person)
        if not said:
            raise SenguError("nobody else has labelled anything yet: there is nothing to ask")
        name = predecessor or max(said, key=lambda who: len(said[who]))
        if name not in said:
            raise SenguError(f"{predecessor} has labelled nothing")
        labelled = {object_id: word["value"] for object_id, word in said[name].items()}
        book = self._answers(person)
        drawn = quiz.draw(labelled, seed=len(book.standing))
        self.quizzes[person] = Quiz(name, drawn)
        return {"predecessor": name, "pictures": drawn, "others": sorted(said)}

    def answer(self, person: str, place: int, value: str) -> dict[str, Any]:
        """Saves an answer beside the sheets; after the last one, returns the result."""
        asked = self.quizzes.get(person)
        if asked is None or not 0 <= place < len(asked.names) or value not in self.material.classes:
            raise SenguError("there is no such question: begin the quiz again")
        name = asked.names[place]
        self._answers(person).append([Word(name, value, "", QUIZ, f"{quiz.OF}{asked.predecessor}")])
        asked.answers[name] = value
        if len(asked.answers) < len(asked.names):
            return {"answered": len(asked.answers)}
        said = self.material.predecessors(person)[asked.predecessor]
        result = quiz.result(asked.predecessor, asked.answers, said)
        return {"answered": len(asked.answers), "result": asdict(result), "words": str(result)}

    def _answers(self, person: str) -> Ledger:
        return Ledger(quiz.folder(self.material.folder) / f"{person}.csv", person, self.material.classes)


def decision(item: Mapping[str, Any]) -> Decision:
    """The decision in one entry of a request. Raises SenguError if it is none."""
    place, value, name = item.get("place", -1), item.get("value"), item.get("id", "")
    is_place = isinstance(place, int) and not isinstance(place, bool) and place >= -1
    if not is_place or not isinstance(value, str) or not isinstance(name, str):
        raise SenguError("a decision needs a place and a value")
    return Decision(place, name, value, item.get("untouched") is True)


def _is_decided(word: Word | None) -> bool:
    """True if a picture need not be shown again: it has a label, or was left without one on purpose; not if that was undone."""
    return word is not None and bool(word.value or word.how)
