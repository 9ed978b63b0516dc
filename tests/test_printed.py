"""Every command that stands in a block of README or docs: a test runs it as printed, or this says why none can."""

import re
import shlex
from pathlib import Path

import click
import pytest
from project import ROOT, copy_of_the_project, run
from test_docs import LISTED, PAGES, commands

from sengu.commands.main import sengu

# typed here, in this order, in a copy of the project without outputs
IN_A_COPY = """
sengu site add birds --start https://birds.example.org/gallery --contact you@example.org --tags ".tags a::text"
sengu site add scope --folder /mnt/microscope --device "scope 3" --path "(?P<tag>[^/]+)/"
sengu site add lab --s3 s3://lab-pictures/2024
sengu site add old --warc "../old/*.warc.gz"
sengu dataset create A --purpose "Tell dots from stripes." --description "All labels of November."
dvc remote add second s3://elsewhere/sengu
dvc remote modify second verify true
dvc cache dir --local /mnt/share/dvc-cache
dvc config --local cache.shared group
dvc config --local cache.type reflink,hardlink,symlink
dvc config --local core.site_cache_dir /var/tmp/dvc-$USER
"""

# typed here in the demo, once it has run; `595c…` stands for the beginning of any object id
IN_THE_DEMO = """
sengu objects info 00707cd7
sengu objects path 00707cd7
sengu label why 00707cd7
sengu similar 595c…
sengu similar 595c… --by class
sengu similar 595c… --json
sengu dataset log [NAME]
sengu dataset show NAME
sengu dataset sample NAME [--number 6] [--html sample.html]
sengu similar 595c… --html page.html
dvc repro extract@birds
dvc repro train
dvc repro evaluate
dvc repro export
dvc repro embed
dvc exp show --only-changed --drop '.*(test|auc|ece|head.json)'
"""
FILLED_IN = {"595c…": "0070", "[NAME]": "v1", "NAME": "v1", "extract@birds": "extract@demo_a"}  # the demo stays as it is

