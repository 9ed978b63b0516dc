from pathlib import Path

import pytest
from project import ROOT

from sengu.base import params
from sengu.base.errors import SenguError

SPLIT = "split: { dataset: v1, test: [0, 24], validation: [25, 49], leaks: keep }\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def test_the_projects_own_file_is_valid() -> None:
    for name in params.document(ROOT / "params.yaml"):
        params.section(name, params.SECTIONS[name], ROOT / "params.yaml")
    assert set(params.SECTIONS) - set(params.document(ROOT / "params.yaml")) <= {"label_sets", "upload"}


def test_a_section_becomes_a_frozen_dataclass(tmp_path: Path) -> None:
    split = params.section("split", params.Split, write(tmp_path, SPLIT))
    assert split == params.Split(dataset="v1", test=(0, 24), validation=(25, 49), leaks="keep")
    with pytest.raises(AttributeError):
        split.leaks = "exclude"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SPLIT.replace("leaks", "leak"), r"params.yaml: split.leak: unknown key .*the keys are dataset, test, validation, leaks"),
        (SPLIT.replace(", leaks: keep", ""), r"params.yaml: split.leaks: missing"),
        (SPLIT.replace("keep", "drop"), r"params.yaml: split.leaks: .*'exclude' or 'keep' \(found 'drop'\)"),
        (SPLIT.replace("24", "256"), r"params.yaml: split.test.1: .*less than or equal to 255 \(found 256\)"),
        (SPLIT.replace("[0, 24]", "24"), r"params.yaml: split.test: .*\(found 24\)"),
        (SPLIT.replace("v1", "1"), r"params.yaml: split.dataset: .*string \(found 1\)"),
        ("splits: {}\n", r"params.yaml: unknown section 'splits': expected one of .*sites, objects"),
        ("label: {}\n", r"params.yaml: split is missing"),
        ("split: { dataset: 2026-11-21 }\n", r"params.yaml: split: .*write dates and other special values in quotes"),
        (SPLIT + SPLIT, r"params.yaml: not YAML: .*duplicate key"),
        ("- split\n", r"params.yaml: expected sections"),
        ("split: [\n", r"params.yaml: not YAML: .*line 2"),
    ],
)
def test_a_wrong_file_is_named_with_key_and_value(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SenguError, match=message):
        params.section("split", params.Split, write(tmp_path, text))


def test_the_facts_about_the_project_are_optional_texts(tmp_path: Path) -> None:
    assert params.project(write(tmp_path, SPLIT)) == params.Project()
    assert params.project(write(tmp_path, "project: { name: x, licence: CC-BY-4.0 }\n")).licence == "CC-BY-4.0"
    with pytest.raises(SenguError, match=r"project.license: unknown key .*the keys are name, purpose, contact"):
        params.project(write(tmp_path, "project: { license: MIT }\n"))
    with pytest.raises(SenguError, match=r"project.name: .*string \(found 1\)"):
        params.project(write(tmp_path, "project: { name: 1 }\n"))


TRAIN = "train: {{ seed: 1, head: {{ {head} }}, fine_tune: {{ {phase}, augmentation: {{ {augmentation} }} }}{more} }}\n"
PHASE = "epochs: 1, rate: 0.1, batch: 1"
SITE = "sites: { folder: { fetch: { source: folder, folder: x }, read: { tag: a } } }\n"
UNKNOWN = r"unknown key .*; the keys are"


