"""`sengu label page` as a program over a real repository, and what it finds there."""

import http.client
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import requests
from embedded import COLOURS, IDS, make, sengu_in
from project import ROOT, environment, run

from sengu import embeddings
from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.tables import versions
from sengu.commands.label.material import Repository
from sengu.commands.label.page import annotators, place
from sengu.labels.sheets import cells

HEADER = "objectId,value,annotator,labelledAt,rule,how,note\n"
COMMAND = [sys.executable, "-m", "sengu.commands.main", "label", "page", "--no-browser"]
RED, BLUE, GREY, WHITE = (IDS[name] for name in ("red", "blue", "grey", "white"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = make(tmp_path_factory.mktemp("page"))
    tables.write(found / "data/rejected/a.csv", tables.empty(tables.Rejected), tables.Rejected)
    group = [tables.Duplicate(name, min(BLUE, GREY)) for name in (BLUE, GREY)]
    tables.write(found / "data/duplicates.csv", tables.frame(group, tables.Duplicate), tables.Duplicate)
    split = [tables.SplitLabel(RED, 1, "test"), tables.SplitLabel(BLUE, 0, "test")]
    tables.write(found / "data/split_label.csv", tables.frame(split, tables.SplitLabel), tables.SplitLabel)
    (found / "labels/RULES.md").write_text("# Rules\n\n## R1 Dots\n\nRound.\n")
    lines = [f"{name},{value},ben,2026-01-01T00:00:00Z,R1,blind,why" for name, value in ((RED, "dots"), (WHITE, "stripes"))]
    (found / "labels/ben.csv").write_text(HEADER + "\n".join(lines) + "\n")
    for command in ("init -q", "config user.name Anna_Example", "config user.email a@a"):
        run(found, "git", *command.split())
    return found


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[tuple[str, requests.Session]]:
    """The address of the running command, and a session that has opened the page."""
    child = subprocess.Popen(
        COMMAND,
        cwd=folder, env=environment(PYTHONPATH=str(ROOT / "src")), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    line = child.stdout.readline()
    found = re.fullmatch(r"anna_example: (http://127\.0\.0\.1:\d+)(/\?token=\S+)\n", line)
    assert found
    session = requests.Session()
    session.headers["Sec-Fetch-Site"] = "same-origin"
    session.get(found[1] + found[2], headers={"Sec-Fetch-Dest": "document"}, timeout=20)
    yield found[1], session
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 0


def post(page: tuple[str, requests.Session], path: str, **body: Any) -> Any:
    address, session = page
    return session.post(f"{address}{path}", json=body, timeout=20).json()


def names(page: tuple[str, requests.Session], kind: str, where: str = "", value: int = 0) -> list[str]:
    opened = post(page, "/api/queue", kind=kind, where=where, value=value)
    return [item["id"] for item in page[1].get(f"{page[0]}/api/queue/{opened['queue']}", timeout=20).json()]


def test_the_queues_are_those_of_the_sheets(page: tuple[str, requests.Session], folder: Path) -> None:
    rest = set(IDS.values()) - {RED, WHITE}
    for kind in ("random", "site", "device", "date", "tag", "uncertain", "far"):
        assert set(names(page, kind)) == rest, kind
    model = embeddings.read(folder / "data/embeddings")
    for value in range(2):
        likeliest = names(page, "class", value=value)
        assert set(likeliest) == rest
        chances = [float(model.probabilities[model.row(name), value]) for name in likeliest]
        assert chances == sorted(chances, reverse=True)
    assert set(names(page, "random", where=f"objectId == '{BLUE}'")) == {BLUE}
    assert len(names(page, "groups")) == 1
    assert "error" in post(page, "/api/queue", kind="random", where="x == 1", value=0)
    assert "error" in post(page, "/api/queue", kind="suspect", where="", value=0)  # label_errors.csv is missing


def test_a_label_is_in_the_sheet_of_gits_user(page: tuple[str, requests.Session], folder: Path) -> None:
    opened = post(page, "/api/queue", kind="groups", where="", value=0)
    item = {"place": 0, "value": "stripes"}
    told = post(page, "/api/label", queue=opened["queue"], view="single", items=[item], rule="R1", note="")
    assert (told["saved"], told["labelled"]) == (2, 2)
    table, _, _ = cells(folder / "labels/anna_example.csv")
    assert set(table["objectId"]) == {BLUE, GREY}
    assert set(table["how"]) == {"group"}
    assert "by annotator: anna_example 2, ben 2" in sengu_in(folder, "label", "check")
    assert names(page, "groups") == []
    post(page, "/api/undo")
    assert "by annotator: ben 2" in sengu_in(folder, "label", "check")


def test_what_is_known_of_a_picture(page: tuple[str, requests.Session]) -> None:
    address, session = page
    facts = session.get(f"{address}/api/facts/{BLUE}", timeout=20).json()
    assert (facts["duplicates"], facts["others"]) == ([GREY], 1)
    assert facts["seen"][0]["url"] == "http://a.example/blue.png"
    assert "tags" not in facts["seen"][0]
    told = post(page, "/api/opinions", id=RED)
    assert told["words"] == [{"annotator": "ben", "value": "dots", "rule": "R1", "how": "blind", "note": "why"}]
    assert [one["id"] for one in told["similar"]] == [WHITE]
    assert set(told["model"]) == {"dots", "stripes"}
    picture = session.get(f"{address}/picture/160/{BLUE}", timeout=20)
    assert picture.headers["Content-Type"] == "image/jpeg"


def test_a_review_has_mistakes_conflicts_and_groups(page: tuple[str, requests.Session], folder: Path) -> None:
    address, session = page
    (folder / "labels/eve.csv").write_text(f"{HEADER}{RED},stripes,eve,2026-01-02T00:00:00Z,,blind,\n")
    found = session.get(f"{address}/api/review", timeout=20).json()
    (folder / "labels/eve.csv").unlink()
    assert [(one["id"], sorted(side["annotator"] for side in one["sides"])) for one in found["conflicts"]] == [
        (RED, ["ben", "eve"])
    ]
    assert found["groups"] == [{"ids": sorted([BLUE, GREY]), "count": 2}]
    assert len(found["mistakes"]) <= 2
    assert all(one["called"] != one["label"] for one in found["mistakes"])


def test_a_review_shows_how_versions_descend_and_differ(page: tuple[str, requests.Session], folder: Path) -> None:
    rows = {"v1": {RED: 0, WHITE: 1, BLUE: 0}, "v2": {RED: 1, WHITE: 1, GREY: 0}}
    for name, values in rows.items():
        labels = tables.frame([tables.Label(*row) for row in sorted(values.items())], tables.Label)
        (folder / "data/dataset" / name).mkdir(parents=True)
        parents = ["v1", "gone"] if name == "v2" else []
        versions.write(folder / "data/dataset" / name, versions.describe(name, ["dots", "stripes"], labels, parents), labels)
    first, second = page[1].get(f"{page[0]}/api/review", timeout=20).json()["versions"]
    assert (first["parents"], first["added"], first["classes"]) == ([], 3, {"dots": 2, "stripes": 1})
    assert first["samples"] == {"dots": sorted([RED, BLUE]), "stripes": [WHITE]}
    assert second["parents"] == ["v1", "gone"]
    assert [second[key] for key in ("rows", "added", "removed", "relabelled")] == [3, 1, 1, 1]
    shutil.rmtree(folder / "data/dataset")


def test_a_group_is_confirmed_or_split_in_a_file_of_git(page: tuple[str, requests.Session], folder: Path) -> None:
    address, session = page
    assert "error" in post(page, "/api/group", id=RED, apart=[])  # it is in no group
    assert "error" in post(page, "/api/group", id=BLUE, apart=[RED])
    assert "error" in post(page, "/api/group", id=BLUE, apart=[BLUE, GREY])
    assert not (folder / "duplicate_groups.csv").exists()
    assert post(page, "/api/group", id=BLUE, apart=[]) == [{"ids": sorted([BLUE, GREY]), "count": 2}]
    assert session.get(f"{address}/api/review", timeout=20).json()["groups"] == []
    parts = post(page, "/api/group", id=BLUE, apart=[GREY])
    assert parts == [{"ids": [BLUE], "count": 1}, {"ids": [GREY], "count": 1}]
    table = tables.read(folder / "duplicate_groups.csv", tables.GroupDecision)
    assert table[["objectId", "group", "annotator"]].to_numpy().tolist() == [
        [name, name, "anna_example"] for name in sorted([BLUE, GREY])
    ]
    assert session.get(f"{address}/api/facts/{BLUE}", timeout=20).json()["duplicates"] == []
    (folder / "duplicate_groups.csv").unlink()


def test_a_quiz_is_kept_and_shown_by_check(page: tuple[str, requests.Session], folder: Path) -> None:
    told = post(page, "/api/quiz", predecessor="")
    assert (told["predecessor"], set(told["pictures"])) == ("ben", {RED, WHITE})
    for number in range(2):
        last = post(page, "/api/answer", place=number, value="dots")
    assert last["result"]["agreed"] == 1
    assert "quiz: anna_example agrees with ben on 1 of 2 pictures, 50.0%" in sengu_in(folder, "label", "check")


def test_names_of_sheets_and_places(folder: Path, tmp_path: Path) -> None:
    with chdir(folder):
        assert annotators(()) == ("anna_example",)
        assert len(COLOURS) == len(Repository("")._names)
    for name in ("../x", "", "a/b", ".a", "a b"):
        with pytest.raises(SenguError, match="cannot be the name of a sheet"):
            annotators((name,))
    with pytest.raises(SenguError, match="needs --certificate"):
        place("0.0.0.0", 0, None)
    with pytest.raises(SenguError, match="needs --certificate"):
        place("label.example.org", 1, None)
    assert place("label.example.org", 443, tmp_path).origins == {"https://label.example.org:443", "https://label.example.org"}
    assert place("::1", 80, None).authorities == {"[::1]:80", "localhost:80", "[::1]", "localhost"}


@pytest.mark.slow
def test_another_machine_comes_in_under_a_certificate_only(folder: Path, tmp_path: Path) -> None:
    pem = tmp_path / "page.pem"
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    run(tmp_path, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", *name)
    pem.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text())
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    child = subprocess.Popen(
        [*COMMAND[:-1], "--host", "localhost", "--certificate", pem],
        cwd=folder, env=environment(PYTHONPATH=str(ROOT / "src"), BROWSER=str(browser)), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    address = child.stdout.readline().split(" ")[1].strip()
    answer = requests.get(address, verify=str(tmp_path / "cert.pem"), allow_redirects=False, timeout=20)
    assert (tmp_path / "opened").read_text() == f"{address}\n"
    assert (answer.status_code, "Secure" in answer.headers["Set-Cookie"]) == (303, True)
    with pytest.raises((requests.ConnectionError, http.client.BadStatusLine)):
        requests.get(address.replace("https", "http"), timeout=20)
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 0
