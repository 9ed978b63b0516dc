"""A synthetic index of 500,000 objects and a keyboard in a real browser -> how quick the labelling page is.

    python benchmarks/label_page.py [--objects 500000] [--labels 300] [--rate 20]

The objects share some real pictures. A label is a key; the next picture counts as painted at the frame that the browser's own
trace says was presented, by the trace's own clock. Every label is fsynced into a sheet in a temporary folder. The server is a
process of its own, as the command is; the keyboard and the trace are not on its account.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import CDPSession, Page, Playwright, sync_playwright

from crawlers.demo import pictures
from sengu.base.ids import ObjectId
from sengu.labels.rules import Rule
from sengu.pictures import images
from sengu.web.app import create
from sengu.web.desk import Desk
from sengu.web.guard import Guard, Place
from sengu.web.pictures import Pictures
from sengu.web.server import free_port, server

CLASSES = ("dots", "stripes")
PICTURES = 64
WINDOW = {"width": 1200, "height": 800}
FRAMES = "disabled-by-default-devtools.timeline.frame"
CATEGORIES = ["devtools.timeline", FRAMES]  # more would slow down what is measured


class Synthetic:
    """Material of many ids that share a few pictures."""

    classes: Sequence[str] = CLASSES

    def __init__(self, folder: Path, count: int):
        self.folder = folder / "labels"
        self.folder.mkdir()
        self.names = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:024x}.jpg" for number in range(count)]
        self.known = set(self.names)
        self.pictures = [pictures.jpeg(pictures.draw(("dots", "stripes")[n % 2], n)) for n in range(PICTURES)]

    def read(self, object_id: ObjectId) -> bytes:
        return self.pictures[int(object_id.sha1[-6:], 16) % PICTURES]

    def rules(self) -> Mapping[str, Rule]:
        return {}

    def queue(self, kind: str, annotator: str, condition: str, value: int) -> list[str]:
        return list(self.names)

    def knows(self, object_id: str) -> bool:
        return object_id in self.known

    def facts(self, object_id: str) -> dict[str, Any]:
        about = {"id": object_id, "format": "jpg", "width": 1, "height": 1, "bytes": 1, "video": ""}
        return about | {"seen": [], "duplicates": [], "others": 0}

    def opinions(self, object_id: str, annotator: str) -> dict[str, Any]:
        return {"tags": [], "words": [], "model": {}, "similar": []}

    def group(self, object_id: str) -> list[str]:
        return []

    def settle(self, object_id: str, apart: Sequence[str], annotator: str) -> list[dict[str, Any]]:
        return []

    def review(self) -> dict[str, Any]:
        return {"versions": [], "mistakes": [], "conflicts": [], "groups": []}

    def predecessors(self, annotator: str) -> dict[str, dict[str, dict[str, str]]]:
        return {}


def traced(page: Page, session: CDPSession, labels: int, rate: float) -> tuple[list[dict[str, Any]], float]:
    """The browser's trace of so many keys, one each 1/rate seconds, and the seconds they took until all was saved."""
    events: list[dict[str, Any]] = []
    session.on("Tracing.dataCollected", lambda part: events.extend(part["value"]))
    ended = threading.Event()
    session.on("Tracing.tracingComplete", lambda _: ended.set())
    session.send("Tracing.start", {"traceConfig": {"includedCategories": CATEGORIES}, "transferMode": "ReportEvents"})
    begun = time.perf_counter()
    for number in range(labels):
        page.keyboard.press(f"Digit{number % 2 + 1}")
        page.wait_for_timeout(max(0.0, (begun + (number + 1) / rate - time.perf_counter()) * 1000))
    page.wait_for_selector('body[data-waiting="0"]')
    seconds = time.perf_counter() - begun
    session.send("Tracing.end")
    while not ended.is_set():
        page.wait_for_timeout(50)
    return events, seconds


def delays(events: list[dict[str, Any]]) -> np.ndarray:
    """Milliseconds from each key to the frame that was presented after it, by the trace: EventTiming of keydown."""
    milliseconds = []
    for event in events:
        data = event.get("args", {}).get("data", {})
        if event["name"] == "EventTiming" and event["ph"] == "b" and data.get("type") == "keydown":
            milliseconds.append(float(data["duration"]))
    return np.array(sorted(milliseconds))


@contextmanager
def served(material: Synthetic, guard: Guard) -> Iterator[None]:
    """The page, served by a child of this process."""
    child = os.fork()
    if not child:
        try:
            with images.limited(100_000_000):
                desk = Desk(material, guard.people)
                desk.prepare()
                serving = server(create(desk, Pictures(material.read), guard), "127.0.0.1", guard.place.port)
                serving.prepare()
                serving.serve()
        finally:
            os._exit(0)
    while True:
        try:
            socket.create_connection(("127.0.0.1", guard.place.port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=500_000)
    parser.add_argument("--labels", type=int, default=300)
    parser.add_argument("--rate", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, chdir(name):
        material = Synthetic(Path(name), options.objects)
        guard = Guard(Place(("127.0.0.1",), free_port("127.0.0.1")), ("anna",))
        with served(material, guard), sync_playwright() as playwright:
            measure(playwright, guard, material, options)


def measure(playwright: Playwright, guard: Guard, material: Synthetic, options: argparse.Namespace) -> None:
    """Labels in a browser, and prints what that took."""
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    page = browser.new_page(viewport=WINDOW)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto(guard.addresses()["anna"])
    page.wait_for_selector("#stage img")
    first = page.evaluate(
        "() => new Promise((done) => new PerformanceObserver((list) => done(list.getEntries().at(-1).startTime))"
        ".observe({type: 'largest-contentful-paint', buffered: true}))"
    )
    events, seconds = traced(page, session, options.labels, options.rate)
    waits = delays(events)
    frames = sum(event["name"] == "DrawFrame" for event in events)
    heap = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    lines = (material.folder / "anna.csv").read_text().count("\n") - 1
    measured = {
        "objects": options.objects,
        "first picture, ms after the page opens (largest contentful paint)": round(first),
        "labels in the sheet": lines,
        "labels a second, fsynced": round(options.labels / seconds, 1),
        "keys in the trace": len(waits),
        "frames in the trace": frames,
        "key to next frame, ms, median": float(np.median(waits)) if len(waits) else None,
        "key to next frame, ms, p99": float(np.percentile(waits, 99)) if len(waits) else None,
        "JavaScript heap of the tab, MB": round(heap["JSHeapUsedSize"] / 1e6, 1),
        "memory of the tab's process, MB": resident(browser),
        "load of the machine in the last minute": os.getloadavg()[0],
    }
    print(json.dumps(measured, indent=2))
    browser.close()


def resident(browser: Any) -> float:
    """The private memory of the largest process that draws a page, in MB (PSS without what it shares: `Private_*`)."""
    most = 0.0
    session = browser.new_browser_cdp_session()
    for process in session.send("SystemInfo.getProcessInfo")["processInfo"]:
        if process["type"] == "renderer":
            text = Path(f"/proc/{process['id']}/smaps_rollup").read_text()
            kilobytes = sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))
            most = max(most, kilobytes / 1000)
    return round(most, 1)


if __name__ == "__main__":
    main()
