"""`sengu label` in a small Git repository: three people, two rules, one edit of a rule."""

import csv
import json
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from embedded import COLOURS, IDS, LABELLED, make, sengu_in
from project import run

from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.tables import csvfile
from sengu.commands.label import sheet as sheets_to_fill
from sengu.commands.label.label_set import LabelSet
from sengu.commands.label.material import Repository
from sengu.commands.main import sengu
from sengu.labels import rules

RULES = "# Rules\n\n## R1 Dots\n\nRound spots.\n\n## R2 Stripes\n\nLines.\n"
HEADER = "objectId,value,annotator,labelledAt,rule,how,note\n"
RED, BLUE, GREY, WHITE = (IDS[name] for name in ("red", "blue", "grey", "white"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make(tmp_path_factory.mktemp("label"))
    tables.write(folder / "data/rejected/a.csv", tables.empty(tables.Rejected), tables.Rejected)
    labels = tables.frame([tables.Label(RED, 0), tables.Label(BLUE, 1)], tables.Label)
    tables.write(folder / "data/dataset/v1/label.csv", labels, tables.Label)
    split = [tables.SplitLabel(RED, 0, "test"), tables.SplitLabel(BLUE, 1, "train")]
    tables.write(folder / "data/split_label.csv", tables.frame(split, tables.SplitLabel), tables.SplitLabel)
    (folder / ".gitignore").write_text("/data/\n")
    (folder / "labels/RULES.md").write_text(RULES)
    one, two = (rule.citation for rule in rules.read(folder / "labels").values())
    for name, lines in {
        "anna": [(RED, "dots", "01", one), (BLUE, "stripes", "01", two), (GREY, "dots", "01", one), (GREY, "stripes", "05", two)],
        "ben": [(RED, "dots", "02", one), (BLUE, "stripes", "02", two), (GREY, "dots", "02", one)],
        "eve": [(RED, "dots", "03", "R1"), (BLUE, "dots", "03", two)],
    }.items():
        cells = [f"{known},{value},{name},2026-01-{day}T00:00:00Z,{rule},blind," for known, value, day, rule in lines]
        (folder / f"labels/{name}.csv").write_text(HEADER + "\n".join(cells) + "\n")
    (folder / "dvc.lock").write_text("schema: '2.0'\nstages:\n  split:\n    cmd: x data/dataset/v1 y\n")
    for command in ("init -q", "add .", "commit -qm labels", "tag classifier@v1.0.0"):
        run(folder, "git", *command.split())
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "copy")


def failing(folder: Path, *arguments: str) -> str:
    with chdir(folder):
        done = CliRunner().invoke(sengu, arguments)
    assert done.exit_code == 1
    return done.output


def checked(folder: Path) -> dict:
    return json.loads(sengu_in(folder, "label", "check", "--json"))


def edit_rule(folder: Path) -> None:
    (folder / "labels/RULES.md").write_text(RULES.replace("Round spots.", "Round spots, rings too."))


def test_check_counts_and_measures_agreement(folder: Path) -> None:
    text = sengu_in(folder, "label", "check")
    assert "9 decisions, 8 of them in force; 1 label; 2 objects whose sources differ, 2 of them left out" in text
    assert "by annotator: anna 3, ben 3, eve 2" in text
    assert "by how: blind 8" in text
    assert "anna and ben: 3 pictures; raw 0.667" in text
    found = checked(folder)
    assert found["problems"] == []
    assert found["counts"]["class"] == {"dots": 5, "stripes": 3}
    assert set(found["agreement"]) == {
        "all", "anna and ben", "anna and eve", "ben and eve", "class dots", "class stripes", "rule R1", "rule R2",
    }  # fmt: skip
    assert found["agreement"]["rule R2"]["pictures"] == 2


def test_check_names_what_contradicts_and_fails(folder: Path) -> None:
    text = RULES.replace("## R2 Stripes", "## R3 Stripes") + f"\n- `{RED}`: stripes: no\n- `{WHITE}`: rings\n"
    (folder / "labels/RULES.md").write_text(text)
    with (folder / "labels/eve.csv").open("a") as stream:
        stream.write(f"{BLUE},dots,eve,2026-01-03T00:00:00Z,,blind,\n{'0' * 40}.jpg,dots,eve,,,,\n")
    output = failing(folder, "label", "check")
    assert f"labels/eve.csv:5: no object has the objectId '{'0' * 40}.jpg'" in output
    assert "labels/eve.csv:4: repeats labels/eve.csv:3: delete one of the two lines" in output
    assert "rule R2 is not in RULES.md, but is cited by 4 lines: restore the rule" in output
    assert f"example {RED} of R3 is stripes, but its label is dots" in output
    assert f"example {WHITE} of R3 has the unknown class 'rings'" in output
    assert "5 problems" in output


def test_nobody_blind_is_said_in_words(folder: Path) -> None:
    for path in (folder / "labels").glob("*.csv"):
        path.write_text(path.read_text().replace("blind", "page"))
    text = sengu_in(folder, "label", "check")
    assert "all: 0 pictures; raw undefined (no picture was labelled by two annotators)" in text
    assert "class dots:" not in text


def test_consensus_is_a_suggestion_in_a_file_of_its_own(folder: Path) -> None:
    before = (folder / "data/label.csv").read_bytes()
    text = sengu_in(folder, "label", "check", "--consensus", "consensus.csv")
    assert "estimated quality of annotators: anna" in text
    rows = csvfile.read(folder / "consensus.csv")
    assert set(rows["objectId"]) == {RED, BLUE, GREY}
    assert rows["value"].eq("").all()
    assert (folder / "data/label.csv").read_bytes() == before


def test_why_tells_who_when_how_by_which_rule_and_what_came_of_it(folder: Path) -> None:
    edit_rule(folder)
    text = sengu_in(folder, "label", "why", RED[:12])
    assert text.startswith(f"{RED}: dots\n")
    assert "dots, by anna, 2026-01-01T00:00:00Z, blind (labels/anna.csv:2): stands" in text
    assert "(changed since) Dots: Round spots." in text
    assert "version v1: dots" in text
    assert text.endswith("split: test\n")
    grey = json.loads(sengu_in(folder, "label", "why", GREY, "--json"))
    assert [(word["by"], word["value"]) for word in grey["words"]] == [("anna", "dots"), ("ben", "dots"), ("anna", "stripes")]
    assert grey["words"][0]["outcome"] == "replaced by a later decision of anna, labels/anna.csv:5"
    assert grey["words"][2]["outcome"] == "left out: sources differ, and label.disagreement is leave_out"
    assert grey["label"] == ""
    assert "no decision yet" in sengu_in(folder, "label", "why", WHITE)


def test_after_an_edit_of_a_rule_exactly_its_labels_are_listed(folder: Path) -> None:
    assert "every label that cites a rule was made under its present text" in sengu_in(folder, "label", "rules", "--changed")
    edit_rule(folder)
    (one,) = json.loads(sengu_in(folder, "label", "rules", "--changed", "--json"))
    assert one == {
        "rule": "R1", "objects": sorted([RED, GREY]), "versions": {"v1": 1}, "releases": ["classifier@v1.0.0 (of version v1)"],
        "of_test": 1, "test": 1,
    }  # fmt: skip
    text = sengu_in(folder, "label", "rules", "--changed", "--out", "again.csv")
    assert "in the test split: 1 of 1 (100.0%)" in text
    sheet = csvfile.read(folder / "again.csv")
    assert sheet["objectId"].tolist() == sorted([RED, GREY])
    assert set(sheet["rule"]) == {rules.read(folder / "labels")["R1"].citation}
    assert sheet["value"].eq("").all()
    with pytest.raises(SenguError, match="again.csv already exists"):
        sengu_in(folder, "label", "rules", "--changed", "--out", "again.csv")


def test_a_word_without_a_hash_is_dated_by_git(folder: Path) -> None:
    for path in (folder / "labels").glob("*.csv"):
        path.unlink()
    (folder / "labels/old.csv").write_text(f"objectId,value,rule\n{RED},dots,R1\n{BLUE},stripes,R2\n")
    edit_rule(folder)
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "-qm", "both", GIT_AUTHOR_DATE="2040-01-01T00:00:00Z", GIT_COMMITTER_DATE="2040-01-01T00:00:00Z")
    assert "every label that cites a rule was made under its present text" in sengu_in(folder, "label", "rules", "--changed")
    (folder / "labels/RULES.md").write_text((folder / "labels/RULES.md").read_text().replace("Lines.", "Straight lines."))
    run(folder, "git", "commit", "-qam", "R2", GIT_AUTHOR_DATE="2041-01-01T00:00:00Z", GIT_COMMITTER_DATE="2041-01-01T00:00:00Z")
    (one,) = json.loads(sengu_in(folder, "label", "rules", "--changed", "--json"))
    assert (one["rule"], one["objects"]) == ("R2", [BLUE])


