"""The command of a version's stage and its recipe, there and back; what cannot be a recipe."""

import shlex

import pytest

from sengu.base.errors import SenguError
from sengu.datasets import recipe

TABLES = ["--index", "data/index", "--captures", "data/captures", "--objects", "data/object", "--erased", "tombstones.csv"]
FULL = [
    "data/dataset/AB",
    *("--from", "data/dataset/A", "data/dataset/B", "--prefer", "A", "--where", "site == 'x' and width >= 224"),
    *("--exclude", "datasets/lists/AB-suspect.csv", "--clean", "near-duplicates,small=32", "--set", "reviewer=me & you"),
    *("--semver", "1.2.0", "--purpose", 'to "see"', "--description", "it's A and B", "--duplicates", "data/duplicates.csv"),
    *TABLES,
]


def test_a_recipe_survives_the_shell() -> None:
    made = recipe.parse(FULL)
    assert shlex.split(" ".join(made.command()))[:3] == ["python", "-m", "sengu.stages.dataset"]
    assert recipe.of_stage({"cmd": " ".join(made.command())}) == made
    assert "--where \"site == 'x' and width >= 224\"" in made.command()
    assert made.inputs()[:4] == ["data/dataset/A", "data/dataset/B", "data/duplicates.csv", "datasets/lists/AB-suspect.csv"]


def test_a_script_of_its_own_has_no_recipe() -> None:
    assert recipe.of_stage({"cmd": "python my_script.py data/dataset/mine"}) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data/dataset/v1.0", *TABLES, "--labels", "l"], "'v1.0' cannot name a dataset version: use letters, digits, - and _"),
        (["data/dataset/A", *TABLES], "A: neither --from nor --labels says where its labels come from"),
        (["data/dataset/A", *TABLES, "--from", "B", "--labels", "l"], "--labels beside --from adds labels, but --extend"),
        (["data/dataset/A", *TABLES, "--from", "B", "B"], "parent B appears twice"),
        (["data/dataset/A", *TABLES, "--from", "B", "--prefer", "C"], "--prefer C is none of its parents: choose one of B"),
        (
            ["data/dataset/A", *TABLES, "--from", "B", "--clean", "ugly"],
            "--clean 'ugly': choose from duplicates, near-duplicates",
        ),
        (["data/dataset/A", *TABLES, "--from", "B", "--clean", "small=big"], "write a number behind =, such as small=64.0"),
        (["data/dataset/A", *TABLES, "--from", "B", "--clean", "duplicates"], "needs --duplicates data/duplicates.csv"),
        (["data/dataset/A", *TABLES, "--from", "B", "--where", "site = 'x'"], "is not a condition"),
        (["data/dataset/A", *TABLES, "--from", "B", "--semver", "1.0"], "--semver '1.0' is not a semantic version"),
        (["data/dataset/A", *TABLES, "--from", "B", "--set", "colour"], "--set 'colour': write key=value, each key once"),
        (["data/dataset/A", *TABLES, "--from", "B", "--purpose", "${x}"], "leave out ${, which DVC takes for a param"),
        (["data/dataset/A", *TABLES, "--from", "B", "--colour", "red"], "unrecognized arguments: --colour red"),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], message: str) -> None:
    with pytest.raises(SenguError) as error:
        recipe.parse(arguments)
    assert message in str(error.value)