# tests run these with names of their own: the file has the words of the command and its options
WITH_OTHER_NAMES = {
    "sengu dataset diff A B [--html diff.html]": "commands/dataset/test_versions.py",
    "sengu dataset compare A A-clean AB": "commands/dataset/test_compare_whole.py",
    "sengu dataset create A2 --from A --extend labels/eve.csv --prefer labels --semver 1.1.0 --purpose --description": (
        "commands/dataset/test_versions.py"
    ),
    "dvc repro datasets/dvc.yaml:A2": "commands/dataset/test_versions.py",
    "sengu dataset diff A A2": "commands/dataset/test_versions.py",
    "sengu dataset finalize A": "commands/dataset/test_versions.py",
    "sengu dataset restore A": "commands/dataset/test_versions.py",
    "sengu dataset publish A ../a": "commands/dataset/test_versions.py",
    "sengu objects export --dataset A --format csv ../a-csv": "commands/objects/test_export.py",
    "sengu objects export --dataset A --convert ../a-folders": "commands/objects/test_export.py",
    "dvc get URL data/dataset/A": "commands/dataset/test_versions.py",
    "dvc import URL data/dataset/A --rev datasets=A@v1.0.0": "commands/dataset/test_versions.py",
    "dvc artifacts get URL datasets:A": "commands/dataset/test_versions.py",
    "dvc import ARCHIVE data/raw --out data/raw": "commands/dataset/test_versions.py",
    "dvc import ARCHIVE data/captures --out data/captures": "commands/dataset/test_versions.py",
    "dvc import ARCHIVE data/duplicates.csv --out data/duplicates.csv": "commands/dataset/test_versions.py",
    "dvc import LABELS data/dataset/A --rev datasets=A@v1.0.0 --out data/dataset/A": "commands/dataset/test_versions.py",
    "dvc import sites/camera data/raw/camera --out data/raw/camera": "commands/dataset/test_versions.py",
    "dvc repro datasets/dvc.yaml:A": "commands/dataset/test_versions.py",
    "dvc exp run --set-param split.dataset=A-clean evaluate": "soak/family.py",
    "dvc exp run --set-param train.fine_tune.rate=0.0001 evaluate": "test_reproduction.py",
    "dvc exp run --set-param train.fine_tune.augmentation.rotation=15 evaluate": "test_reproduction.py",
    "dvc exp diff HEAD NAME": "test_reproduction.py",
    "sengu similar photo.jpg -n 50": "commands/test_similar.py",
    "sengu suggest -n 200": "commands/test_suggest.py",
    "sengu label import suggestions.csv --annotator YOU": "commands/test_suggest.py",
    "sengu model register 0.2.0": "commands/test_model.py",
    "sengu model bundle DIR": "commands/test_model.py",
    "dvc artifacts get URL classifier --rev v0.2.0": "commands/test_model.py",
    "sengu where FILE": "commands/test_where.py",
    "sengu where 'model (1).zip'": "commands/test_where.py",
    "sengu label page --host label.example.org --certificate page.pem": "commands/label/test_page.py",
    "sengu label sheet --queue uncertain -n 50 --annotator anna --rule R1": "commands/label/test_label.py",
    "sengu label import project.json": "commands/label/test_label.py",
    "sengu predict --csv DIR": "commands/test_predict.py",
    "sengu predict picture.jpg": "commands/test_predict.py",
    "sengu predict -": "commands/test_predict.py",
    "sengu predict --json pictures/": "commands/test_predict.py",
    "sengu predict --model there/dots-or-stripes-0.1.0.zip picture.jpg": "commands/test_predict.py",
    "sengu objects erase ID… --reason TEXT": "commands/objects/test_erase.py",
    "sengu site add birds --start https://birds.example.org/gallery --spider birds --contact you@example.org": (
        "commands/site/test_group.py"
    ),
    "sengu crawl birds": "commands/test_crawl.py",
    "sengu crawl --stale 7d": "commands/test_crawl.py",
    "dvc push --all-branches --all-tags": "remote/test_configuration.py",
    "dvc commit --force crawl@NAME": "commands/test_arrive.py",
    "sengu verify --budget 1h": "commands/test_verify.py",
    "sengu verify data/raw": "commands/test_verify.py",
    "sengu heal data/raw/birds": "commands/test_verify.py",
    "sengu remote init s3://BUCKET/PREFIX": "remote/test_configuration.py",
    "sengu remote init s3://your-bucket/sengu": "remote/test_configuration.py",
    "sengu remote check --deep --budget 5%": "commands/remote/test_commands.py",
    "sengu remote check --deep --budget 1h": "commands/remote/test_commands.py",
}

INSTALLS = "it installs an environment from the package index, as CI does before the tests"
CANNOT = {
    "make repro": f"{INSTALLS}; then it is `dvc repro`",
    "make test": "it is the run that this test is a part of",
    "make install": INSTALLS,
    "make pull": f"{INSTALLS}; then it is `sengu remote pull`",
    "dvc plots diff --open": "it opens a browser",
    "dvc push --remote second": "it needs a second bucket; remote/test_own_remote.py tests `sengu remote push` to two remotes",
    "python -m pytest tests/crawlers -k sources": "it is a part of the run that this test is a part of",
    "python -m sengu.stages.label labels_sharpness tombstones.csv data/captures data/index data/rejected": (
        "it is part of a stage that the page explains; the paths go on in the next line"
    ),
    "python -m sengu.stages.split data/dataset/v1 data/duplicates.csv data/version.txt data/split_label.csv": (
        "test_pipeline.py holds the commands of stages against their paths, and `dvc repro` runs them"
    ),
    "python models/embedded/reconstruct.py LITE0.whl cifar10.zip PHOTOGRAPHS models/embedded/efficientnet-b0.npz": (
        "it needs data that is not in the repository, and takes a quarter of an hour"
    ),
}


