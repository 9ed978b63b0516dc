"""A certificate, and those of other machines -> reports/handover.html, one file that can be e-mailed."""

from collections.abc import Sequence
from pathlib import Path

import jinja2

from sengu.base.atomic import replaced_file
from sengu.reruns.certificates import Certificate, verified_by

TEMPLATE = "page.html"


def page(certificate: Certificate, others: Sequence[Certificate]) -> str:
    """The page as HTML: the stages of a rerun, and every certificate of the same outputs, side by side."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True)
    alike = [other for other in others if other.outputs == certificate.outputs]
    return environment.get_template(TEMPLATE).render(
        certificate=certificate, certificates=alike, machines=len(verified_by(others, certificate.outputs))
    )


def write(certificate: Certificate, others: Sequence[Certificate], path: Path) -> None:
    with replaced_file(path) as partial:
        partial.write_text(page(certificate, others), encoding="utf-8")
