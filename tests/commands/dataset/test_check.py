"""Every way of changing a final version that we thought of: `sengu dataset check` names version, file and cure."""

import os
import re
import shlex
import shutil
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
import versioned
import yaml
from click.testing import CliRunner, Result
from project import attempt, run

from sengu.commands.main import sengu

TAG = "datasets=B@v1.0.0"
FOLDER = Path("data/dataset/B")
pytestmark = pytest.mark.slow


def check(folder: Path, *options: str) -> Result:
    with chdir(folder):
        return CliRunner().invoke(sengu, ["dataset", "check", *options])


def rewrite(path: Path, edit: Callable[[str], str]) -> None:
    """Replaces a file that may be read-only; fails if nothing changes."""
    text = path.read_text()
    path.unlink()
    path.write_text(edit(text))
    assert path.read_text() != text


def stages(folder: Path, edit: Callable[[dict[str, dict[str, object]]], object]) -> None:
    path = folder / "datasets/dvc.yaml"
    document = yaml.safe_load(path.read_text())
    edit(document["stages"])
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def lock(
    folder: Path, edit: Callable[[dict[str, dict[str, list[dict[str, object]]]]], object], name: str = "datasets/dvc.lock"
) -> None:
    path = folder / name
    document = yaml.safe_load(path.read_text())
    edit(document["stages"])
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def flipped(text: str) -> str:
    """One class changed; as many bytes as before."""
    return text[:-2] + ("1" if text[-2] == "0" else "0") + "\n"


def value_flipped(folder: Path) -> None:
    rewrite(folder / FOLDER / "label.csv", flipped)


def rows_in_another_order(folder: Path) -> None:
    def edit(text: str) -> str:
        header, *rows = text.splitlines()
        return "\n".join([header, *reversed(rows), ""])

    rewrite(folder / FOLDER / "label.csv", edit)


def row_removed(folder: Path) -> None:
    rewrite(folder / FOLDER / "label.csv", lambda text: "\n".join([*text.splitlines()[:-1], ""]))


def metadata_edited(folder: Path) -> None:
    rewrite(folder / FOLDER / "dataset.json", lambda text: text.replace('"purpose": "tests"', '"purpose": "sale"'))


def croissant_edited(folder: Path) -> None:
    rewrite(folder / FOLDER / "croissant.json", lambda text: text.replace("CC0-1.0", "MIT"))


def table_deleted(folder: Path) -> None:
    (folder / FOLDER / "label.csv").unlink()


def file_added(folder: Path) -> None:
    (folder / FOLDER / "subjects.csv").write_text("objectId,subject\n")


def recipe_edited(folder: Path) -> None:
    rewrite(folder / "datasets/dvc.yaml", lambda text: text.replace("site == 'camera'", "site != 'camera'"))


def output_edited(folder: Path) -> None:
    stages(folder, lambda found: found["B"].update(outs=[{"data/dataset/B": {"cache": False}}]))


def unfrozen(folder: Path) -> None:
    stages(folder, lambda found: found["B"].pop("frozen"))


def number_edited(folder: Path) -> None:
    stages(folder, lambda found: found["B"].update(meta={"finalised": "2.0.0"}))


def stage_deleted(folder: Path) -> None:
    stages(folder, lambda found: found.pop("B"))


def lock_edited(folder: Path) -> None:
    lock(folder, lambda found: found["B"]["outs"][0].update(md5="0" * 32 + ".dir"))


def lock_of_another_version(folder: Path) -> None:
    lock(folder, lambda found: found["B"]["outs"][0].update(md5=found["C"]["outs"][0]["md5"]))


def size_in_lock_edited(folder: Path) -> None:
    lock(folder, lambda found: found["B"]["outs"][0].update(nfiles=99, md5="1" * 32 + ".dir"))


def lock_entry_deleted(folder: Path) -> None:
    lock(folder, lambda found: found.pop("B"))


def tag_deleted(folder: Path) -> None:
    run(folder, "git", "tag", "--annotate", "--message", "another", "datasets=C@v1.0.0")  # or the clone would have no tags at all
    run(folder, "git", "tag", "--delete", TAG)


def tag_deleted_and_stage_cleaned(folder: Path) -> None:
    stages(folder, lambda found: (found["B"].pop("meta"), found["B"].pop("frozen")))
    versioned.commit(folder, "as if nothing had been final")
    run(folder, "git", "tag", "--delete", TAG)


def tag_moved(folder: Path) -> None:
    message = run(folder, "git", "for-each-ref", "--format=%(contents)", f"refs/tags/{TAG}")
    run(folder, "git", "commit", "--quiet", "--allow-empty", "--message", "later")
    run(folder, "git", "tag", "--force", "--annotate", "--message", message, TAG)


