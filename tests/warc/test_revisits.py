"""Revisit records stand for the answers that they refer to, and what says nothing displaces no good answer."""

import base64
import gzip
import hashlib
from pathlib import Path

import pytest

from sengu import warc
from sengu.warc.reading import digest

HOST = "http://a.example"
FIRST, LATER = "2024-03-01T10:00:00Z", "2024-03-02T10:00:00Z"
OLD, NEW = b"\xff\xd8\xff the old picture", b"\xff\xd8\xff the new picture"
LOGIN = b"<!doctype html><form action='/login'><input type=password></form><img src='/logo.png'>"


def sha1(payload: bytes) -> str:
    return f"sha1:{base64.b32encode(hashlib.sha1(payload).digest()).decode()}"


def record(kind: str, path: str, body: bytes = b"", date: str = FIRST, status: str = "200 OK", **more: str) -> bytes:
    block = f"HTTP/1.1 {status}\r\nContent-Type: image/jpeg\r\n".encode()
    block += (
        b"".join(f"{name}: {more.pop(name)}\r\n".encode() for name in ("Location", "Length") if name in more) + b"\r\n" + body
    )
    block = block.replace(b"Length:", b"Content-Length:")
    names = {name.replace("_", "-"): value for name, value in more.items()}
    names |= {"WARC-Type": kind, "WARC-Target-URI": f"{HOST}{path}", "WARC-Date": date}
    names |= {"Content-Type": "application/http; msgtype=response", "Content-Length": str(len(block))}
    head = "".join(f"{name}: {value}\r\n" for name, value in names.items())
    return gzip.compress(f"WARC/1.0\r\n{head}\r\n".encode() + block + b"\r\n\r\n")


def revisit(path: str, date: str = LATER, **more: str) -> bytes:
    return record("revisit", path, date=date, WARC_Profile="http://netpreserve.org/warc/1.0/revisit/x", **more)


def archive(folder: Path, *records: bytes) -> warc.Archive:
    (folder / "web-00000.warc.gz").write_bytes(b"".join(records))
    return warc.gather([folder / "web-00000.warc.gz"])


def body(answers: warc.Archive, path: str) -> bytes | None:
    entry = answers.resolve(f"{HOST}{path}")
    return warc.payload(entry) if entry else None


TO_NOW = {"WARC_Refers_To_Target_URI": f"{HOST}/now.jpg", "WARC_Refers_To_Date": FIRST}


@pytest.mark.parametrize(
    "reference",
    [
        TO_NOW,
        {"WARC_Refers_To": "<urn:uuid:a1>"},
        {"WARC_Refers_To": "urn:uuid:A1"},
        {"WARC_Payload_Digest": sha1(OLD).removeprefix("sha1:")},
        {"WARC_Payload_Digest": sha1(OLD)},
        {"WARC_Payload_Digest": f"sha1:{hashlib.sha1(OLD).hexdigest()}"},
        TO_NOW | {"WARC_Refers_To_Date": "2024-03-01T10:00:00.123Z", "WARC_Payload_Digest": sha1(OLD)},
        TO_NOW | {"WARC_Refers_To_Date": LATER, "WARC_Payload_Digest": sha1(OLD)},  # the address and date of another answer
    ],
)
def test_a_revisit_is_the_answer_that_it_names_though_the_url_changed_later(tmp_path: Path, reference: dict[str, str]) -> None:
    answers = archive(
        tmp_path,
        revisit("/first.jpg", **reference),
        record("response", "/now.jpg", OLD, WARC_Record_ID="<urn:uuid:a1>"),
        record("response", "/now.jpg", NEW, LATER, WARC_Record_ID="<urn:uuid:a2>"),
        revisit("/then.jpg", **reference),
    )
    assert [body(answers, f"/{name}.jpg") for name in ("first", "then", "now")] == [OLD, OLD, NEW]
    assert answers.find(f"{HOST}/then.jpg").fetched == LATER
    assert not answers.missing


def test_a_revisit_may_be_of_a_revisit_but_not_of_itself(tmp_path: Path) -> None:
    answers = archive(
        tmp_path,
        revisit("/third.jpg", WARC_Refers_To_Target_URI=f"{HOST}/second.jpg"),
        record("response", "/first.jpg", OLD),
        revisit("/second.jpg", WARC_Refers_To_Target_URI=f"{HOST}/first.jpg"),
        revisit("/circle.jpg", WARC_Refers_To_Target_URI=f"{HOST}/round.jpg"),
        revisit("/round.jpg", WARC_Refers_To_Target_URI=f"{HOST}/circle.jpg"),
    )
    assert [body(answers, f"/{name}.jpg") for name in ("second", "third", "circle")] == [OLD, OLD, None]
    assert [entry.url for entry in answers.missing] == [f"{HOST}/circle.jpg", f"{HOST}/round.jpg"]


