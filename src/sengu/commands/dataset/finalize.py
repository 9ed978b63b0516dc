"""`sengu dataset finalize`: a committed and pushed version -> a frozen stage and a tag that holds its hashes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from sengu.base import params
from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.commands import places
from sengu.commands.dataset import proof
from sengu.datasets import facts, lineage, tags, usage
from sengu.datasets.recipe import FOLDER
from sengu.repository import dvc_lock, pipeline
from sengu.repository.git import git

CHECK = "sengu.commands.label.check"  # the command that looks at sheets and rules


def finalize(name: str) -> str:
    """Freezes the stage of a version, commits and tags it; returns the name of the tag. Raises SenguError if it may not."""
    family = lineage.tree(pipeline.versions())
    node = family.node(name)
    family.ancestors(name)
    problems = list(missing(node, family))
    if problems:
        raise SenguError(f"{name} cannot be finalised: {'; '.join(problems)}")
    semver = str(facts.read(FOLDER / name).get("semver", node.semver))
    tag = f"{tags.PREFIX}{name}@v{semver}"
    said = hashes(name)
    pipeline.freeze_version(name, {**(node.stage.get("meta") or {}), lineage.FINALISED: semver})
    git("commit", "--quiet", "--message", f"Dataset version {name} is final: {semver}", "--", str(pipeline.DATASETS))
    said[tags.COMMIT] = git("rev-parse", "HEAD")
    import gto.api  # a second that the other commands need not wait
    from gto.exceptions import GTOException

    try:
        gto.api.register(".", f"datasets:{name}", "HEAD", f"v{semver}", message=tags.message(name, semver, said), stdout=False)
    except GTOException as error:
        raise SenguError(f"{tag}: {' '.join(str(error).split())}") from error
    return tag


def hashes(name: str) -> dict[str, str]:
    """The hashes that the tag will hold; the commit is not known yet."""
    folder = FOLDER / name
    pinned = dvc_lock.pinned_output(name, folder, proof.LOCK)
    assert pinned is not None  # `missing` looked
    made = tags.pinned_since(name)  # HEAD may have later labels, if the stage was frozen before
    return {
        tags.LABEL: proof.both(folder / tags.LABEL),
        tags.METADATA: proof.both(folder / tags.METADATA),
        tags.FOLDER: pinned["md5"],
        tags.LABELS: tags.tree(made, places.LABELS),
        tags.RULES: tags.tree(made, places.LABELS / facts.RULES),
    }


def missing(node: lineage.Node, family: lineage.Tree) -> Iterator[str]:
    """Everything that prevents a version from being finalised, each with its cure."""
    name, folder = node.name, FOLDER / node.name
    if node.finalised or any(tag.version == name for tag in tags.tags()):
        again = f"`{usage.next_command(name, family)} --from {name}`"
        yield f"it is final already, as {node.finalised or 'its tag says'}: make the next version, {again}"
        return
    if changed := git("status", "--porcelain").splitlines():
        yield f"{counted(len(changed), 'file')} not committed ({changed[0].strip()}…): commit them"
    pinned = dvc_lock.pinned_output(node.stage_name, folder, proof.LOCK)
    if pinned is None or not folder.is_dir():
        yield f"{folder} was not built, or is not here: `dvc repro datasets/dvc.yaml:{node.stage_name}` and commit, or `dvc pull`"
        return
    if (md5 := dvc_lock.dvc_hash(folder)) != pinned["md5"]:
        yield f"{folder} is not what {proof.LOCK} pins (MD5 {md5}, not {pinned['md5']}): `sengu heal {folder}`"
        return
    document = facts.read(folder)
    if not document.get("purpose"):
        yield f"no purpose is stated: add --purpose to its command in {pipeline.DATASETS}, or project.purpose to {params.PARAMS}"
    if not params.project().licence or not document.get("project", {}).get("licence"):
        yield f"no licence is stated: set project.licence in {params.PARAMS}, such as CC-BY-4.0, and run `dvc repro`"
    if stale := _stale(node.stage_name):
        yield (
            f"it is out of date ({stale}): run `dvc repro datasets/dvc.yaml:{node.stage_name}` and commit; if labels changed, "
            "this gives it the current ones: to keep those that it has, write `frozen: true` into its stage instead"
        )
    yield from _not_pushed(node.stage_name)
    yield from _labels()


def _dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False)


def _stale(stage: str) -> str:
    done = _dvc("status", "--json", f"datasets/dvc.yaml:{stage}")
    if done.returncode:
        return done.stderr.strip()
    states_of: dict[str, Any] = json.loads(done.stdout or "{}")
    return ", ".join(
        sorted(str(next(iter(state))) for states in states_of.values() for state in states if isinstance(state, dict))
    )


def _not_pushed(stage: str) -> Iterator[str]:
    """A complaint if the default remote lacks a file of the version. It asks for every file; `dvc status -c` misses some."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            if not repo.config["core"].get("remote"):
                yield "there is no remote: add one with `dvc remote add --default`, and `dvc push`"
                return
            remote = repo.cloud.get_remote()
            wanted = set()
            for infos in repo.used_objs(targets=[f"datasets/dvc.yaml:{stage}"], with_deps=True, push=True).values():
                wanted |= {info.value for info in infos}
            listings = [value for value in wanted if value.endswith(".dir")]
            for value in listings:
                path = Path(repo.cache.local.oid_to_path(value))
                wanted |= {entry["md5"] for entry in json.loads(path.read_text())} if path.is_file() else set()
            there = set(remote.odb.oids_exist(sorted(wanted)))
    except (DvcException, OSError) as error:
        yield f"the remote cannot be asked ({' '.join(str(error).split())}): correct that, see `dvc remote list`"
        return
    if gone := sorted(wanted - there):
        yield f"{len(gone)} of {len(wanted)} files are not in the remote {remote.name!r} ({gone[0]}…): run `dvc push`"


def _labels() -> Iterator[str]:
    """A complaint if `sengu label check` fails, where there is such a command."""
    try:
        there = find_spec(CHECK) is not None
    except ModuleNotFoundError:
        there = False
    if not there:
        return
    done = subprocess.run(
        [sys.executable, "-m", "sengu.commands.main", "label", "check"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        said = next((line for line in lines if line.startswith("error: ")), lines[-1] if lines else "no output")
        yield f"`sengu label check` does not pass: {said.removeprefix('error: ')}"


@click.command("finalize")
@click.argument("name")
def finalize_command(name: str) -> None:
    """Make the version NAME final: its stage is frozen, and a tag holds its hashes. It never changes again."""
    tag = finalize(name)
    click.echo(f"{tag} tagged; `sengu dataset check` proves from now on that {name} does not change. To publish it:", err=True)
    click.echo(f"dvc push\ngit push origin HEAD {tag!r}")