def tag_made_lightweight(folder: Path) -> None:
    run(folder, "git", "tag", "--force", TAG, "HEAD")


def message_edited(folder: Path) -> None:
    message = run(folder, "git", "for-each-ref", "--format=%(contents)", f"refs/tags/{TAG}")
    other = re.sub(r"folder: \w+", "folder: " + "2" * 32, message)
    run(folder, "git", "tag", "--force", "--annotate", "--message", other, TAG, f"{TAG}^{{commit}}")


def parent_relabelled(folder: Path) -> None:
    rewrite(folder / "data/dataset/v1/label.csv", flipped)


def parent_rebuilt(folder: Path) -> None:
    rewrite(folder / "data/dataset/v1/label.csv", flipped)
    run(folder, "dvc", "commit", "--force", "--quiet", "datasets/dvc.yaml:v1")


def some_object(folder: Path) -> Path:
    return next(path for path in (folder / "data/object/camera").rglob(versioned.ids("dots")[0]))


def object_deleted(folder: Path) -> None:
    some_object(folder).unlink()


def object_cut_off(folder: Path) -> None:
    some_object(folder).write_bytes(some_object(folder).read_bytes()[:-9])


def object_flipped(folder: Path) -> None:
    data = bytearray(some_object(folder).read_bytes())
    data[-20] ^= 1
    some_object(folder).write_bytes(data)


def index_shortened(folder: Path) -> None:
    name = versioned.ids("dots")[0]
    rewrite(
        folder / "data/index/camera.csv",
        lambda text: "".join(line for line in text.splitlines(keepends=True) if not line.startswith(name)),
    )


def index_shortened_and_pinned(folder: Path) -> None:
    index_shortened(folder)
    run(folder, "dvc", "commit", "--force", "--quiet", "objects@camera")


def another_archive_pinned(folder: Path) -> None:
    def edit(found: dict[str, dict[str, list[dict[str, object]]]]) -> None:
        raw = next(out for out in found["crawl@camera"]["outs"] if out["path"] == "data/raw/camera")
        raw["md5"] = "3" * 32 + ".dir"

    lock(folder, edit, "dvc.lock")


def committed_to_dvc(folder: Path) -> None:
    value_flipped(folder)
    run(folder, "dvc", "commit", "--force", "--quiet", "datasets/dvc.yaml:B")
    versioned.commit(folder, "tampered")


def repro_of_the_frozen_stage(folder: Path) -> None:
    """DVC rewrites the lock of a tampered output of a frozen stage, and exits with 0."""
    value_flipped(folder)
    run(folder, "dvc", "repro", "--quiet", "datasets/dvc.yaml:B")


def unfrozen_edited_and_frozen(folder: Path) -> None:
    recipe_edited(folder)
    stages(folder, lambda found: found["B"].pop("frozen"))
    run(folder, "git", "tag", "--annotate", "--message", "another", "datasets=C@v1.0.0")
    run(folder, "dvc", "commit", "--force", "--quiet", "datasets/dvc.yaml:B")
    value_flipped(folder)
    run(folder, "dvc", "commit", "--force", "--quiet", "datasets/dvc.yaml:B")
    stages(folder, lambda found: found["B"].update(frozen=True))