def test_rules_are_listed_as_a_sheet_cites_them(folder: Path) -> None:
    text = sengu_in(folder, "label", "rules")
    assert f"{rules.read(folder / 'labels')['R1'].citation}  Dots: cited by 4 decisions, 0 examples" in text


def test_a_correction_becomes_an_example(folder: Path) -> None:
    citation = rules.read(folder / "labels")["R2"].citation
    text = sengu_in(folder, "label", "example", RED[:10], "--rule", "r2", "--is", "stripes", "--why", "the lines are faint")
    assert f"R2: - `{RED}`: stripes, was dots: the lines are faint" in text
    assert rules.read(folder / "labels")["R2"].citation == citation
    with pytest.raises(SenguError, match="'rings' is not a class"):
        sengu_in(folder, "label", "example", BLUE, "--rule", "R2", "--is", "rings", "--why", "x")


def sheet(folder: Path, *arguments: str) -> list[str]:
    (folder / "sheet.csv").unlink(missing_ok=True)
    sengu_in(folder, "label", "sheet", *arguments)
    return csvfile.read(folder / "sheet.csv")["objectId"].tolist()


def test_a_sheet_asks_for_what_its_queue_says(folder: Path) -> None:
    rest = {IDS[name] for name in COLOURS} - {RED, BLUE, GREY}
    for queue in ("random", "site", "tag", "uncertain"):
        assert set(sheet(folder, "--queue", queue)) == rest
    assert sheet(folder, "--queue", "random") == sheet(folder, "--queue", "random")
    assert len(sheet(folder, "-n", "2")) == 2
    assert set(sheet(folder, "--queue", "disagreement")) == {BLUE, GREY}
    assert set(sheet(folder, "--again", "--annotator", "eve")) == rest | {GREY}
    rows = [tables.LabelError(RED, 0, 1, "0.100000", "yes"), tables.LabelError(BLUE, 1, 0, "0.2", "yes")]
    (folder / "reports").mkdir()
    tables.write(folder / "reports/label_errors.csv", tables.frame(rows, tables.LabelError), tables.LabelError)
    assert sheet(folder, "--queue", "suspect") == [RED]
    edit_rule(folder)
    assert sheet(folder, "--queue", "rule-changed") == sorted([RED, GREY])
    assert sheet(folder, "--queue", "rule-changed", "--where", "label == 'dots'") == [RED]
    assert sheet(folder, "--queue", "disagreement", "--where", f"objectId == '{GREY}' and width == 60") == [GREY]
    few = "though you asked for 200: the queue has no more; --again --annotator NAME also asks for pictures that others labelled"
    assert few in sengu_in(folder, "label", "sheet", "--out", "few.csv")
    with pytest.raises(SenguError, match="the queue random is empty, with this condition: try another, or ask with --again"):
        (folder / "sheet.csv").unlink()
        sengu_in(folder, "label", "sheet", "--where", "width > 60")


