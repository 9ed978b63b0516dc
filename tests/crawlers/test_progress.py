"""What a crawl says while it runs, and at its end."""

import json
import os
import pty
import socket
import subprocess
import termios
import time
from pathlib import Path

import pytest
from project import attempt, environment, needs, run
from served import CRAWL, JPEG, Site, fetch_of, page, write_params

from crawlers import mqtt
from crawlers.demo.sites import Answer
from crawlers.progress import table
from sengu.base.errors import SenguError


def test_a_table_by_status_and_type_and_one_by_reason_end_a_crawl(work: Path, site: Site) -> None:
    said = run(work, *CRAWL)
    lines = [" ".join(line.split()) for line in said.splitlines()]
    for line in ("status type fetched from archive", "200 image/jpeg 2 0", "200 text/html 2 0", "404 text/html 1 0"):
        assert line in lines
    assert lines[lines.index("not fetched because URLs") + 1 :][:2] == ["Forbidden by robots.txt 1", "status 404 1"]
    again = [" ".join(line.split()) for line in run(work, *CRAWL).splitlines()]
    assert "200 image/jpeg 0 2" in again


def test_a_table_without_rows_is_empty() -> None:
    assert table({}, {}) == ""


def test_a_terminal_shows_one_line_that_is_renewed(work: Path, site: Site) -> None:
    names = [f"/{number}.jpg" for number in range(30)]
    site.answers |= {name: Answer("image/jpeg", JPEG["a"]) for name in names}
    site.answers["/two"] = page("".join(f'<img src="{name}">' for name in names))
    site.delay = 0.1
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    with subprocess.Popen(CRAWL, cwd=work, env=environment(), stdout=theirs, stderr=theirs, close_fds=True) as running:
        os.close(theirs)
        said = b""
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            said += data
        assert running.wait() == 0
    os.close(ours)
    shown = [part for part in said.decode().split("\r") if "waiting" in part]
    assert len(shown) >= 3, said
    assert "web: 2 pages, " in shown[-1]
    for word in ("media", "MB", "/s", "errors", "waiting"):
        assert word in shown[-1]


@needs("mosquitto", "mosquitto")
def test_an_mqtt_broker_hears_of_every_picture_and_of_the_totals(work: Path, site: Site, tmp_path: Path) -> None:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "broker.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    broker = subprocess.Popen(["mosquitto", "-c", str(tmp_path / "broker.conf")], stderr=subprocess.DEVNULL)
    heard: list[tuple[str, dict[str, object]]] = []
    listener = Client(CallbackAPIVersion.VERSION2)
    listener.on_message = lambda client, data, message: heard.append((message.topic, json.loads(message.payload)))
    try:
        for _ in range(100):
            try:
                listener.connect("127.0.0.1", port)
                break
            except OSError:
                time.sleep(0.05)
        listener.subscribe("lab/#")
        listener.loop_start()
        time.sleep(0.3)
        run(work, *CRAWL, SENGU_MQTT=f"mqtt://127.0.0.1:{port}/lab")
        time.sleep(0.3)
    finally:
        listener.loop_stop()
        broker.terminate()
        broker.wait()
    media = [message for topic, message in heard if topic == "lab/web/media"]
    assert {"url": f"{site.url}/a.jpg", "status": 200, "type": "image/jpeg", "bytes": len(JPEG["a"])} in media
    totals = [message for topic, message in heard if topic == "lab/web/totals"]
    assert totals[-1]["pages"] == 2
    assert totals[-1]["media"] == 2
    assert totals[-1]["errors"] == 2


def test_a_broker_that_is_not_there_does_not_stop_the_crawl(work: Path, site: Site) -> None:
    said = run(work, *CRAWL, SENGU_MQTT="mqtt://127.0.0.1:9")
    assert "the crawl continues without it" in said
    assert "2 pages, 2 media" in said


def test_a_malformed_address_of_a_broker_is_said_before_anything_starts(work: Path, site: Site) -> None:
    done = attempt(work, *CRAWL, SENGU_MQTT="mqtt://me:secret@host:port/lab")
    assert done.returncode == 1
    (said,) = done.stdout.splitlines()
    assert "SENGU_MQTT is 'mqtt://…@host:port/lab': expected mqtt://[user:password@]host[:port][/topic]" in said
    assert not site.seen
    assert not (work / "raw").exists()


@pytest.mark.parametrize(
    "address",
    ["mqtt:host", "mqtt:///topic", "http://host:1883", "host:1883", "mqtt://host/a/+", "mqtt://host/#", "mqtt://h:99999"],
)
def test_what_is_no_address_of_a_broker(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SENGU_MQTT", address)
    with pytest.raises(SenguError, match=r"SENGU_MQTT is .*expected mqtt://"):
        mqtt.broker()


def test_the_parts_of_the_address_of_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENGU_MQTT", "mqtts://me:p%40ss@host/lab/one/")
    assert mqtt.broker() == mqtt.Broker("host", 8883, "lab/one", True, "me", "p@ss")
    monkeypatch.setenv("SENGU_MQTT", "mqtt://host:1884")
    assert mqtt.broker() == mqtt.Broker("host", 1884, "sengu", False, "", "")
    monkeypatch.delenv("SENGU_MQTT")
    assert mqtt.broker() is None


def test_where_there_is_no_terminal_there_are_plain_lines(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site))
    said = run(work, *CRAWL)
    assert "\r" not in said
    assert "INFO web: 2 pages, 2 media, 2 failures" in said
