"""The remotes and everything pinned -> a table of missing, damaged and cold objects; exit 1 if there are any."""

import json
import sys

import click

from sengu.base.names import counted
from sengu.remote import configuration, findings, pins
from sengu.remote.checking import Budget, Checked
from sengu.remote.findings import COLD_STATE
from sengu.remote.project import Project


@click.command("check")
@click.option("--remote", "name", default="", help="One remote; by default the default one and those of remote.further.")
@click.option("--deep", is_flag=True, help="Read the objects again, the least recently read first.")
@click.option("--budget", default="100%", show_default=True, help="How much of it: a share such as 5%, or a time such as 1h.")
@click.option("--all-commits", is_flag=True, help="Also check objects that only older commits pin.")
@click.option("--quiet-if-right", is_flag=True, help="Print nothing if nothing is wrong; for hooks.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(name: str, deep: bool, budget: str, all_commits: bool, quiet_if_right: bool, as_json: bool) -> None:
    """Ask the remotes for every object that the lock files pin, here and on all branches and tags.

    A bucket is listed, a thousand objects per request, and shows content by its ETags; a folder is read, see
    remote.check_budget. Exits with 1 if anything is missing, damaged or cold, or if there are too few copies.
    """
    read = Budget.parse(budget)
    project = Project.here(name, all_commits)
    results = project.check(read if deep else None)
    if not report(project, results, as_json, quiet_if_right):
        sys.exit(1)


def report(project: Project, results: list[Checked], as_json: bool = False, quiet_if_right: bool = False) -> bool:
    """Prints the findings; returns True if all is right."""
    wrong = [finding for result in results for finding in result.findings]
    doubts = [*configuration.doubts(), *too_few_copies(project, results)]
    _, unknown = project.pins()
    if as_json:
        click.echo(json.dumps({"findings": [f.as_dict() for f in wrong], "doubts": doubts, "unknown": unknown}, indent=2))
    elif wrong:
        click.echo(findings.table(wrong))
    for line in doubts:
        click.echo(line, err=True)
    if unknown:
        unlisted = f"{counted(len(unknown), 'folder')} could not be checked"
        click.echo(
            f"{unlisted}, because the list of files is in neither the cache nor a remote: run `sengu remote heal`", err=True
        )
    is_right = not (wrong or doubts or unknown)  # objects that could not be asked for may be missing
    if pins.is_shallow() and not (is_right and quiet_if_right):
        click.echo(
            "this clone is shallow: what only other branches, tags and older commits pin was not asked for; "
            "`git fetch --unshallow --tags --all` brings them",
            err=True,
        )
    for result in results if not (is_right and quiet_if_right) else []:
        click.echo(_line(result), err=True)
    return is_right


def _line(result: Checked) -> str:
    counts = {state: sum(finding.state == state for finding in result.findings) for state in ("missing", "damaged", COLD_STATE)}
    parts = [f"{count} {state}" for state, count in counts.items() if count] or ["all there"]
    if result.unread:
        parts.append(f"{result.unread} not read yet, so only their size is known (--deep)")
    size = sum(result.present[oid].size for oid in result.states if oid in result.present)
    return (
        f"{result.remote}: {counted(len(result.states), 'object')} of {size:,} bytes pinned; {', '.join(parts)}; "
        f"{counted(result.requests, 'request')}, {result.bytes_read:,} bytes read"
    )


def too_few_copies(project: Project, results: list[Checked]) -> list[str]:
    """The complaint about too few copies."""
    wanted = project.settings.copies
    if wanted == 1 or len(project.stores) < len(results):
        return []
    devices = {store.remote.name: store.device() for store in project.stores}
    if len(set(devices.values())) < wanted:
        places = ", ".join(f"{name} ({device})" for name, device in devices.items())
        return [
            f"remote.copies is {wanted}, but these are {len(set(devices.values()))} places: {places}: add one to remote.further"
        ]
    counts = findings.copies({result.remote: result.states for result in results}, devices)
    short = sum(count < wanted for count in counts.values())
    return (
        [f"fewer than {wanted} independent copies of {counted(short, 'object')}: run `sengu remote push`, or `sengu remote heal`"]
        if short
        else []
    )
