"""Bad input of labels and versions in a small Git repository: one clear error each, with a cure, and nothing overwritten."""

import re
import shlex
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from embedded import COLOURS, IDS, picture
from project import attempt, run

from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId, url_id
from sengu.commands.dataset import proof
from sengu.commands.main import sengu
from sengu.datasets import lineage, tags
from sengu.objects.store import ObjectTree
from sengu.repository import pipeline
from sengu.stages import dataset, label

CLASSES = ("warm", "cold")
WARM = ("red", "orange", "brown")
RULES = "# Rules\n\n## R1 Colours\n\nFire is warm.\n"
HEADER = "objectId,value,annotator,labelledAt,rule,how,note\n"
SHEET = HEADER + "".join(
    f"{IDS[name]},{'warm' if name in WARM else 'cold'},anna,2026-01-01T00:00:00Z,R1,blind,\n" for name in sorted(COLOURS)[:6]
)
LABEL = ["labels", "tombstones.csv", "data/captures", "data/index", "data/rejected"]
LABEL += [f"data/{name}.csv" for name in ("label", "label_conflicts", "label_details")]
WORDS = ("--purpose", "tests", "--description", "a version")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures of which Anna labelled six; the version A, and B which comes from it."""
    folder = tmp_path_factory.mktemp("bad") / "project"
    (folder / "labels").mkdir(parents=True)
    (folder / "datasets").mkdir()
    document = {"sites": {"a": {"fetch": {"source": "folder", "folder": "x"}}}, "label": {"classes": list(CLASSES)}}
    (folder / "params.yaml").write_text(yaml.safe_dump({**document, "project": {"licence": "CC0-1.0"}}))
    index, captures = [], []
    for name, colour in COLOURS.items():
        url, data = f"file:{name}.png", picture(colour)
        ObjectTree(folder / "data/object/a").put(ObjectId.parse(IDS[name]), data)
        index.append(tables.IndexRow(IDS[name], url_id(url), "png", 60, 40, len(data)))
        captures.append(tables.Capture(url_id(url), url, "", "", "", f"{name}.png", "2026-01-01T00:00:00Z", "", 200))
    tables.write(folder / "data/index/a.csv", tables.frame(index, tables.IndexRow), tables.IndexRow)
    tables.write(folder / "data/captures/a.csv", tables.frame(captures, tables.Capture), tables.Capture)
    tables.write(folder / "data/rejected/a.csv", tables.empty(tables.Rejected), tables.Rejected)
    (folder / "tombstones.csv").write_text("objectId,reason,date\n")
    (folder / "labels/anna.csv").write_text(SHEET)
    (folder / "labels/RULES.md").write_text(RULES)
    (folder / "datasets/dvc.yaml").write_text("stages: {}\n")
    (folder / ".gitignore").write_text("/data/\n")
    with chdir(folder):
        label.main(LABEL)
        for name, options in (("A", ()), ("B", ("--from", "A"))):
            create(name, *options)
            build(name)
    for command in ("init --quiet --initial-branch main", "add .", "commit --quiet --message all"):
        run(folder, "git", *command.split())
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(copy)
    return copy


def create(name: str, *options: str) -> None:
    CliRunner().invoke(sengu, ["dataset", "create", name, *options, *WORDS], catch_exceptions=False)


def build(name: str) -> None:
    """Runs the command of a stage as DVC does."""
    dataset.main(shlex.split(pipeline.versions()[name]["cmd"])[3:])


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def error(*arguments: str) -> str:
    """The error of a command, after which all that people and stages wrote is as it was."""
    before = state()
    done = CliRunner().invoke(sengu, arguments)
    assert done.exit_code == 1
    assert state() == before
    return str(done.exception) if isinstance(done.exception, SenguError) else done.output


def refused(name: str) -> str:
    """The error of the stage of a version, likewise."""
    before = state()
    with pytest.raises(SenguError) as caught:
        build(name)
    assert state() == before
    return str(caught.value)


def state() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file() and path.parts[0] != ".git"}


def test_a_circle_of_parents(folder: Path) -> None:
    stages = yaml.safe_load(Path("datasets/dvc.yaml").read_text())
    stages["stages"]["A"]["deps"].append("data/dataset/B")
    Path("datasets/dvc.yaml").write_text(yaml.safe_dump(stages))
    assert error("dataset", "list") == (
        "datasets/dvc.yaml: --from in the command of A and its deps differ: B: name the same parents in both"
    )
    stages["stages"]["A"]["cmd"] += " --from data/dataset/B --extend labels/a.csv"
    Path("datasets/dvc.yaml").write_text(yaml.safe_dump(stages))
    expected = r"datasets/dvc\.yaml: (A <- B <- A|B <- A <- B) is a circle: take one of these parents out"
    for command in (("list",), ("log",), ("create", "C", "--from", "B", *WORDS)):
        assert re.fullmatch(expected, error("dataset", *command))


def test_a_parent_without_a_stage(folder: Path) -> None:
    stages = yaml.safe_load(Path("datasets/dvc.yaml").read_text())
    del stages["stages"]["A"]
    Path("datasets/dvc.yaml").write_text(yaml.safe_dump(stages))
    expected = (
        "datasets/dvc.yaml: B comes from A, which is not a version: the versions are B; write its stage again, or take it out of "
        "the deps and the command of B"
    )
    for command in (("list",), ("create", "C", "--from", "B", *WORDS)):
        assert error("dataset", *command) == expected
    assert "there is no dataset version A: the versions are B" in error("dataset", "create", "C", "--from", "A", *WORDS)


def test_a_parent_that_is_not_here(folder: Path) -> None:
    shutil.rmtree("data/dataset/A")
    assert refused("B") == "B: parent data/dataset/A is missing: run `dvc repro`, or `dvc pull` if someone else made it"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("width > 9000", "B would be empty (where width > 9000: 6 -> 0): ask for less in --where, --exclude and --clean"),
        (
            "label == 'warm'",
            "B would have no picture of class cold (where label == 'warm': 6 -> 3): label some, or ask",
        ),
    ],
    ids=["empty", "a class without a picture"],
)
def test_a_version_without_pictures(folder: Path, where: str, message: str) -> None:
    edit("datasets/dvc.yaml", "--from data/dataset/A", f"--from data/dataset/A --where {shlex.quote(where)}")
    said = refused("B")
    assert message in said
    assert "datasets/dvc.yaml" in said


def final(name: str) -> None:
    """Makes a version final, but for what DVC and a remote have to say."""
    said = dict.fromkeys(tags.KEYS, "none")
    said |= {key: proof.both(Path("data/dataset") / name / key) for key in (tags.LABEL, tags.METADATA)}
    pipeline.freeze_version(name, {lineage.FINALISED: "1.0.0"})
    run(Path(), "git", "commit", "--quiet", "--all", "--message", "final")
    said[tags.COMMIT] = run(Path(), "git", "rev-parse", "HEAD").strip()
    run(Path(), "git", "tag", f"datasets={name}@v1.0.0", "--message", tags.message(name, "1.0.0", said))


def test_a_final_version_that_was_edited_by_hand(folder: Path) -> None:
    final("A")
    edit("data/dataset/A/label.csv", ",1\n", ",0\n")
    edit("datasets/dvc.yaml", "a version", "another")
    said = error("dataset", "check", "A")
    assert "A: data/dataset/A/label.csv: is not what it was: MD5 " in said
    assert "`sengu heal data/dataset/A`, or `sengu dataset restore A`" in said
    assert "A: datasets/dvc.yaml: cmd of its stage is not what it was at its tag: `git checkout 'datasets=A@v1.0.0'" in said


def test_a_final_version_gets_no_other_labels(folder: Path) -> None:
    final("A")
    with Path("labels/anna.csv").open("a") as stream:
        stream.write(f"{IDS['red']},cold,anna,2026-02-01T00:00:00Z,R1,blind,\n")
    label.main(LABEL)
    said = refused("A")
    assert said.startswith("the labels of A would change, but it is final (datasets=A@v1.0.0), and B comes from it: ")
    assert said.endswith(
        "to make another version with the current labels, run `sengu dataset create A-2 --purpose … --description …`"
    )


def merged(folder: Path) -> Path:
    """datasets/dvc.yaml where `git merge` stopped, as two branches have each a version C."""
    run(folder, "git", "checkout", "--quiet", "-b", "ben")
    create("C", "--from", "A", "--where", "width > 3")
    run(folder, "git", "commit", "--quiet", "--all", "--message", "C of Ben")
    run(folder, "git", "checkout", "--quiet", "main")
    create("C", "--from", "B")
    run(folder, "git", "commit", "--quiet", "--all", "--message", "C of Anna")
    assert attempt(folder, "git", "merge", "--quiet", "--no-edit", "ben").returncode
    return Path("datasets/dvc.yaml")


def test_two_branches_that_make_versions_of_one_name(folder: Path) -> None:
    path = merged(folder)
    for command in (("list",), ("create", "D", "--from", "A", *WORDS), ("check",)):
        said = error("dataset", *command)
        assert said.startswith("datasets/dvc.yaml: ")
        assert said.endswith("a merge stopped here: resolve it; if two branches have a version of one name, rename one of them")
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith(("<<<", "===", ">>>"))))
    assert error("dataset", "list") == (
        "datasets/dvc.yaml: the command of C has --from twice: write it once, or, if two branches have a version of this name, "
        "make two stages of it and rename one"
    )
    ours, theirs = (run(folder, "git", "show", f"{branch}:datasets/dvc.yaml") for branch in ("main", "ben"))
    path.write_text(ours.replace("\nartifacts:", theirs[theirs.index("\n  C:") : theirs.index("\nartifacts:")] + "\nartifacts:"))
    said = error("dataset", "list")
    assert said.startswith("datasets/dvc.yaml: ")
    assert 'duplicate key "C"' in said
    assert said.endswith("two branches have a version of this name: rename one of them")


def labels_refused() -> str:
    """The error of the stage `label`, after which its tables are as they were; `sengu label check` says the same."""
    before = state()
    with pytest.raises(SenguError) as caught:
        label.main(LABEL)
    assert state() == before
    assert str(caught.value) in error("label", "check")
    return str(caught.value)


def test_a_sheet_of_two_people(folder: Path) -> None:
    with Path("labels/anna.csv").open("a") as stream:
        stream.write(f"{IDS['red']},warm,ben,2026-02-01T00:00:00Z,R1,blind,\n")
    assert labels_refused() == (
        "labels/anna.csv:8: the sheet names 2 annotators, anna (line 2) and ben (line 8): give each of them a separate sheet; "
        "`sengu label import` splits such a file"
    )


def test_a_clock_in_the_future(folder: Path) -> None:
    with Path("labels/anna.csv").open("a") as stream:
        stream.write(f"{IDS['red']},cold,anna,2999-01-01T00:00:00Z,R1,blind,\n")
    assert labels_refused() == (
        "labels/anna.csv:8: labelledAt is '2999-01-01T00:00:00Z', which lies in the future: correct it, or the clock of this "
        "machine"
    )


def test_a_rule_was_deleted_that_labels_cite(folder: Path) -> None:
    Path("labels/RULES.md").write_text(RULES.replace("## R1", "## R2"))
    said = error("label", "check")
    assert (
        "labels/anna.csv:2: rule R1 is not in RULES.md, but is cited by 6 lines: restore the rule (Git has its text), or label "
        "those pictures again"
    ) in said
    assert "R1  is not in labels/RULES.md: cited by 6 decisions" in CliRunner().invoke(sengu, ["label", "rules"]).output


def test_a_parent_of_which_a_picture_was_erased(folder: Path) -> None:
    Path("tombstones.csv").write_text(f"objectId,reason,date\n{IDS['red']},asked for,2026-02-01\n")
    build("B")
    children = tables.read(Path("data/dataset/B/label.csv"), tables.Label)["objectId"].tolist()
    assert IDS["red"] not in children
    assert IDS["red"] in tables.read(Path("data/dataset/A/label.csv"), tables.Label)["objectId"].tolist()