def typed(lines: str) -> list[list[str]]:
    return [shlex.split(line) for line in lines.strip().splitlines()]


def printed_in_blocks() -> dict[str, str]:
    """Each different command in the blocks of code of README and docs, and its page."""
    pages: dict[str, str] = {}
    for page in PAGES:
        fence = None  # the language of the block that this line is in
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith("```"):
                fence = line[3:] or "text" if fence is None else None
            elif (fence in ("sh", "console") or (fence is None and line.startswith("    "))) and not LISTED.match(line.strip()):
                pages |= {shlex.join(words): page.name for words in commands(line.strip().removeprefix("$ "))}
    return pages


def tests() -> dict[str, str]:
    files = sorted((ROOT / "tests").rglob("*.py"))
    return {str(path.relative_to(ROOT / "tests")): path.read_text() for path in files if path.name != "test_printed.py"}


def in_a_row(words: list[str]) -> re.Pattern[str]:
    """The words as a test passes them to a program, one text each; `sengu` itself may be named by a helper."""
    return re.compile(r",\s*".join(rf"f?['\"]{re.escape(word)}['\"]" for word in words[words[0] == "sengu" :]))


def test_every_printed_command_is_run_by_a_test_or_says_why_not() -> None:
    sources = tests()
    here = {shlex.join(words) for words in [*typed(IN_A_COPY), *typed(IN_THE_DEMO)]}
    marked = [shlex.join(shlex.split(command)) for command in [*WITH_OTHER_NAMES, *CANNOT]]
    in_blocks = printed_in_blocks()
    as_printed = {
        command for command in in_blocks if any(in_a_row(shlex.split(command)).search(text) for text in sources.values())
    }
    missing = [f"{page}: {command}" for command, page in in_blocks.items() if command not in {*here, *marked, *as_printed}]
    assert missing == [], "type these in a test as printed, or say in test_printed.py why none can"
    stale = [command for command in [*here, *marked] if command not in in_blocks]
    assert stale == [], "no page prints these"
    assert not as_printed & set(CANNOT), "a test runs these"


@pytest.mark.parametrize(("command", "file"), WITH_OTHER_NAMES.items())
def test_the_file_that_runs_a_command_with_other_names_has_its_words(command: str, file: str) -> None:
    program, *words = shlex.split(command)
    names = names_of(words) if program == "sengu" else words[:1]
    options = [word.strip("[]").partition("=")[0] for word in words if re.match(r"\[?--?[a-z]", word)]
    text = (ROOT / "tests" / file).read_text()
    assert in_a_row([program, *names]).search(text) or " ".join([program, *names]) in text
    assert [option for option in options if option not in text] == []


def names_of(words: list[str]) -> list[str]:
    """The words that choose a command of `sengu`."""
    group, names = sengu, []
    while isinstance(group, click.Group):
        names.append(words[len(names)])
        group = group.get_command(click.Context(group), names[-1])
    return names


def test_commands_are_typed_in_a_copy_as_they_are_printed(tmp_path: Path) -> None:
    folder = copy_of_the_project(tmp_path / "project")
    for words in typed(IN_A_COPY):
        run(folder, *words)
    params = (folder / "params.yaml").read_text()
    assert all(f"\n  {site}:\n" in params for site in ("birds", "scope", "lab", "old"))
    assert "s3://elsewhere/sengu" in (folder / ".dvc/config").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("words", typed(IN_THE_DEMO), ids=" ".join)
def test_commands_are_typed_in_the_demo_as_they_are_printed(words: list[str], rebuilt: Path, tmp_path: Path) -> None:
    filled_in = [FILLED_IN.get(word, word.strip("[]")) for word in words]
    assert run(rebuilt, *(str(tmp_path / word) if word.endswith(".html") else word for word in filled_in))