# what is done -> the file that the fault names, and the beginning of the cure
TAMPERINGS = {
    value_flipped: ("data/dataset/B/label.csv", "`sengu heal data/dataset/B`"),
    rows_in_another_order: ("data/dataset/B/label.csv", "`sengu heal data/dataset/B`"),
    row_removed: ("data/dataset/B/label.csv", "`sengu heal data/dataset/B`"),
    metadata_edited: ("data/dataset/B/dataset.json", "`sengu heal data/dataset/B`"),
    croissant_edited: ("data/dataset/B/croissant.json", "`sengu heal data/dataset/B`"),
    table_deleted: ("data/dataset/B/label.csv", "`sengu heal data/dataset/B`"),
    file_added: ("data/dataset/B/subjects.csv", "delete it"),
    recipe_edited: ("datasets/dvc.yaml", f"`git checkout '{TAG}' -- datasets/dvc.yaml`"),
    output_edited: ("datasets/dvc.yaml", f"`git checkout '{TAG}' -- datasets/dvc.yaml`"),
    unfrozen: ("datasets/dvc.yaml", "write `frozen: true`"),
    number_edited: ("datasets/dvc.yaml", f"`git checkout '{TAG}' -- datasets/dvc.yaml`"),
    stage_deleted: ("datasets/dvc.yaml", f"`git checkout '{TAG}' -- datasets/dvc.yaml`"),
    lock_edited: ("datasets/dvc.lock", f"`git checkout '{TAG}' -- datasets/dvc.lock`"),
    lock_of_another_version: ("datasets/dvc.lock (label.csv)", f"`git checkout '{TAG}' -- datasets/dvc.lock`"),
    size_in_lock_edited: ("datasets/dvc.lock", f"`git checkout '{TAG}' -- datasets/dvc.lock`"),
    lock_entry_deleted: ("datasets/dvc.lock", f"`git checkout '{TAG}' -- datasets/dvc.lock`"),
    tag_deleted: (f"tag {TAG}", "`git fetch origin"),
    tag_moved: (f"tag {TAG}", "`git fetch --force origin"),
    tag_made_lightweight: (f"tag {TAG}", "`git fetch --force origin"),
    message_edited: (f"tag {TAG}", "`git fetch --force origin"),
    tag_deleted_and_stage_cleaned: (f"tag {TAG}", "`git fetch origin"),
    parent_relabelled: ("data/dataset/v1/label.csv", f"`git checkout '{TAG}' -- datasets/dvc.lock"),
    parent_rebuilt: ("data/dataset/v1/label.csv", f"`git checkout '{TAG}' -- datasets/dvc.lock"),
    object_deleted: (f"data/object ({versioned.ids('dots')[0]})", "`sengu objects heal`"),
    object_cut_off: (f"data/object ({versioned.ids('dots')[0]})", "`sengu objects heal`"),
    object_flipped: (f"data/object ({versioned.ids('dots')[0]})", "`sengu objects heal`"),
    index_shortened_and_pinned: ("data/index", "list their site again"),
    committed_to_dvc: ("datasets/dvc.lock (label.csv)", f"`git checkout '{TAG}' -- datasets/dvc.lock`"),
    repro_of_the_frozen_stage: ("datasets/dvc.lock (label.csv)", f"`git checkout '{TAG}' -- datasets/dvc.lock`"),
    unfrozen_edited_and_frozen: ("datasets/dvc.yaml", f"`git checkout '{TAG}' -- datasets/dvc.yaml`"),
}


@pytest.fixture
def folder(finalised: Path) -> Path:
    return versioned.copied(finalised)


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_what_was_tampered_with_is_named(folder: Path, tamper: Callable[[Path], None]) -> None:
    file, cure = TAMPERINGS[tamper]
    tamper(folder)
    done = check(folder, *(["--deep"] if tamper is object_flipped else []))
    assert done.exit_code == 1, done.output
    faults = [line for line in done.stdout.splitlines() if line.startswith(f"B: {file}: ")]
    assert faults, done.output
    assert any(f": {cure}" in fault for fault in faults), faults


def cures(done: Result) -> list[str]:
    """Of the faults of B, in the order in which they are listed."""
    return ["`" + line.partition(": `")[2] for line in done.stdout.splitlines() if line.startswith("B: ")]


def follow(folder: Path, cure: str) -> None:
    """Does what a cure says first, to the letter."""
    commands = re.findall("`([^`]*)`", cure.split(", or ")[0])
    assert commands, cure
    for words in map(shlex.split, commands):
        if words[0] == "sengu":
            with chdir(folder):
                done = CliRunner().invoke(sengu, words[1:])
            assert done.exit_code == 0, done.output
        else:
            run(folder, *words)


# of which each cure is a command, and nothing that a person must write, delete or look up
BY_HAND = (unfrozen_edited_and_frozen, tag_deleted_and_stage_cleaned)
COMMANDS = [tamper for tamper, (_, cure) in TAMPERINGS.items() if cure.startswith("`") and tamper not in BY_HAND]


@pytest.mark.parametrize("tamper", COMMANDS, ids=lambda tamper: tamper.__name__)
def test_the_cure_that_is_named_cures(finalised: Path, folder: Path, tamper: Callable[[Path], None]) -> None:
    run(folder, "git", "remote", "add", "origin", str(finalised))
    tamper(folder)
    options = ["--deep"] if tamper is object_flipped else []
    for _ in range(3):  # the cure of one fault may bring to light what another hid
        for cure in cures(check(folder, *options)):
            follow(folder, cure)
    done = check(folder, *options)
    assert not cures(done), done.output


def test_a_byte_that_dvc_does_not_see_is_cured_too(folder: Path) -> None:
    """Size and time are as they were, so `dvc checkout --force` would leave it."""
    path = folder / FOLDER / "label.csv"
    run(folder, "dvc", "status", "--quiet", "datasets/dvc.yaml:B")  # which keeps how the file looks
    state = path.stat()
    rewrite(path, flipped)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    (cure,) = cures(check(folder))
    follow(folder, cure)
    assert check(folder).exit_code == 0


