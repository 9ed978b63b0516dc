"""The labelling page in a real browser: what a person does at the keyboard, and what is in the sheet then."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from project import environment, needs
from web.shop import Shop, served

from sengu.base import params
from sengu.labels.sheets import cells
from sengu.web.upload import Entrance, Folder

pytestmark = [needs("chromium", "chromium"), pytest.mark.slow]
VIEWS = {"single": "aside dl", "grid": ".tile img", "quiz": "#begin", "review": "section img", "upload": ".page"}
SESSION = 500
LOADED = """() => new Promise((done) => {
    const count = () => performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/picture/960/')).length;
    const look = () => count() >= 21 ? done(count()) : requestAnimationFrame(look);
    look();
})"""
OF_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}  # the rest is the same in the dark


@contextmanager
def opened(browser: Browser, address: str, **options: object) -> Iterator[Page]:
    with closing(browser.new_context(viewport={"width": 1200, "height": 800}, **options)) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.set_default_timeout(30_000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#stage img")
        yield page
        assert errors == []


def settled(page: Page) -> None:
    """Waits until everything is on the disk."""
    page.wait_for_selector('body[data-waiting="0"]')


WATCH = """() => {
    window.taken = [];
    const now = () => [stage.dataset.id, place.textContent].join();
    let [before, id] = ["", ""];
    addEventListener('keydown', () => { before = now(); id = stage.dataset.id; }, true);
    addEventListener('keydown', (event) => { if (now() !== before) taken.push([id, event.code]); });
}"""  # a page with a hundred labels to save takes no more keys


def taken(page: Page) -> dict[str, str]:
    """Picture -> class of the digits that the page took since the last call, which is quicker than to ask between keys."""
    return {name: {"Digit1": "dots", "Digit2": "stripes"}[code] for name, code in page.evaluate("() => window.taken.splice(0)")}


def shown(page: Page) -> str:
    return page.get_attribute("#stage", "data-id") or ""


def lines(folder: Path, name: str = "anna") -> list[list[str]]:
    """Object id, value, rule, how and note of each line."""
    return cells(folder / f"{name}.csv")[0][["objectId", "value", "rule", "how", "note"]].to_numpy().tolist()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "labels")


@pytest.fixture
def page(browser: Browser, shop: Shop) -> Iterator[Page]:
    with served(shop) as server, opened(browser, server.open()) as its_page:
        yield its_page


@pytest.fixture
def entrance(shop: Shop) -> Entrance:
    device = params.UploadDevice(site="clinic", name="{operator}/{name}")
    return Entrance({"scanner": device}, lambda _: Folder(shop.folder.parent / "clinic"))


def test_one_key_labels_and_shows_the_next(page: Page, shop: Shop) -> None:
    assert "token" not in page.url
    assert page.evaluate(LOADED) == 21  # the picture that is shown, and the next twenty
    first = shown(page)
    page.keyboard.press("z")
    expect(page.locator("#stage.zoomed img")).to_have_attribute("src", f"/picture/2560/{first}")
    page.keyboard.press("z")
    expect(page.locator("#zoom")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Digit1")
    second = shown(page)
    assert second != first
    page.keyboard.press("Shift+Digit2")
    page.keyboard.press("n")
    page.keyboard.type("1 faint line")
    page.keyboard.press("Escape")
    page.keyboard.press("Numpad2")
    third = shown(page)
    page.keyboard.press("s")
    page.keyboard.press("x")
    settled(page)
    citation = shop.rules()["R2"].citation
    assert lines(shop.folder)[:2] == [
        [first, "dots", "", "blind", ""],
        [second, "stripes", citation, "blind", "1 faint line"],
    ]
    assert third not in [line[0] for line in lines(shop.folder)]
    assert lines(shop.folder)[2][1] == ""
    for _ in range(3):
        page.keyboard.press("u")
        settled(page)
    assert shown(page) == first
    assert [line[1] for line in lines(shop.folder)[3:]] == ["", "", ""]
    page.keyboard.press("u")
    settled(page)
    assert len(lines(shop.folder)) == 6


def test_a_held_key_and_typing_elsewhere_label_nothing(page: Page, shop: Shop) -> None:
    page.keyboard.down("Digit1")
    for _ in range(5):
        page.keyboard.down("Digit1")  # a repeat
    page.keyboard.up("Digit1")
    page.keyboard.press("Control+Digit2")
    page.fill("#where", "2")
    page.focus("#where")
    page.keyboard.press("Digit2")
    settled(page)
    assert len(lines(shop.folder)) == 1


def test_what_was_seen_before_deciding_is_kept(page: Page, shop: Shop) -> None:
    page.keyboard.press("i")
    page.wait_for_selector("aside meter")
    page.keyboard.press("Digit1")
    page.keyboard.press("Digit1")
    settled(page)
    page.keyboard.press("b")
    page.keyboard.press("Digit2")  # a slip, corrected
    page.keyboard.press("i")  # at once: it is about the picture that is shown now
    page.wait_for_selector("aside meter")
    page.keyboard.press("Digit1")
    settled(page)
    page.select_option("#kind", "class")
    expect(page.locator("#place")).to_have_text(re.compile("^1 of 37"))
    page.locator("#stage").focus()
    page.keyboard.press("Digit2")
    settled(page)
    page.select_option("#kind", "groups")
    expect(page.locator("#stage .tag")).to_contain_text("near-duplicates, decided together")
    page.locator("#stage").focus()
    page.keyboard.press("Digit2")
    settled(page)
    assert [line[3] for line in lines(shop.folder)[:5]] == ["suggested", "blind", "blind", "suggested", "suggested"]
    groups = lines(shop.folder)[5:]
    assert {line[3] for line in groups} == {"group"}
    page.keyboard.press("u")
    settled(page)
    assert [line[1] for line in lines(shop.folder)[5 + len(groups) :]] == [""] * len(groups)


def test_a_page_of_the_grid_is_one_write(page: Page, shop: Shop) -> None:
    page.click("text=Grid")
    page.wait_for_selector(".tile img")
    page.select_option("#size", "24")
    expect(page.locator(".tile")).to_have_count(24)
    page.locator("#tiles").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Digit2")
    box = [page.locator(f"#tile{number}").bounding_box() for number in (3, 4)]
    assert box[0] and box[1]
    page.mouse.move(box[0]["x"] + 20, box[0]["y"] + 20)
    page.mouse.down()
    page.mouse.move(box[1]["x"] + 30, box[1]["y"] + 30, steps=4)
    page.mouse.up()
    expect(page.locator(".tile.drawn")).to_have_count(2)
    page.keyboard.press("Digit2")
    expect(page.locator(".tile.touched")).to_have_count(4)
    page.keyboard.press("Enter")
    settled(page)
    found = lines(shop.folder)
    assert len(found) == 24
    assert sorted({(line[1], line[3]) for line in found}) == [("dots", "page"), ("stripes", "suggested")]
    assert [line[1] for line in found].count("stripes") == 4
    page.keyboard.press("u")
    settled(page)
    assert [line[1] for line in lines(shop.folder)[24:]] == [""] * 24


def test_five_hundred_labels_with_a_kill_in_the_middle(browser: Browser, tmp_path: Path) -> None:
    """Nothing that the page called saved is lost, and the page goes on where the next start lets it."""
    Shop(tmp_path / "labels", SESSION + 60)
    program = (
        "import sys; from pathlib import Path; from web.shop import Shop, served\n"
        f"with served(Shop(Path(sys.argv[1]) / 'labels', {SESSION + 60})) as page:\n"
        "    print(page.open(), flush=True); sys.stdin.read()"
    )

    def start() -> tuple[subprocess.Popen[str], str]:
        paths = os.pathsep.join(sys.path)
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            env=environment(PYTHONPATH=paths), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        return child, child.stdout.readline().strip()

    child, address = start()
    with opened(browser, address) as page:
        page.evaluate(WATCH)
        for number in range(SESSION // 2 - 1):
            page.keyboard.press(f"Digit{number % 2 + 1}")
        said = taken(page)
        settled(page)
        child.send_signal(signal.SIGKILL)
        child.wait()
        kept = lines(tmp_path / "labels")
        assert {line[0]: line[1] for line in kept} == said
        page.keyboard.press("Digit1")
        expect(page.locator("#alert")).to_contain_text("Not saved yet")
    assert lines(tmp_path / "labels") == kept
    child, address = start()
    with opened(browser, address) as page:
        assert f"{len(said)} labelled" in page.inner_text("#who")
        page.keyboard.press("u")  # across the restart
        settled(page)
        undone = lines(tmp_path / "labels")[-1]
        assert (shown(page), undone[4]) == (undone[0], "(undone)")
        page.evaluate(WATCH)
        while len(said) < SESSION:
            for _ in range(SESSION - len(said)):
                page.keyboard.press("Digit2")
            said |= taken(page)
        settled(page)
    child.kill()
    child.wait()
    last = {line[0]: line[1] for line in lines(tmp_path / "labels")}
    assert {name: value for name, value in last.items() if value} == said


def test_two_annotators_at_once(browser: Browser, shop: Shop) -> None:
    with served(shop, "anna", "ben") as server:
        addresses = [server.open("anna"), server.open("ben")]
        with opened(browser, addresses[0]) as one, opened(browser, addresses[1]) as two:
            for _ in range(20):
                one.keyboard.press("Digit1")
                two.keyboard.press("Digit2")
            settled(one)
            settled(two)
    assert {line[1] for line in lines(shop.folder, "anna")} == {"dots"}
    assert {line[1] for line in lines(shop.folder, "ben")} == {"stripes"}
    assert len(lines(shop.folder, "anna")) == len(lines(shop.folder, "ben")) == 20


def test_a_sheet_that_changed_underneath_is_told(page: Page, shop: Shop) -> None:
    page.keyboard.press("Digit1")
    settled(page)
    text = (shop.folder / "anna.csv").read_text()
    (shop.folder / "pulled").write_text(text + f"{shop.names[0]},dots,anna,2026-01-01T00:00:00Z,,blind,pulled\n")
    (shop.folder / "pulled").replace(shop.folder / "anna.csv")
    page.keyboard.press("Digit1")
    expect(page.locator("#alert")).to_contain_text("changed by another program")
    assert [line[4] for line in lines(shop.folder)] == ["", "pulled", ""]


def test_the_quiz_ends_with_agreement_and_differences(page: Page, shop: Shop) -> None:
    shop.said = {"ben": {name: {"value": "dots", "rule": "R1", "note": "round"} for name in shop.names[:12]}}
    page.click("text=Quiz")
    page.click("#begin")
    for number in range(12):
        expect(page.locator("#place")).to_contain_text(f"Question {number + 1} of 12")
        page.keyboard.press("Digit2" if number == 3 else "Digit1")
    expect(page.locator("#result")).to_contain_text("agrees with ben on 11 of 12 pictures, 91.7% (64.6% to 98.5%)")
    expect(page.locator("figcaption")).to_have_text("you: stripes; ben: dots R1 round")
    assert {line[3] for line in lines(shop.folder.parent / "quiz")} == {"quiz"}
    assert not (shop.folder / "anna.csv").exists()


def test_a_doubtful_case_becomes_an_example(page: Page, shop: Shop) -> None:
    name = shown(page)
    page.keyboard.press("e")
    page.fill("dialog input", "the spots\ntouch <b>")
    page.click("dialog button.main")
    page.wait_for_selector("dialog", state="detached")
    (example,) = shop.rules()["R1"].examples
    assert (example.objectId, example.value, example.why) == (name, "dots", "the spots touch <b>")


@pytest.mark.parametrize("how", [{}, {"color_scheme": "dark"}, {"forced_colors": "active"}], ids=["light", "dark", "forced"])
def test_every_view_is_accessible(browser: Browser, shop: Shop, entrance: Entrance, how: dict[str, str]) -> None:
    shop.said = {"ben": {name: {"value": "dots", "rule": "", "note": ""} for name in shop.names[:2]}}
    with served(shop, entrance=entrance) as server, opened(browser, server.open(), **how) as page:
        for view, ready in VIEWS.items():
            page.goto(f"{server.url}/#{view}")
            page.wait_for_selector(ready)
            for width in (1200, 390) if not how else (1200,):
                page.set_viewport_size({"width": width, "height": 800})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, view
                answer = Axe().run(page, options=OF_COLOURS if how else None).response
                violations = [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in answer["violations"]]
                assert violations == [], (view, width, json.dumps(violations))
                assert answer["passes"]


def test_each_side_of_a_conflict_stands_on_lines_of_its_own_and_its_address_breaks_behind_slashes(page: Page) -> None:
    page.click("text=Review")
    sides = page.locator(".side")
    expect(sides).to_have_count(2)
    expect(sides.nth(1).locator("small")).to_have_text("demo-b.example/\u200blines/\u200b3")
    boxes = [sides.nth(number).bounding_box() for number in range(2)]
    assert all(boxes) and boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]


def test_groups_are_confirmed_and_split_in_the_review(page: Page, shop: Shop) -> None:
    page.click("text=Review")
    marks, confirm, split = page.locator(".mark"), page.locator("text=All show one picture"), page.locator("text=Split off")
    expect(marks).to_have_count(3)
    expect(split).to_be_disabled()
    marks.nth(1).press("Space")
    expect(confirm).to_be_disabled()
    split.press("Enter")
    expect(page.locator(".group")).to_have_count(2)
    expect(page.locator(".group p").first).to_have_text("Split: a part of 2")
    page.locator("text=All show one picture").press("Enter")
    expect(page.locator(".group p").first).to_have_text("Confirmed: 3 pictures")
    first, second, third = shop.names[:3]
    assert shop.settled == [("anna", [[first, third], [second]]), ("anna", [[first, second, third]])]


def test_a_dropped_folder_is_sent_with_all_that_is_in_it(
    browser: Browser, shop: Shop, entrance: Entrance, tmp_path: Path
) -> None:
    """As a person drags it from a file manager, but for the dragging, which no file manager does here."""
    (tmp_path / "camera/deep").mkdir(parents=True)
    sources = sorted((shop.folder.parent / "data/object").rglob("*.png"))[:3]
    for source, name in zip(sources, ("a.png", "deep/b.png", "deep/c.png"), strict=True):
        (tmp_path / "camera" / name).write_bytes(source.read_bytes())
    with served(shop, entrance=entrance) as server, opened(browser, server.open()) as page:
        page.click("text=Upload")
        page.fill("#operator", "mori")
        box = page.locator(".drop").bounding_box()
        assert box
        session = page.context.new_cdp_session(page)
        at = {"x": box["x"] + 20, "y": box["y"] + 20}
        for kind in ("dragEnter", "dragOver", "drop"):
            data = {"items": [], "files": [str(tmp_path / "camera")], "dragOperationsMask": 1}
            session.send("Input.dispatchDragEvent", {"type": kind, "data": data, **at})
        expect(page.locator("#told li")).to_have_count(3)
        assert sorted(page.locator("#told li").all_inner_texts()) == [f"clinic/mori/{name}.png" for name in "abc"]
    kept = {path.name: path.read_bytes() for path in (tmp_path / "clinic/mori").iterdir()}
    assert kept == {f"{name}.png": source.read_bytes() for name, source in zip("abc", sources, strict=True)}


def test_files_are_sent_without_the_cookie(browser: Browser, shop: Shop, entrance: Entrance) -> None:
    with served(shop, entrance=entrance) as server, opened(browser, server.open()) as page:
        page.click("text=Upload")
        page.fill("#operator", "mori")
        with page.expect_request("**/upload") as sent:
            picture = next((shop.folder.parent / "data/object").rglob("*.png")).read_bytes()
            files = [{"name": "../<b>left.png", "mimeType": "image/png", "buffer": picture}]
            page.set_input_files("#files", files)  # type: ignore[arg-type]
        assert "cookie" not in sent.value.all_headers()
        expect(page.locator("#told li")).to_have_text("clinic/mori/b-left.png")
    assert (shop.folder.parent / "clinic/mori/b-left.png").read_bytes() == picture