def test_a_sheet_filled_in_is_added_to_the_annotators_own(folder: Path) -> None:
    names = sheet(folder, "--queue", "random", "--annotator", "anna", "--rule", "r1")
    path = folder / "sheet.csv"
    path.write_text(path.read_text().replace(f"{names[0]},,", f"{names[0]},stripes,"))
    before = (folder / "labels/anna.csv").read_bytes()
    assert "labels/anna.csv: 1 line added" in sengu_in(folder, "label", "import", "sheet.csv", "--at", "2026-02-01")
    added = (folder / "labels/anna.csv").read_bytes().removeprefix(before).decode()
    citation = rules.read(folder / "labels")["R1"].citation
    assert added == f"{names[0]},stripes,anna,2026-02-01,{citation},blind,\n"
    assert "nothing is new" in sengu_in(folder, "label", "import", "sheet.csv", "--at", "2026-02-01")
    assert "nothing is new" in sengu_in(folder, "label", "import", "sheet.csv")


def test_why_names_the_tag_of_a_page_and_who_outranks_it(folder: Path) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["label"]["tags"] = {"zebra": 1, "dotted": 0, "spots": 0}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    captures = tables.read(folder / "data/captures/a.csv", tables.Capture)
    captures["tags"] = captures["url"].map(lambda url: "spots|dotted|new" if "white" in url else "zebra" if "red" in url else "")
    tables.write(folder / "data/captures/a.csv", captures, tables.Capture)
    assert "  dots, tag dotted spots (http://a.example/<&>): stands\n" in sengu_in(folder, "label", "why", WHITE)
    assert "  stripes, tag zebra (http://a.example/<&>): outranked by a sheet\n" in sengu_in(folder, "label", "why", RED)


