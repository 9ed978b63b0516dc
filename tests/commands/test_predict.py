"""`sengu predict` with a small release."""

import csv
import json
import os
import pty
import subprocess
import sys
import termios
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from project import BIN, attempt, environment
from released import CLASSES, odd_pictures, tiny_release

from crawlers.demo import pictures
from sengu.commands.predict import command, files
from sengu.pictures import images
from sengu.release import bundle

DARK, BRIGHT = (pictures.png(np.full((40, 60, 3), level, np.uint8)) for level in (20, 230))
# what only other commands need; importing it would take longer than the prediction
HEAVY = (
    "tensorflow",
    "tf_keras",
    "tensorflow_hub",
    "tf2onnx",
    "pandas",
    "dvc",
    "faiss",
    "boto3",
    "sklearn",
    "scipy",
    "pydantic",
    "onnx",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a release, dark and bright pictures at several depths, a hidden file and a broken one."""
    tiny_release(tmp_path / "models" / "release")
    for name, data in {
        "in/b.png": BRIGHT,
        "in/a.png": DARK,
        "in/deep/er/c.png": BRIGHT,
        "in/.hidden": b"",
        "in/.thumbnails/d.png": DARK,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def predict(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(command, arguments, input=stdin, catch_exceptions=False)


def test_a_folder_is_searched_at_any_depth(folder: Path) -> None:
    said = predict("in")
    assert said.exit_code == 0
    lines = said.stdout.splitlines()
    assert lines[0].split() == ["class", *CLASSES, "picture"]
    assert [(line.split()[0], line.split()[-1]) for line in lines[1:]] == [
        ("dark", "in/a.png"),
        ("bright", "in/b.png"),
        ("bright", "in/deep/er/c.png"),
    ]
    assert said.stderr.splitlines()[-1] == "3 read, 0 unreadable"


def test_every_kind_of_picture_is_seen_as_by_the_pipeline(folder: Path) -> None:
    odd = odd_pictures()
    for name, data in odd.items():
        (folder / name).write_bytes(data)
    said = predict("--json", *odd)
    loaded = bundle.load(folder / "models" / "release")
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert [row["path"] for row in rows] == list(odd)
    for row in rows:
        probabilities, _ = loaded.run(images.decode(odd[row["path"]]))
        assert [np.float32(row["probabilities"][name]) for name in CLASSES] == list(probabilities)
        assert row["class"] == CLASSES[probabilities.argmax()]


def test_csv_has_a_column_for_each_class(folder: Path) -> None:
    (folder / 'with, comma and "quotes".png').write_bytes(DARK)
    said = predict("--csv", 'with, comma and "quotes".png')
    (row,) = csv.DictReader(said.stdout.splitlines())
    assert list(row) == ["path", "class", "probability_dark", "probability_bright"]
    assert row["path"] == 'with, comma and "quotes".png'
    assert row["class"] == "dark"
    assert float(row["probability_dark"]) + float(row["probability_bright"]) == pytest.approx(1)


def test_a_dash_is_one_picture_from_stdin(folder: Path) -> None:
    said = predict("--json", "-", stdin=BRIGHT)
    assert said.exit_code == 0
    assert json.loads(said.stdout) == json.loads(predict("--json", "in/b.png").stdout) | {"path": "-"}
    said = predict("-", stdin=b"")
    assert (said.exit_code, said.stderr) == (2, "-: empty\n")


def test_the_threshold_of_the_release_decides(folder: Path) -> None:
    value = bundle.load(folder / "models" / "release").run(images.decode(DARK))[0][1]
    assert value < 0.5
    strict = tiny_release(folder / "strict", threshold=float(value))
    assert json.loads(predict("--json", "in/a.png", "--model", str(strict)).stdout)["class"] == "bright"
    assert json.loads(predict("--json", "in/a.png").stdout)["class"] == "dark"


def test_unreadable_files_are_named_and_counted_and_do_no_harm_to_the_others(folder: Path) -> None:
    (folder / "in" / "cut.png").write_bytes(DARK[: len(DARK) // 2])
    (folder / "in" / "notes.txt").write_text("notes")
    (folder / "in" / "bomb.png").write_bytes(pictures.bomb_png())
    said = predict("in", "nowhere.png")
    assert said.exit_code == 2
    assert said.stderr.splitlines() == [
        "in/bomb.png: more than 100000000 pixels",
        "in/cut.png: truncated",
        "in/notes.txt: unknown format",
        "nowhere.png: No such file or directory",
        "3 read, 4 unreadable",
    ]
    assert [line.split()[-1] for line in said.stdout.splitlines()[1:]] == ["in/a.png", "in/b.png", "in/deep/er/c.png"]


def test_what_is_no_regular_file_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "in" / "pipe.png")
    said = predict("in", "/dev/zero")
    assert said.exit_code == 2
    assert said.stderr.splitlines() == [
        "in/pipe.png: not a regular file",
        "/dev/zero: not a regular file",
        "3 read, 2 unreadable",
    ]


def test_a_closed_stdin_is_said_so(folder: Path) -> None:
    done = attempt(folder, "bash", "-c", "sengu predict --json - <&-")
    assert (done.returncode, done.stdout) == (2, "-: stdin is closed\n")


def test_links_to_folders_are_followed_and_each_folder_is_looked_into_once(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "e.png").write_bytes(DARK)
    (folder / "in" / "link").symlink_to(folder / "elsewhere")
    (folder / "in" / "deep" / "up").symlink_to(folder / "in")  # a loop
    (folder / "in" / "z_again").symlink_to(folder / "elsewhere")
    (folder / "in" / "f.png").symlink_to(folder / "elsewhere" / "e.png")
    assert list(files("in")) == ["in/a.png", "in/b.png", "in/f.png", "in/deep/er/c.png", "in/link/e.png"]


def test_a_folder_that_cannot_be_looked_into_and_one_without_files_are_unreadable(folder: Path) -> None:
    (folder / "empty" / "deep").mkdir(parents=True)
    (folder / "empty" / ".hidden").touch()
    (folder / "in" / "closed").mkdir(mode=0)
    predict("in/a.png", "in/b.png")  # imports what another user may not be allowed to
    folder.chmod(0o755)
    as_another_user = os.geteuid() == 0
    if as_another_user:  # root may look into everything
        os.seteuid(65534)
    try:
        said = predict("in", "empty")
    finally:
        if as_another_user:
            os.seteuid(0)
    assert said.exit_code == 2
    assert said.stderr.splitlines() == [
        "in/closed: Permission denied",
        "empty: no file in it",
        "3 read, 2 unreadable",
    ]
    assert predict("empty").exit_code == 2


def test_a_reader_that_has_enough_ends_it_quietly(folder: Path) -> None:
    for number in range(500):
        (folder / "in" / f"{number}.png").hardlink_to(folder / "in" / "a.png")
    command = [BIN / "sengu", "predict", "in"]
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().split()[0] == b"class"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_no_release_is_an_error_of_one_line(folder: Path) -> None:
    done = attempt(folder, "sengu", "predict", "in", "--model", "nowhere")
    assert done.returncode == 1
    assert done.stdout == "error: nowhere is missing: run `dvc repro export`, or `dvc pull` if someone else produced it\n"


def test_outside_a_project_it_asks_for_a_release(tmp_path: Path) -> None:
    done = attempt(tmp_path, "sengu", "predict", "a.jpg")
    cure = "name a release with --model, or go to the folder of a project"
    assert (done.returncode, done.stdout) == (1, f"error: no project here, so no models/release: {cure}\n")


def test_it_imports_nothing_that_it_does_not_need(folder: Path) -> None:
    script = (
        "import sys\nfrom sengu.commands.main import main\nsys.argv = ['sengu', 'predict', 'in']\n"
        f"main.__globals__['sengu'](standalone_mode=False)\nprint('HEAVY', sorted(set({HEAVY}) & sys.modules.keys()))\n"
    )
    done = attempt(folder, sys.executable, "-c", script)
    assert "bright  0.00" in done.stdout
    assert "HEAVY []" in done.stdout


def test_a_terminal_shows_progress(folder: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    done = subprocess.run(
        [BIN / "sengu", "predict", "in"], cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=theirs, check=True
    )
    os.close(theirs)
    said = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "predict: 100%" in said and "3/3" in said
    assert len(done.stdout.splitlines()) == 4


def test_a_name_that_is_no_text_is_printed_as_it_is(folder: Path) -> None:
    name = b"caf\xe9.png"
    Path(os.fsdecode(name)).write_bytes(DARK)
    done = subprocess.run([BIN / "sengu", "predict", name], cwd=folder, env=environment(), stdout=subprocess.PIPE, check=True)
    assert done.stdout.splitlines()[1].endswith(b"  " + name)


def test_damage_that_a_decoder_forgives_is_refused_as_by_the_pipeline(folder: Path) -> None:
    stream = BytesIO()
    Image.fromarray(np.random.default_rng(20).integers(0, 255, (200, 200, 3), np.uint8)).save(stream, "JPEG")
    data = stream.getvalue()
    (folder / "whole.jpg").write_bytes(data)
    (folder / "zeros.jpg").write_bytes(data[: len(data) // 2] + bytes(2000) + data[len(data) // 2 + 2000 :])
    said = predict("whole.jpg", "zeros.jpg")
    assert said.exit_code == 2
    assert len(said.stdout.splitlines()) == 2
    assert said.stderr.splitlines()[0].startswith("zeros.jpg: damaged")


def test_a_name_does_not_steer_the_terminal_nor_begin_a_line(folder: Path) -> None:
    name = "a\x1b[2J\nb\x9bc.png"
    (folder / name).write_bytes(DARK)
    (folder / f"{name}.txt").write_bytes(b"no picture")
    said = predict(name, f"{name}.txt")
    assert r"a\x1b[2J\nb\x9bc.png" in said.stdout
    assert r"a\x1b[2J\nb\x9bc.png.txt: " in said.stderr
    assert not {"\x1b", "\x9b"} & {*said.output}
    assert next(csv.DictReader(predict("--csv", name).stdout.splitlines(keepends=True)))["path"] == name
