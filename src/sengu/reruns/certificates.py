"""A rerun -> its certificate: what was rerun, where, by whom, and the result; a file per machine, side by side in Git."""

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.repository.git import ask
from sengu.reruns.rerunning import TOLERANCE, Row, first_bad

FORMAT = 1
FOLDER = Path("reports/certificates")
CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """The machine of a rerun; `name` tells machines apart and gives nothing away."""

    name: str
    processor: str
    cores: int
    system: str

    @classmethod
    def here(cls) -> "Machine":
        identity = next((path.read_text() for path in [Path("/etc/machine-id")] if path.is_file()), "") + platform.node()
        return cls(
            name=hashlib.sha256(identity.encode()).hexdigest()[:8],
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)),
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
        )


@dataclass(frozen=True)
class Environment:
    """The programs of a rerun: the Python, and the SHA-256 of the lock file that the libraries came from; "" for another."""

    python: str
    requirements: str


@dataclass(frozen=True)
class Certificate:
    """The result of one rerun.

    `outputs` is `comparing.digest` of what was pinned: certificates that have it in common attest the same.
    """

    commit: str
    outputs: str
    quick: bool
    who: str
    when: str  # ISO 8601 in UTC
    machine: Machine
    environment: Environment
    rows: tuple[Row, ...]
    tolerance: float = TOLERANCE
    format: int = FORMAT

    @property
    def result(self) -> str:
        """`same`, `tolerated`, or the state of the first stage that is neither."""
        if bad := first_bad(self.rows):
            return bad.state
        return "tolerated" if any(row.state == "tolerated" for row in self.rows) else "same"

    @property
    def holds(self) -> bool:
        """True if everything was rerun, and is as pinned or within tolerance."""
        return not self.quick and self.result in ("same", "tolerated")

    @property
    def summary(self) -> str:
        counts = {state: sum(row.state == state for row in self.rows) for state in dict.fromkeys(row.state for row in self.rows)}
        return ", ".join(f"{count} {state}" for state, count in counts.items())


def certificate(commit: str, outputs: str, quick: bool, environment: Environment, rows: Sequence[Row]) -> Certificate:
    """The certificate of a rerun that has just ended on this machine."""
    return Certificate(
        commit=commit,
        outputs=outputs,
        quick=quick,
        who=who(),
        when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        machine=Machine.here(),
        environment=environment,
        rows=tuple(rows),
    )


def who() -> str:
    """Name and address of the user, as Git knows them."""
    name, address = ask("config", "user.name"), ask("config", "user.email")
    return f"{name} <{address}>" if address else name or "unknown"


def save(certificate: Certificate, folder: Path = FOLDER) -> Path:
    """Writes the certificate beside those of other machines; it replaces an earlier one of this machine."""
    kind = "quick" if certificate.quick else "full"
    path = folder / f"{certificate.outputs[:8]}-{certificate.machine.name}-{kind}.json"
    write(certificate, path)
    return path


def write(certificate: Certificate, path: Path) -> None:
    with replaced_file(path) as partial:
        partial.write_text(json.dumps(_as_json(certificate), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path) -> Certificate:
    """Reads a certificate. Raises SenguError if it is damaged, or of a later format."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        document.pop("result")
        if document["format"] != FORMAT:
            raise SenguError(f"{path}: format is {document['format']!r}, expected {FORMAT}: use the Sengu that made it")
        machine, environment = Machine(**document.pop("machine")), Environment(**document.pop("environment"))
        rows = tuple(Row(**{**row, "causes": tuple(row["causes"])}) for row in document.pop("rows"))
        return Certificate(machine=machine, environment=environment, rows=rows, **document)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SenguError(f"{path} is damaged ({error}): restore it with `git checkout {path}`, or delete it") from error


def read_all(folder: Path = FOLDER) -> list[Certificate]:
    """All certificates of the repository, the latest first."""
    return sorted((read(path) for path in folder.glob("*.json")), key=lambda certificate: certificate.when, reverse=True)


def verified_by(certificates: Sequence[Certificate], outputs: str) -> list[Certificate]:
    """The latest full certificate of each machine that attests these outputs."""
    latest: dict[str, Certificate] = {}
    for certificate in sorted(certificates, key=lambda certificate: certificate.when):
        if certificate.outputs == outputs and not certificate.quick:
            latest[certificate.machine.name] = certificate
    return [certificate for certificate in latest.values() if certificate.holds]


def attested(certificates: Sequence[Certificate], outputs: str) -> list[Certificate]:
    """Certificates of these outputs without a fault, including those of `--quick`."""
    return [certificate for certificate in certificates if certificate.outputs == outputs and first_bad(certificate.rows) is None]


def exact(certificates: Sequence[Certificate], outputs: str, machine: Machine) -> frozenset[str]:
    """The stages that gave the pinned bytes of these outputs on such a processor with as many cores."""
    kind = machine.processor, machine.cores
    alike = [
        certificate
        for certificate in certificates
        if certificate.outputs == outputs and (certificate.machine.processor, certificate.machine.cores) == kind
    ]
    return frozenset(row.stage for certificate in alike for row in certificate.rows if row.state == "same")


def _as_json(certificate: Certificate) -> dict[str, Any]:
    return {"result": certificate.result, **asdict(certificate)}


def _processor() -> str:
    lines = CPUINFO.read_text().splitlines() if CPUINFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