def test_a_person_says_in_a_sheet_that_no_class_fits(folder: Path) -> None:
    sheet(folder, "--queue", "random", "--annotator", "eve")
    (folder / "sheet.csv").write_text(f"objectId,value,annotator,how\n{WHITE},-,eve,blind\n")
    assert "labels/eve.csv: 1 line added" in sengu_in(folder, "label", "import", "sheet.csv")
    assert "nothing is new" in sengu_in(folder, "label", "import", "sheet.csv")
    assert "no class fits, by eve" in (said := sengu_in(folder, "label", "why", WHITE)) and said.strip().endswith(": stands")
    assert checked(folder)["counts"]["class"]["no class fits"] == 1
    with chdir(folder):
        page = Repository("")
        assert [word["value"] for word in page.opinions(WHITE, "anna")["words"]] == ["no class fits"]
        assert WHITE not in page.queue("random", "anna", "", 0)
    (folder / "labels/ben.csv").open("a").write(f"{WHITE},dots,ben,2026-03-01T00:00:00Z,,blind,\n")
    assert "no class fits, by eve" in (said := sengu_in(folder, "label", "why", WHITE)) and "left out: sources differ" in said
    shutil.rmtree(folder / "data/dataset")
    with chdir(folder):
        (sides,) = [one["sides"] for one in Repository("").review()["conflicts"] if one["id"] == WHITE]
    assert [(side["value"], side["annotator"]) for side in sides] == [("", "eve"), ("dots", "ben")]


def test_exports_of_other_programs_are_added_under_a_given_name_class_and_origin(folder: Path) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["label"]["classes"] = ["cat", "stripes"]
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    tag = f'<image id="0" name="{WHITE}"><tag label="kitten" source="manual"/></image>'
    (folder / "annotations.xml").write_text(f"<annotations>{tag}</annotations>")
    shutil.rmtree(folder / "labels")
    (folder / "labels").mkdir()
    said = sengu_in(folder, "label", "import", "annotations.xml", "--annotator", "ben", "--map", "kitten=cat")
    assert "labels/ben.csv: 1 line added" in said
    (folder / "predicted.csv").write_text(f"path,class,cat,stripes\n{RED},stripes,0.1,0.9\n")
    said = sengu_in(folder, "label", "import", "predicted.csv", "--annotator", "net-2", "--how", "model")
    assert "labels/net-2.csv: 1 line added" in said
    ((name, value, who, _, _, how, _),) = csv.reader((folder / "labels/net-2.csv").read_text().splitlines()[1:])
    assert (name, value, who, how) == (RED, "stripes", "net-2", "model")


def test_another_label_set_has_sheets_of_its_own(folder: Path) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["label_sets"] = {"sharpness": {"classes": ["sharp", "blurred"]}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "labels_sharpness").mkdir()
    (folder / "labels_sharpness/anna.csv").write_text(f"objectId,value\n{RED},blurred\n")
    assert "by class: blurred 1\n" in sengu_in(folder, "label", "check", "--set", "sharpness")
    assert f"{RED}: blurred" in sengu_in(folder, "label", "why", RED, "--set", "sharpness")
    assert len(LABELLED) == 3


def test_label_sets_share_neither_quiz_nor_versions_nor_the_model(folder: Path) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["label_sets"] = {"turned": {"classes": ["stripes", "dots"]}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for name in ("labels_turned", "quiz", "quiz_turned"):
        (folder / name).mkdir()
    (folder / "labels_turned/anna.csv").write_text(f"objectId,value,how\n{RED},stripes,blind\n")
    (folder / "labels_turned/ben.csv").write_text(f"objectId,value,how\n{RED},stripes,blind\n")
    (folder / "quiz/eve.csv").write_text(f"{HEADER}{RED},dots,eve,2026-01-01T00:00:00Z,,quiz,labels of anna\n")
    (folder / "quiz_turned/ben.csv").write_text(f"{HEADER}{RED},dots,ben,2026-01-01T00:00:00Z,,quiz,labels of anna\n")
    of_set = sengu_in(folder, "label", "check", "--set", "turned")
    assert "quiz: ben agrees with anna on 0 of 1 pictures" in of_set
    assert "quiz: eve" not in of_set
    assert "quiz: eve agrees with anna on 1 of 1 pictures" in sengu_in(folder, "label", "check")
    why = sengu_in(folder, "label", "why", RED, "--set", "turned")
    assert "version" not in why
    assert "split" not in why
    (folder / "reports").mkdir()
    tables.write(folder / "reports/label_errors.csv", tables.empty(tables.LabelError), tables.LabelError)
    for kind in ("uncertain", "class", "suspect"):
        with chdir(folder), pytest.raises(SenguError, match="choose another queue than"):
            sheets_to_fill.queue(LabelSet.called("turned"), kind, "", again=False)
    with chdir(folder):
        assert set(sheets_to_fill.queue(LabelSet.called(""), "uncertain", "", again=False)) == set(IDS.values()) - {
            RED,
            BLUE,
            GREY,
        }
        assert set(Repository("").opinions(WHITE, "anna")["model"]) == {"dots", "stripes"}
        assert Repository("turned").opinions(WHITE, "anna")["model"] == {}
