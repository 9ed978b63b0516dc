"""A version -> the tag, released model and versions that depend on its labels, so that it may not get others."""

from pathlib import Path

from sengu.base import digests
from sengu.base.errors import SenguError
from sengu.base.tables import versions
from sengu.datasets import history, lineage, tags
from sengu.repository import dvc_cache, pipeline

LOCK = Path("datasets/dvc.lock")


def reasons(name: str, family: lineage.Tree) -> list[str]:
    """Reasons why a version may not get other labels; empty if it may."""
    own = [tag.name for tag in tags.tags() if tag.version == name]
    final = own[0] if own else family.nodes[name].finalised if name in family.nodes else ""
    released = history.released(name)
    children = family.children(name)
    return (
        [f"it is final ({final})"] * bool(final)
        + [f"a released model was trained on it ({', '.join(released)})"] * bool(released)
        + [f"{', '.join(children)} {'comes' if len(children) == 1 else 'come'} from it"] * bool(children)
    )


def next_name(name: str, family: lineage.Tree) -> str:
    """A free name for the version after this one: v2 after v1, A-2 after A."""
    digits = len(name) - len(name.rstrip("0123456789"))
    stem = name[: len(name) - digits] if 0 < digits < len(name) else f"{name}-"
    number = int(name[-digits:]) if 0 < digits < len(name) else 1
    while f"{stem}{(number := number + 1)}" in family.nodes:
        pass
    return f"{stem}{number}"


def next_command(name: str, family: lineage.Tree) -> str:
    """The command that makes the version after this one, with the current labels."""
    return f"sengu dataset create {next_name(name, family)} --purpose … --description …"


def refuse_other_labels(name: str, made: Path) -> None:
    """Raises SenguError if `made`, a folder to replace a version in use, has another label.csv.

    If the old labels are unknown, as in a clone that pulled nothing, it refuses nothing.
    """
    if not pipeline.DATASETS.is_file():
        return
    before = _pinned(name)
    if before is None or before == digests.md5(made / versions.LABELS):
        return
    family = lineage.tree(pipeline.versions())
    if because := reasons(name, family):
        raise SenguError(
            f"the labels of {name} would change, but {', and '.join(because)}: to keep the version, write `frozen: true` into "
            f"its stage in {pipeline.DATASETS}, and bring back its folder, which DVC has removed, with "
            f"`dvc checkout data/dataset/{name}`; to make another version with the current labels, run "
            f"`{next_command(name, family)}`"
        )


def _pinned(name: str) -> str | None:
    """The MD5 of the label.csv that datasets/dvc.lock pins, or that a tag holds; None if neither is to be had."""
    for tag in tags.tags():
        if tag.version == name and tag.said:
            return tag.said[tags.LABEL].split()[0]
    if not LOCK.is_file():
        return None
    outs = tags.outs(tags.lock_entry(LOCK.read_text(encoding="utf-8"), name))
    listing = dvc_cache.listing(str(outs[0]["md5"])) if len(outs) == 1 else None
    return listing.get(versions.LABELS) if listing else None