def train(head: str = "penalty: 0.1", phase: str = PHASE, augmentation: str = "", more: str = "") -> str:
    return TRAIN.format(head=head, phase=phase, augmentation=augmentation, more=more)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (train(more=", speed: 1"), f"train.speed: {UNKNOWN} seed, fine_tune, head, class_weights"),
        (train(head="rate: 1"), f"train.head.rate: {UNKNOWN} penalty$"),
        (
            train(phase=f"{PHASE}, speed: 1"),
            f"train.fine_tune.speed: {UNKNOWN} epochs, rate, batch, warm_up, decay, patience, label_smoothing",
        ),
        (train(augmentation="turn: 1"), f"train.fine_tune.augmentation.turn: {UNKNOWN} flip, crop, rotation"),
        ("evaluate: { threshold: { accuracy: 1 } }\n", f"evaluate.threshold.accuracy: {UNKNOWN} precision, recall, f1, cost$"),
        (SITE, f"sites.folder.read.tag: {UNKNOWN} tags, tracking, path$"),
        (SITE.replace("folder: x", "path: x"), f"sites.folder.fetch.path: {UNKNOWN} roll_over, source, folder, device$"),
        (train(head="penalty: 0"), r"train.head.penalty: .*greater than 0"),
        (train(head="penalty: none"), r"train.head.penalty: .*expected auto, or a number greater than 0 \(found 'none'\)"),
        (train(phase=PHASE.replace("0.1", ".inf")), r"train.fine_tune.rate: .*finite number \(found inf\)"),
        (train(phase=f"{PHASE}, warm_up: .nan"), r"train.fine_tune.warm_up: .*finite number \(found nan\)"),
        (train(augmentation="zoom: .nan"), r"augmentation.zoom: .*finite number \(found nan\)"),
        (
            train(phase=PHASE.replace("batch: 1", "batch: 2147483648")),
            r"train.fine_tune.batch: .*less than or equal to 2147483647",
        ),
        (
            train(phase=PHASE.replace("epochs: 1", "epochs: 2147483648")),
            r"train.fine_tune.epochs: .*less than or equal to 2147483647",
        ),
        (train().replace("seed: 1", "seed: 4294967296"), "train.seed: .*less than 4294967296"),
        ("evaluate: { seed: -1 }\n", "evaluate.seed: .*greater than or equal to 0"),
        ("label_errors: { seed: 4294967296 }\n", "label_errors.seed: .*less than 4294967296"),
        ("backbone: { source: '' }\n", "backbone.source: .*at least 1 character"),
    ],
)
def test_a_wrong_key_or_number_anywhere_is_named(tmp_path: Path, text: str, message: str) -> None:
    name = text.partition(":")[0]
    with pytest.raises(SenguError, match=message):
        params.section(name, params.SECTIONS[name], write(tmp_path, text))


@pytest.mark.parametrize(
    ("fetch", "message"),
    [
        ("{ source: generic, start: [x], domains: [], dealy: 1 }", r"sites.a.fetch.dealy: unknown key"),
        ("{ source: generic, start: [x], domains: [], delay: '1' }", r"sites.a.fetch.delay: .*number \(found '1'\)"),
        ("{ source: ftp }", r"sites.a.fetch: .*'generic', 'folder'"),
        ("{ source: folder }", r"sites.a.fetch.folder: missing"),
    ],
)
def test_a_wrong_site_is_named(tmp_path: Path, fetch: str, message: str) -> None:
    path = write(tmp_path, f"sites: {{ a: {{ fetch: {fetch} }} }}\n")
    with pytest.raises(SenguError, match=message):
        params.section("sites.a", params.Site, path)


def test_a_site_name_that_dvc_cannot_take_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "sites: { a.b: { fetch: { source: folder, folder: x } } }\n")
    with pytest.raises(SenguError, match=r"site name 'a.b'"):
        params.site_names(path)


def test_the_file_is_read_as_dvc_reads_it(tmp_path: Path) -> None:
    path = write(tmp_path, "label: { classes: [no, yes], tags: { yes: 1, no: 0 } }\n")
    expected = params.LabelParams(classes=["no", "yes"], tags={"yes": 1, "no": 0})
    assert params.section("label", params.LabelParams, path) == expected
    path = write(tmp_path, "train: { epochs: 1, rate: 1e-3, batch: 1 }\n")
    assert params.section("train", params.Phase, path).rate == 0.001


def test_no_site_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SenguError, match="sites is empty"):
        params.site_names(write(tmp_path, "sites: {}\n"))


def test_no_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(SenguError, match=r"params.yaml is missing: run this in the folder that holds it"):
        params.document(tmp_path / "params.yaml")


@pytest.mark.parametrize("name", ["a/b", "..", "", "a\\u001b", "CON", "Ja"])
def test_a_class_is_named_as_a_folder_can_be(tmp_path: Path, name: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f'label: {{ classes: ["ja", "{name}"] }}\n')
    with pytest.raises(SenguError, match=r"params.yaml: label\.classes.*(class named|classes are named)"):
        params.section("label", params.LabelParams, path)
