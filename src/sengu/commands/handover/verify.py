"""A commit -> a fresh clone in which every stage runs again, and the certificate of the result."""

import hashlib
import logging
from pathlib import Path

import click

from sengu.base import working
from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.commands import places
from sengu.repository import comparing
from sengu.reruns import certificates, page, rerunning, variations
from sengu.reruns.certificates import Certificate, Environment
from sengu.reruns.clones import Clone, new_environment, temporary_clone
from sengu.reruns.rerunning import Rerun, Row, first_bad
from sengu.reruns.steps import Step, sites_of, steps

LOG = working.ROOT / "handover.log"
REQUIREMENTS = Path("requirements.txt")

logger = logging.getLogger("handover")


def verify(source: Path, rev: str, quick: bool, varied: bool = True, keep: bool = False) -> Certificate:
    """Reruns a commit of the repository in `source`. Raises SenguError if the clone cannot be made, set up or filled."""
    with temporary_clone(source, rev, source / LOG, keep) as clone:
        commit = clone.must_run("git", "rev-parse", "HEAD").strip()
        outputs = comparing.digest(comparing.stages(clone.folder))
        if not quick:
            logger.info("setting up the environment of %s; see %s", REQUIREMENTS, LOG)
            clone = new_environment(clone)
        logger.info("pulling what %s pins", commit[:12])
        clone.must_run("dvc", "pull")
        exact = certificates.exact(certificates.read_all(source / certificates.FOLDER), outputs, certificates.Machine.here())
        rows = _rerun(clone, quick, varied, exact)
        environment = Environment(clone.must_run("python", "-VV").strip(), "" if quick else _lock_of(clone.folder))
        return certificates.certificate(commit, outputs, quick, environment, rows)


def _rerun(clone: Clone, quick: bool, varied: bool, exact: frozenset[str]) -> list[Row]:
    base = clone.folder.parent
    variations.write_hook(base / "hook")
    chosen = [_untrained(step) if quick else step for step in steps(clone.folder, sites_of(clone.folder))]
    again = Rerun(clone, rerunning.pins(clone.folder), base / "hook", base / "before")
    rows = list(again.rows(chosen, varied))
    if any(row.state == "changed" for row in rows):
        rows = rerunning.tolerated(rows, chosen, rerunning.metrics_moved(clone), exact)
    return rows


def _untrained(step: Step) -> Step:
    return step.without("--quick leaves out training and what follows from it") if step.trained and not step.skipped else step


def _lock_of(folder: Path) -> str:
    path = folder / REQUIREMENTS
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


@click.command("verify")
@click.option("--rev", default="HEAD", help="Tag or commit to verify; by default HEAD.")
@click.option("--quick", is_flag=True, help="In this environment, without training: minutes instead of an hour.")
@click.option("--plain", is_flag=True, help="Do not vary clock, hash seed, directory order, locale, time zone, umask and cores.")
@click.option("--keep", is_flag=True, help="Keep the clone; the log says where it is.")
def command(rev: str, quick: bool, plain: bool, keep: bool) -> None:
    """Rerun every stage in a fresh clone, and compare each output with the pinned one.

    The clone has an empty cache, an empty home and a new environment. Exits with 1 and names the first stage that differs.
    Writes reports/handover.html, .json, and a certificate into reports/certificates, which you should commit.
    """
    certificate = verify(Path(), rev, quick, not plain, keep)
    path = certificates.save(certificate)
    certificates.write(certificate, places.HANDOVER.with_suffix(".json"))
    page.write(certificate, known := certificates.read_all(), places.HANDOVER)
    for row in certificate.rows:
        click.echo(f"{row.stage:24} {row.state:9} {row.seconds:7.1f} s  {row.why}".rstrip())
    machines = counted(len(certificates.verified_by(known, certificate.outputs)), "machine")
    in_full = " in full, for which a quick rerun does not count" if quick else ""
    click.echo(f"{certificate.summary}; verified by {machines}{in_full}; {path}, {places.HANDOVER}")
    if bad := first_bad(certificate.rows):
        raise SenguError(
            f"{bad.stage} is the first stage that does not reproduce the pinned outputs ({bad.state}): {bad.why}; see {LOG}"
        )
