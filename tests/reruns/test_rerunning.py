"""Stages that depend on what they must not are caught, and the cause is named; each kind in a pipeline of its own."""

from dataclasses import replace
from pathlib import Path

import pytest
from reruns import stubs

from sengu.reruns import certificates, rerunning, variations
from sengu.reruns.clones import temporary_clone
from sengu.reruns.rerunning import Rerun, Row
from sengu.reruns.steps import Step, steps

FILES = "[p.mkdir(exist_ok=True) for p in [pathlib.Path('d')]] and [pathlib.Path('d', n).touch() for n in 'abc'] and "

CULPRITS = {
    "clock": stubs.writes("time.time()", "time"),
    "clock-date": stubs.writes("datetime.date.today()", "datetime"),
    "clock-now": stubs.writes("datetime.datetime.now(datetime.UTC).year", "datetime"),
    "hash seed": stubs.writes("list({'one', 'two', 'three', 'four', 'five', 'six'})"),
    "directory order": stubs.writes(FILES + "os.listdir('d')"),
    "directory order-path": stubs.writes(FILES + "[p.name for p in pathlib.Path('d').iterdir()]"),
    "locale": stubs.writes("locale.getpreferredencoding(False)", "locale"),
    "time zone": stubs.writes("time.localtime(0)[:5]", "time"),
    "umask": stubs.writes("(pathlib.Path('new').touch(), pathlib.Path('new').stat().st_mode, pathlib.Path('new').unlink())[1]"),
    "cores": stubs.writes("len(os.sched_getaffinity(0)), os.cpu_count()"),
    "chance": stubs.writes("os.urandom(4)"),
}


def rerun(source: Path, tmp_path: Path) -> list[Row]:
    with temporary_clone(source, "HEAD", tmp_path / "log") as clone:
        clone.must_run("dvc", "pull")
        hook = clone.folder.parent / "hook"
        variations.write_hook(hook)
        pinned = rerunning.pins(clone.folder)
        again = Rerun(clone, pinned, hook, clone.folder.parent / "before")
        return list(again.rows(steps(clone.folder, {})))


@pytest.mark.slow
def test_what_a_stage_must_not_depend_on_is_named(tmp_path: Path) -> None:
    programs = {name.replace(" ", "_"): program for name, program in CULPRITS.items()}
    source = stubs.project(tmp_path / "source", {"first": stubs.COPY, **programs, "last": stubs.COPY})
    first, *guilty, last = rerun(source, tmp_path)
    assert (first.state, last.state) == ("same", "same")
    assert {row.stage: row.state for row in guilty} == dict.fromkeys(programs, "changed")
    for row in guilty:
        assert row.stage.partition("-")[0].replace("_", " ") in row.causes, row
        assert row.why.startswith(f"data/{row.stage}: ")


def test_a_stage_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    fails = "import os, sys, shutil\nif os.environ['TZ'] != 'UTC': sys.exit('no such zone')\nshutil.copy(*sys.argv[1:])\n"
    source = stubs.project(tmp_path / "source", {"first": fails.replace("os.environ['TZ']", "os.environ.get('TZ', 'UTC')")})
    (row,) = rerun(source, tmp_path)
    assert (row.state, row.causes) == ("failed", ("time zone",))
    assert "no such zone" in row.why


def test_a_difference_is_rounding_only_where_this_processor_never_gave_the_pinned_bytes() -> None:
    steps_ = [Step(name, name, (), (), numeric=True) for name in ("features", "train")]
    rows = [Row("features", "changed", 1.0, "byte 1"), Row("train", "changed", 1.0, "byte 2")]
    moved = {"accuracy": 0.01}
    assert [row.state for row in rerunning.tolerated(rows, steps_, moved)] == ["tolerated", "tolerated"]
    here = certificates.Machine("m", "A processor", 2, "Linux")
    before = certificates.Certificate(
        "c", "outputs", True, "who", "when", here, certificates.Environment("3.11", ""), (Row("features", "same", 1.0),)
    )
    exact = certificates.exact([before], "outputs", here)
    judged = rerunning.tolerated(rows, steps_, moved, exact)
    assert [row.state for row in judged] == ["changed", "tolerated"]
    assert "this kind of processor gave the pinned bytes before" in judged[0].why
    assert certificates.exact([before], "others", here) == frozenset()
    for another in (replace(here, processor="Another"), replace(here, cores=3)):
        assert certificates.exact([before], "outputs", another) == frozenset()
