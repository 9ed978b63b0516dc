"""A remote and the price list of params.yaml -> size, monthly cost and growth, as a table and as a page."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from jinja2 import Environment, PackageLoader

from sengu.base.atomic import replaced_file
from sengu.base.working import REMOTE
from sengu.remote import bills
from sengu.remote.bills import Bill, human
from sengu.remote.findings import aligned
from sengu.remote.project import Project

PAGE = Path("reports/remote.html")


@click.command("report")
@click.option("--remote", "name", default="", help="A remote; by default the default one.")
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), default=PAGE, show_default=True)
def command(name: str, page: Path) -> None:
    """Print the size and monthly cost of the remote, and its growth since the last report."""
    project = Project.here(name)
    store = project.stores[0]
    pinned, _ = project.pins()
    old = [version.size for version in store.versions() if not version.is_latest and not version.is_deletion]
    unfinished = store.unfinished()
    bill = bills.bill(store.objects(), old, pinned, project.settings.prices, unfinished)
    before, last = _last(store.remote.name)
    click.echo(_table(bill))
    growth = _growth(bill, before, last)
    click.echo(growth, err=True)
    if unfinished:
        click.echo(
            f"{len(unfinished)} uploads were never finished: the rule that `sengu remote apply` sets aborts them after "
            f"{project.settings.bucket.abort_uploads} days",
            err=True,
        )
    for storage_class in bill.unpriced:
        click.echo(f"remote.prices.classes in params.yaml has no {storage_class}: counted as STANDARD", err=True)
    environment = Environment(loader=PackageLoader("sengu.commands.remote", "."), autoescape=True)
    text = environment.get_template("report.html").render(
        bill=bill, remote=store.remote, growth=growth, prices=project.settings.prices, human=human
    )
    with replaced_file(page) as partial:
        partial.write_text(text, encoding="utf-8")
    with replaced_file(_memory(store.remote.name)) as partial:
        partial.write_text(json.dumps({"time": time.time(), **bill.as_dict()}), encoding="utf-8")
    click.echo(page, err=True)


def _memory(name: str) -> Path:
    return REMOTE / f"report-{name}.json"


def _last(name: str) -> tuple[dict[str, Any], float]:
    """The total of the last report and its time; none if there was none, or it is damaged."""
    try:
        document = json.loads(_memory(name).read_text(encoding="utf-8"))
        return document["total"], document["time"]
    except (OSError, ValueError, KeyError):
        return {}, 0.0


def _growth(bill: Bill, before: dict[str, Any], last: float) -> str:
    if not before:
        return "this is the first report here: the next one says what has grown"
    day = datetime.fromtimestamp(last, UTC).strftime("%Y-%m-%d")
    objects, size = bill.total.objects - before["objects"], bill.total.size - before["size"]
    cost = f"{bill.total.cost - before['cost']:+.4f} {bill.currency} a month"
    return f"since {day}: {objects:+,} objects, {'+' if size >= 0 else ''}{human(size)}, {cost}"


def _table(bill: Bill) -> str:
    rows = [("", "", "objects", "size", f"{bill.currency} a month")]
    for heading, lines in bill.by.items():
        for name, line in sorted(lines.items(), key=lambda item: -item[1].size):
            rows.append((heading, name, f"{line.objects:,}", human(line.size), f"{line.cost:.4f}"))
    rows.append(("total", "", f"{bill.total.objects:,}", human(bill.total.size), f"{bill.total.cost:.4f}"))
    rows += [("once", what, "", "", f"{cost:.4f}") for what, cost in bill.requests.items()]
    return aligned(rows)
