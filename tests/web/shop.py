"""A labelling page over a few drawn pictures, served on loopback as the command serves it, and browsers that look at it."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crawlers.demo import pictures
from sengu.base.ids import ObjectId
from sengu.labels import rules
from sengu.labels.queues import shuffled
from sengu.labels.rules import Rule
from sengu.objects.store import ObjectStore, ObjectTree
from sengu.pictures import images
from sengu.web.app import create
from sengu.web.desk import Desk
from sengu.web.guard import Guard, Place
from sengu.web.pictures import Pictures
from sengu.web.server import free_port, server
from sengu.web.upload import Entrance

RULES = "# Rules\n\n## R1 Dots\n\nRound spots.\n\n## R2 Stripes\n\nLines.\n"
EVIL = "<script>document.title='evil'</script><img src=x onerror=\"document.title='evil'\">"


@dataclass
class Shop:
    """Material of `count` pictures in `folder`; the classes are given, and everything that others wrote is hostile."""

    folder: Path
    count: int = 40
    classes: Sequence[str] = ("dots", "stripes")
    names: list[str] = field(default_factory=list)
    said: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    settled: list[tuple[str, list[list[str]]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        tree = ObjectTree(self.folder.parent / "data/object/a")
        for number in range(self.count):
            levels = np.full((24, 32, 3), (number % 200, 90 + number % 100, number // 200 * 40), np.uint8)
            data = pictures.png(levels)
            tree.put(ObjectId.of(data, "png"), data)
            self.names.append(str(ObjectId.of(data, "png")))
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / rules.FILE).is_file():
            (self.folder / rules.FILE).write_text(RULES)

    def rules(self) -> Mapping[str, Rule]:
        return rules.read(self.folder)

    def queue(self, kind: str, annotator: str, condition: str, value: int) -> list[str]:
        return shuffled(self.names)

    def knows(self, object_id: str) -> bool:
        return object_id in self.names

    def facts(self, object_id: str) -> dict[str, Any]:
        seen = {"url": f"javascript:document.title='evil'//{EVIL}", "page": f"https://a.example/{EVIL}", "device": EVIL}
        others = self.group(object_id)
        about = {"id": object_id, "format": "png", "width": 32, "height": 24, "seen": [seen]}
        return about | {"duplicates": others, "others": len(others)}

    def opinions(self, object_id: str, annotator: str) -> dict[str, Any]:
        words = [{"annotator": EVIL, "value": "dots", "rule": "R1", "how": "", "note": EVIL}]
        return {"tags": [EVIL], "words": words, "model": {"dots": 0.25, "stripes": 0.75}, "similar": []}

    def group(self, object_id: str) -> list[str]:
        first = self.names.index(object_id) // 2 * 2
        return [name for name in self.names[first : first + 2] if name != object_id]

    def settle(self, object_id: str, apart: Sequence[str], annotator: str) -> list[dict[str, Any]]:
        rest = [name for name in self.names[:3] if name not in apart]
        parts = [rest, list(apart)] if apart else [rest]
        self.settled.append((annotator, parts))
        return [{"ids": part, "count": len(part)} for part in parts]

    def review(self) -> dict[str, Any]:
        mistakes = [{"id": self.names[0], "label": EVIL, "called": "dots", "probability": 0.9}]
        by_a_page = {"value": "stripes", "annotator": "", "source": "http://demo-b.example/lines/3", "rule": ""}
        sides = [{"value": "dots", "annotator": EVIL, "source": "labels/a.csv:2", "rule": "R1"}, by_a_page]
        bars = {"name": EVIL, "parents": ["v0"], "rows": 2, "classes": {"dots": 2}, "added": 1, "removed": 0, "relabelled": 0}
        version = {**bars, "samples": {"dots": self.names[:2]}}
        conflicts = [{"id": self.names[1], "sides": sides, "label": ""}]
        return {
            "versions": [version],
            "mistakes": mistakes,
            "conflicts": conflicts,
            "groups": [{"ids": self.names[:3], "count": 3}],
        }

    def predecessors(self, annotator: str) -> dict[str, dict[str, dict[str, str]]]:
        return {who: words for who, words in self.said.items() if who != annotator}


@dataclass
class Served:
    """A running page. `open` is the address of a person, with the token that may be used once."""

    shop: Shop
    guard: Guard
    desk: Desk
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self, person: str = "anna") -> str:
        return self.guard.addresses()[person]


@contextmanager
def served(shop: Shop, *people: str, port: int = 0, entrance: Entrance | None = None) -> Iterator[Served]:
    """Serves the page in a thread, with its working folder above the sheets."""
    port = port or free_port("127.0.0.1")
    guard = Guard(Place(("127.0.0.1", "localhost"), port), people or ("anna",))
    store = ObjectStore.below(shop.folder.parent / "data/object")
    with ExitStack() as stack:
        stack.enter_context(chdir(shop.folder.parent))
        stack.enter_context(images.limited(1_000_000))
        desk = Desk(shop, people or ("anna",))
        desk.prepare()
        serving = server(create(desk, Pictures(store.read), guard, entrance), "127.0.0.1", port)
        serving.prepare()
        thread = threading.Thread(target=serving.serve, daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(serving.stop)
        yield Served(shop, guard, desk, port)
