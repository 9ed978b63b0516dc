"""Every command that a message of the code names as a cure is in a table, with the test that follows it to the letter."""

import ast
import re

from project import ROOT

MISSING = "test_cures.py::test_what_is_missing_comes_back_by_the_stage_that_is_named"
PULLED = "test_cures.py::test_what_is_missing_comes_back_by_a_pull_too"
MEASURED = "test_cures.py::test_measurements_come_back_by_the_stage_or_by_git"
HEALED = "test_cures.py::test_heal_brings_back_what_is_cut_off"
VERSION = "test_cures.py::test_a_version_comes_back_by_its_own_stage_or_its_own_pull"
CHECK = "commands/dataset/test_check.py::test_the_cure_that_is_named_cures"
MERGE = "commands/test_merge.py::test_a_file_that_people_write_is_theirs_to_mend"
REMOTE = "commands/remote/test_commands.py"
# every command that a message names as a cure, without its values -> the test that follows it
CURES = {
    "cp {} {}": "base/test_lock_copies.py::test_a_kill_while_dvc_writes_is_named_and_the_copy_is_exact",
    "rm {}": "base/test_lock_copies.py::test_without_git_and_copy_the_lock_is_written_anew_from_the_outputs",
    "dvc commit --force": "base/test_lock_copies.py::test_without_git_and_copy_the_lock_is_written_anew_from_the_outputs",
    "ulimit -n {}": "base/test_errors.py::test_the_cure_of_too_many_open_files_cures",
    "dvc repro": MISSING,
    "dvc repro crawl@{}": "test_cures.py::test_an_archive_is_crawled_or_healed",
    "dvc repro objects": MISSING,
    "dvc repro duplicates": MISSING,
    "dvc repro label": "commands/dataset/test_versions.py::test_parents_that_differ_are_an_error_with_both_sides",
    "dvc repro backbone": MISSING,
    "dvc repro train": MISSING,
    "dvc repro label_errors": MISSING,
    "dvc repro export": MISSING,
    "dvc repro embed": "test_cures.py::test_a_release_that_did_not_make_the_embeddings",
    "dvc repro evaluate": MEASURED,
    "dvc repro --force --single-item evaluate": MEASURED,
    "dvc repro --force --single-item features": "test_cures.py::test_features_that_are_no_numbers_are_made_again",
    "dvc repro --force --single-item objects@SITE": (
        "commands/test_verify.py::test_what_is_foreign_in_a_tree_goes_by_the_cure_that_is_named"
    ),
    "dvc repro datasets/dvc.yaml:{}": VERSION,
    "sengu objects info {}": (
        "commands/objects/test_group.py::test_a_stray_picture_is_known_by_its_name_though_dvc_pins_only_its_archive"
    ),
    "sengu label why {}": "commands/objects/test_group.py::test_info_of_a_picture_without_a_label_leads_to_the_reason",
    "dvc pull": PULLED,
    "dvc pull {}": VERSION,
    "dvc checkout data/dataset/{}": "commands/dataset/test_versions.py::test_a_version_in_use_gets_no_other_labels",
    "dvc checkout": "test_cures.py::test_a_release_that_did_not_make_the_embeddings",
    "sengu heal": "commands/test_verify.py::test_a_flipped_byte_is_named_with_who_needs_it_and_healed",
    "sengu heal {}": HEALED,
    "sengu heal models/release": HEALED,
    "sengu heal data/dataset/{}": CHECK,
    "sengu objects heal": HEALED,
    "sengu objects link {}": "commands/objects/test_group.py::test_where_mounting_is_refused_the_cure_is_named",
    "sengu objects link DIR": "stages/test_archived_objects.py::test_commands_for_files_say_where_the_object_lies_or_write_it",
    "sengu dataset restore {}": "commands/dataset/test_check.py::test_the_cure_that_is_named_cures",
    "git checkout {}": MEASURED,
    "git checkout -- {}": f"{REMOTE}::test_a_lock_file_that_is_no_yaml_comes_back_from_git",
    "git checkout '{}' -- {}": CHECK,
    "git checkout '{}' -- {} {}": CHECK,
    "git checkout params.yaml dvc.lock && dvc checkout --allow-missing": (
        "commands/site/test_group.py::test_a_site_is_removed_with_its_outputs_and_can_be_brought_back"
    ),
    "git fetch --tags": "commands/dataset/test_check.py::test_a_clone_without_tags_is_told_so",
    "git fetch --force --tags": (
        "commands/dataset/test_check.py::test_a_tag_without_its_message_is_fetched_before_a_version_is_restored"
    ),
    "git fetch origin 'refs/tags/{}:refs/tags/{}'": CHECK,
    "git fetch --force origin 'refs/tags/{}:refs/tags/{}'": CHECK,
    "git fetch --unshallow": "remote/test_faults.py::test_a_shallow_clone_says_that_it_asks_for_what_it_knows",
    "git fetch --unshallow --tags --all": "remote/test_faults.py::test_a_shallow_clone_says_that_it_asks_for_what_it_knows",
    "git fetch --all --tags": "commands/test_where.py::test_what_a_clone_has_not_fetched_is_found_by_the_cures_that_are_named",
    "dvc fetch --all-commits": "commands/test_where.py::test_what_a_clone_has_not_fetched_is_found_by_the_cures_that_are_named",
    "git merge --abort": "commands/test_merge.py::test_a_lock_file_that_is_no_yaml_is_mended_before_the_merge",
    "git add": MERGE,
    "git commit": MERGE,
    "sengu merge": MERGE,
    "git add --all && git commit --message begun": "stages/test_train.py::test_a_repository_without_a_commit_is_told_to_make_one",
    "dvc remote modify {} verify true": "remote/test_configuration.py::test_doubts_name_the_cure",
    "sengu remote init": "remote/test_configuration.py::test_doubts_name_the_cure",
}
# what else stands in messages: next steps, what failed, where to look, the programs of others; and what is done about a remote,
# which tests/remote and tests/commands/remote do
OTHERS = {
    "{}", "{} …", "{} == {}", "{} --from {}", "dvc {}", "git {}", "uv {}",
    "cd {}", "curl -F", "dask scheduler", "dask worker {} --nthreads 1", "openssl req -x509 -newkey rsa:2048 -nodes",
    "make install", "make pull", "make push", "source .venv/bin/activate",
    "pip install onnxruntime numpy pillow", "pip install pi-heif", "pip install uv", "pip install warcio",
    "dvc cache dir", "dvc commit {}", "dvc commit --force datasets/dvc.yaml:{}", "dvc config --help", "dvc dag", "dvc exp push",
    "dvc list . --recursive --dvc-only", "dvc push", "dvc push --all-tags", "dvc remote add --default", "dvc remote add --help",
    "dvc remote add {} {}", "dvc remote list", "dvc repro --allow-missing", "dvc repro --force --single-item duplicates",
    "dvc push {}", "dvc repro --force --single-item {}", "dvc status --with-deps {}",
    "git add --update", "git clone", "git diff", "git merge {}", "git status", "git tag",
    "sengu arrive", "sengu dataset check", "sengu dataset create", "sengu handover document", "sengu handover status",
    "sengu label check", "sengu label import", "sengu label import {} --annotator YOU", "sengu label import {} --annotator {}",
    "sengu label page", "sengu merge BRANCH", "sengu objects erase", "sengu objects umount {}", "sengu predict",
    "sengu remote", "sengu remote apply", "sengu remote catalog", "sengu remote check", "sengu remote heal",
    "sengu remote check --deep", "sengu remote restore", "sengu remote heal --rebuild", "sengu remote init --profile NAME",
    "sengu remote init --region REGION",
    "sengu remote init FOLDER", "sengu remote init s3://BUCKET/PREFIX", "sengu remote init {}", "sengu remote push",
    "sengu remote report", "sengu remote thaw --wait", "sengu remote thaw PATH", "sengu remote thaw {}",
    "sengu similar {} --html page.html", "sengu suggest",
}  # fmt: skip
PROGRAMS = re.compile(r"(?:\{\}|cd|cp|curl|dask|dvc|git|make|openssl|pip|rm|sengu|source|ulimit|uv)(?:$|[ ;])")


def named() -> set[str]:
    """Every command between backquotes in a text of the code that is no docstring, without its values."""
    commands = set()
    for path in sorted(path for folder in ("src", "crawlers") for path in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text())
        statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
                node.values = []  # its parts are no texts of their own
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
                parts = [node.value]
            else:
                continue
            commands |= set(re.findall("`([^`]+)`", "".join(parts)))
    return {re.sub(r"\{\w*\}", "{}", command) for command in commands if PROGRAMS.match(command)}


def test_every_cure_that_a_message_names_is_followed_by_a_test() -> None:
    assert named() == {*CURES, *OTHERS}
    for test in CURES.values():
        module, name = test.split("::")
        assert f"def {name}(" in (ROOT / "tests" / module).read_text(), test