def test_a_final_version_without_a_copy_is_not_rebuilt_by_dvc_but_restored(folder: Path) -> None:
    pinned = (folder / "datasets/dvc.lock").read_bytes()
    value_flipped(folder)
    shutil.rmtree(folder / ".dvc/cache")
    for name in ("local", "beside"):
        run(folder, "dvc", "remote", "remove", name)
    with chdir(folder):
        done = CliRunner().invoke(sengu, ["heal", str(FOLDER)])
    assert done.exit_code != 0
    assert "`sengu dataset restore B` makes it again" in done.output, done.output
    assert (folder / "datasets/dvc.lock").read_bytes() == pinned
    follow(folder, "`sengu dataset restore B`")
    assert check(folder).exit_code == 0


@pytest.mark.parametrize("tamper", [index_shortened, another_archive_pinned])
def test_an_index_that_is_not_pinned_proves_nothing(folder: Path, tamper: Callable[[Path], None]) -> None:
    tamper(folder)
    done = check(folder)
    assert done.exit_code == 1
    assert "(all): " in done.stdout
    assert "data/index/camera.csv" in done.stdout


def test_nothing_is_wrong_with_what_nobody_touched(finalised: Path) -> None:
    done = check(finalised)
    assert (done.exit_code, done.stdout) == (0, "1 final version: B; 0 faults\n")
    assert check(finalised, "--deep").exit_code == 0
    assert (check(finalised, "--quiet").stdout, check(finalised, "--quiet").exit_code) == ("", 0)


def test_plots_may_change(folder: Path) -> None:
    rewrite(folder / FOLDER / "classes.svg", lambda text: text + "<!-- of another matplotlib -->\n")
    assert "is another picture than at its tag: this is allowed" in check(folder).stderr
    run(folder, "dvc", "commit", "--force", "--quiet", "datasets/dvc.yaml:B")
    done = check(folder)
    assert done.exit_code == 0, done.output
    assert "plots or contact sheets differ from those at its tag, tables do not" in done.stderr


def test_code_deps_may_move(folder: Path) -> None:
    lock(folder, lambda found: found["B"].update(deps=[]))
    assert check(folder).exit_code == 0


def test_an_erased_object_is_the_one_absence_allowed(folder: Path) -> None:
    name = versioned.ids("dots")[0]
    index_shortened_and_pinned(folder)
    some_object(folder).unlink()
    (folder / "tombstones.csv").write_text(f"objectId,reason,date\n{name},asked for,2026-11-27\n")
    done = check(folder)
    assert done.exit_code == 0, done.output


def test_a_clone_without_tags_is_told_so(finalised: Path, tmp_path: Path) -> None:
    run(tmp_path, "git", "clone", "--quiet", "--no-tags", str(finalised), "clone")
    done = check(tmp_path / "clone")
    assert done.exit_code == 2
    assert "this clone has no tags, so nothing can be proved of B: run `git fetch --tags`" in done.stderr
    assert check(tmp_path / "clone", "--quiet").exit_code == 0
    run(tmp_path / "clone", *["git", "fetch", "--tags"])
    assert check(tmp_path / "clone").exit_code == 0


def test_a_tag_without_its_message_is_fetched_before_a_version_is_restored(finalised: Path, tmp_path: Path) -> None:
    run(tmp_path, "git", "clone", "--quiet", str(finalised), "clone")
    run(tmp_path / "clone", "git", "tag", "--force", TAG)
    done = attempt(tmp_path / "clone", "sengu", "dataset", "restore", "B")
    cure = re.search("has no hashes in its message.*`(git fetch [^`]*)`", done.stdout)
    assert cure is not None, done.stdout
    run(tmp_path / "clone", *cure[1].split())
    assert "has no hashes in its message" not in attempt(tmp_path / "clone", "sengu", "dataset", "restore", "B").stdout


def test_a_clone_that_pulled_nothing_proves_what_git_knows(finalised: Path, tmp_path: Path) -> None:
    run(tmp_path, "git", "clone", "--quiet", str(finalised), "clone")
    done = check(tmp_path / "clone")
    assert (done.exit_code, done.stdout) == (0, "1 final version: B; 0 faults\n"), done.output
    gone = "its tables are not here, so its objects were not looked for: `dvc pull data/dataset/B`"
    assert gone in done.stderr
    run(tmp_path / "clone", *re.findall("`(.*)`", gone)[0].split())
    assert gone not in check(tmp_path / "clone").stderr
    shutil.copy(finalised / "datasets/dvc.lock", tmp_path)
    lock_edited(tmp_path / "clone")
    assert check(tmp_path / "clone").exit_code == 1