def test_a_url_that_went_back_to_what_it_was_has_the_old_payload(tmp_path: Path) -> None:
    answers = archive(
        tmp_path,
        record("response", "/now.jpg", OLD),
        record("response", "/now.jpg", NEW, LATER),
        revisit("/now.jpg", "2024-03-03T10:00:00Z", WARC_Payload_Digest=sha1(OLD)),
    )
    assert body(answers, "/now.jpg") == OLD


def test_a_revisit_of_what_is_not_here_is_missing_and_says_of_what(tmp_path: Path) -> None:
    answers = archive(tmp_path, record("response", "/x.jpg", NEW), revisit("/then.jpg", **TO_NOW, WARC_Payload_Digest=sha1(OLD)))
    assert body(answers, "/then.jpg") is None
    assert [warc.explained(entry) for entry in answers.missing] == [
        f"a revisit of {HOST}/now.jpg of {FIRST}, which none of the files holds"
    ]


@pytest.mark.parametrize(
    "late",
    [
        record("response", "/a.jpg?utm_source=n", status="302 Found", Location="/a.jpg", date=LATER),
        record("response", "/a.jpg", date=LATER),
        record("response", "/a.jpg", NEW[:-3], Length=str(len(NEW)), date=LATER),
        record("response", "/a.jpg", NEW, WARC_Truncated="length", date=LATER),
        record("response", "/a.jpg", date=LATER, status="404 Not Found"),
        record("response", "/a.jpg", date=LATER, status="204 No Content"),
        revisit("/a.jpg?utm_source=n", WARC_Payload_Digest=sha1(OLD)),
        record("response", "/a.jpg", LOGIN, date=LATER),  # as image/jpeg, though it is a page
    ],
    ids=[
        "redirect to another spelling",
        "empty",
        "cut",
        "truncated",
        "error",
        "no content",
        "revisit of another spelling",
        "page",
    ],
)
def test_what_says_nothing_does_not_displace_a_good_answer(tmp_path: Path, late: bytes) -> None:
    path = tmp_path / "web-00000.warc.gz"
    path.write_bytes(record("response", "/a.jpg", OLD) + late)
    answers = warc.gather([path], ("utm_*",))
    assert body(answers, "/a.jpg?utm_source=n") == OLD
    assert [entry.url for entry in answers] == [f"{HOST}/a.jpg"]


@pytest.mark.parametrize("path", ["/login", "/gone"])
def test_a_redirect_to_no_picture_does_not_displace_a_picture(tmp_path: Path, path: str) -> None:
    answers = archive(
        tmp_path,
        record("response", "/a.jpg", OLD),
        record("response", "/a.jpg", status="302 Found", Location=path, date=LATER),
        record("response", "/login", LOGIN, LATER),
    )
    assert body(answers, "/a.jpg") == OLD
    moved = archive(
        tmp_path,
        record("response", "/a.jpg", OLD),
        record("response", "/a.jpg", status="302 Found", Location="/b.jpg", date=LATER),
        record("response", "/b.jpg", NEW, LATER),
    )
    assert body(moved, "/a.jpg") == NEW


def test_a_page_where_a_picture_was_is_still_read_and_a_picture_takes_the_place_of_a_page(tmp_path: Path) -> None:
    answers = archive(tmp_path, record("response", "/a.jpg", OLD), record("response", "/a.jpg", LOGIN, LATER))
    assert [warc.payload(version) for version in answers.versions(f"{HOST}/a.jpg")] == [OLD, LOGIN]
    answers = archive(tmp_path, record("response", "/a.jpg", LOGIN), record("response", "/a.jpg", OLD, LATER))
    assert body(answers, "/a.jpg") == OLD


def test_an_empty_answer_counts_until_there_is_a_better_one(tmp_path: Path) -> None:
    answers = archive(tmp_path, record("response", "/a.jpg"), record("response", "/a.jpg", OLD, LATER))
    assert body(answers, "/a.jpg") == OLD


def test_digests_are_compared_in_one_spelling() -> None:
    assert digest(sha1(OLD)) == digest(f"SHA1:{hashlib.sha1(OLD).hexdigest().upper()}") != ""
    assert digest("sha256:AB") == "sha256:ab"
    assert digest("") == digest(f"sha1:{'1' * 32}") == ""
