"""The facts of the repository -> HANDOVER.md, which a successor reads first; or an error that names missing facts."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.commands.handover.facts import Facts, Version, gather, spider
from sengu.commands.handover.status import missing, unverified

DOCUMENT = Path("HANDOVER.md")
HEAD = "<!-- Written by `sengu handover document` from facts: do not edit, run it again. -->"
STEPS = "To take over: `git clone`, `make install`, `make pull`, `dvc repro --allow-missing` (reruns nothing); docs/handover.md."
MARK = "<!-- facts "
NETWORKS = ("network", "head")


def text(facts: Facts) -> str:
    """The document, made only of what Git tracks in this commit, so that it is the same in every clone.

    Its last line has the digests of the facts and of the text above it, for `is_current`.
    """
    body = "\n".join(_lines(facts)) + "\n\n"
    return f"{body}{MARK}{facts.digest}, text {_digest(body)} -->\n"


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _lines(facts: Facts) -> Iterator[str]:
    project = facts.project
    name = project.get("name") or facts.release.get("name") or "Hand-over"
    yield from (HEAD, "", f"# {name}", "", project.get("purpose", ""), "", STEPS)
    yield from ("", "## Where everything is", "")
    yield from _table(
        ("what", "where"),
        [
            ("owner, contact", project.get("contact", "")),
            ("code", project.get("repository") or "not stated: project.repository in params.yaml"),
            ("data", f"DVC remote {facts.remote or 'none'}"),
            ("credentials", "never in Git: `AWS_*` variables or .dvc/config.local; ask the contact for them"),
            ("licence", project.get("licence", "not stated")),
            ("citation", " ".join(str(project.get("citation", "not stated")).split())),
            ("pinned outputs", f"`{facts.outputs}`"),
        ],
    )
    yield from ("", "## Sizes", "")
    rows = [(size.path, f"{size.files}", _megabytes(size.bytes)) for size in facts.sizes]
    yield from _table(("output", "files", "MB"), [*rows, ("all", "", _megabytes(sum(size.bytes for size in facts.sizes)))])
    if not all(size.files for size in facts.sizes):
        yield from (
            "",
            "Object trees have 0 files here: DVC does not store them, and `dvc repro objects` makes them from the archives.",
        )
    yield from ("", "## Sites", "")
    yield from _table(("site", "spider"), [(name, spider(site)) for name, site in sorted(facts.sites.items())])
    yield from ("", "## Datasets and models", "")
    versions = [
        (
            version.name,
            ", ".join(version.parents) or "-",
            _state(version),
            _megabytes(version.size.bytes) if version.size else "-",
        )
        for version in facts.datasets
    ]
    yield from _table(("dataset version", "made from", "state", "MB"), versions)
    release = f"{facts.release.get('name', '')} {facts.release.get('version', '')}".strip()
    trained = f", trained on {facts.trained_on}" if facts.trained_on else ""
    yield from (
        "",
        f"The model is `{release}`{trained}; `git tag` lists what is registered." if release else "There is no model.",
        "",
    )
    yield from _table(("model", "metric", "value", "95% interval"), list(_metrics(facts)))
    yield from ("", "## Annotation", "", f"Rules: labels/RULES.md ({facts.rules}).", "")
    yield from _table(("sheet", "rows"), [(sheet.name, sheet.rows) for sheet in facts.sheets])
    yield from ("", f"Agreement between annotators: {facts.agreement or 'there are no sheets'}.")
    if facts.quizzes:
        yield from ("", "Quizzes, in which a successor labels pictures of a predecessor blind (95% intervals):", "")
        yield from (f"- {line}." for line in facts.quizzes)
    yield from ("", "## Verified reruns", "")
    quick = len(
        {certificate.machine.name for certificate in facts.attested}
        - {certificate.machine.name for certificate in facts.verified_by}
    )
    more = f"; a rerun of the stages before training did so on {_machines(quick)} more" if quick else ""
    yield f"A rerun of everything from a fresh clone gave the pinned result on {_machines(len(facts.verified_by))}{more}."
    yield ""
    yield from _table(
        ("when", "who", "result", "processor", "commit"),
        [
            (certificate.when, certificate.who, certificate.result, certificate.machine.processor, f"`{certificate.commit[:12]}`")
            for certificate in facts.certificates
        ],
    )
    yield from ("", "## Known gaps", "")
    yield from _gaps(facts)


def _state(version: Version) -> str:
    if version.finalised:
        return f"final, {version.finalised}"
    return "imported" if version.is_imported else "frozen" if version.is_frozen else "open"


def _gaps(facts: Facts) -> Iterator[str]:
    """The gaps that the facts alone show; `sengu handover status` also looks at this machine and the remote."""
    gaps = []
    if not facts.project.get("repository"):
        gaps.append("No address of the repository is stated.")
    if "://" not in facts.remote:
        gaps.append("The default remote is a folder of one machine.")
    if not facts.verified_by:
        what, _ = unverified(facts)
        gaps.append(f"{what[0].upper()}{what[1:]}.")
    anonymous = [name for name, site in sorted(facts.sites.items()) if _is_anonymous(site)]
    gaps += [
        f"Site {name}: no contact address is sent to its owner (sites.{name}.fetch.contact in params.yaml)." for name in anonymous
    ]
    successor = "Files do not show whether a successor has continued the work"
    gaps += [f"{successor}: `sengu handover status` reads that from Git's history."]
    yield from (f"- {gap}" for gap in gaps)


def _is_anonymous(site: object) -> bool:
    fetch = site.get("fetch", {}) if isinstance(site, dict) else {}
    return fetch.get("source") == "generic" and not fetch.get("contact") and not fetch.get("reproducible")


def _metrics(facts: Facts) -> Iterator[tuple[object, ...]]:
    for network in NETWORKS:
        for name, value in facts.metrics.get(network, {}).items():
            if isinstance(value, dict) and {"value", "low", "high"} <= value.keys():
                yield network, name, value["value"], f"{value['low']} to {value['high']}"


def _table(heading: Iterable[object], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    columns = [str(cell) for cell in heading]
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.2f}"


def _machines(count: int) -> str:
    return f"{count} machine{'' if count == 1 else 's'}"


@click.command("document")
@click.option("--check", is_flag=True, help="Write nothing; check that HANDOVER.md agrees with the facts.")
def command(check: bool) -> None:
    """Write HANDOVER.md from facts; refuse while a fact is missing that a successor needs."""
    facts = gather()
    if check:
        if not is_current(facts):
            raise SenguError(f"{DOCUMENT} is missing or stale: run `sengu handover document` and commit it")
        return
    if gaps := missing(facts):
        raise SenguError("; ".join(f"{gap.what} ({gap.cure})" for gap in gaps))
    with replaced_file(DOCUMENT) as partial:
        partial.write_text(text(facts), encoding="utf-8")
    click.echo(f"{DOCUMENT} written: git add {DOCUMENT} && git commit")


def is_current(facts: Facts, path: Path = DOCUMENT) -> bool:
    """True if a document holds these facts and nobody has edited it. A later Sengu may word it otherwise."""
    if not path.is_file():
        return False
    document = path.read_text(encoding="utf-8")
    body = document.partition(MARK)[0]
    return document == f"{body}{MARK}{facts.digest}, text {_digest(body)} -->\n"
