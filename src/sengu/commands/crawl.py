"""`sengu crawl`: several sites at once, each in a process of its own; dvc.lock ends as `dvc repro` would have left it."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import click
import yaml
from tqdm import tqdm

from sengu.base import params
from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.repository.pipeline import PIPELINE
from sengu.warc import last_crawl

STAGE = "crawl"
JOBS = 4  # sites at once: each mostly waits for its server
TOTALS = re.compile(r"(?:INFO )?\S+: (\d+ pages, .*)")  # crawlers.progress, where there is no terminal
AGE = re.compile(r"(\d+)([hdw])")
HOURS = {"h": 1, "d": 24, "w": 7 * 24}


@dataclass
class Display:
    """One progress line for all crawls; their log lines appear above it, under the name of the site."""

    bar: Any
    totals: dict[str, str] = field(default_factory=dict)
    lock: Any = field(default_factory=Lock)

    def line(self, site: str, text: str) -> None:
        with self.lock:
            if match := TOTALS.fullmatch(text):
                self.totals[site] = match[1]
                self._show()
            if not match or self.bar.disable:
                self.bar.write(f"{site}: {text.removeprefix('INFO ').removeprefix(f'{site}: ')}", file=sys.stderr)

    def done(self, site: str) -> None:
        with self.lock:
            self.totals.pop(site, None)
            self.bar.update()
            self._show()

    def _show(self) -> None:
        self.bar.set_postfix_str("; ".join(f"{site} {totals.partition(',')[0]}" for site, totals in sorted(self.totals.items())))


@dataclass(frozen=True)
class Crawled:
    """The end of one site's crawl: the last line that it wrote, and its exit status."""

    site: str
    status: int
    last: str


def crawl(sites: Iterable[str], jobs: int = JOBS) -> list[Crawled]:
    """Crawls several sites at once, then commits the successful ones to dvc.lock; a failure does not affect the others."""
    chosen = sorted(sites)
    crawled = []
    with _display(len(chosen)) as display, ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(_one, site, display): site for site in chosen}
        for future in as_completed(running):
            crawled.append(future.result())
            display.done(running[future])
    _commit([result.site for result in crawled if not result.status])
    return sorted(crawled, key=lambda result: result.site)


@contextmanager
def _display(count: int) -> Iterator[Display]:
    with tqdm(total=count, desc="sites", unit="site", disable=None, leave=False) as bar:
        yield Display(bar)


def _one(site: str, display: Display) -> Crawled:
    variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    with subprocess.Popen(
        command_of(site),
        shell=True,  # as DVC runs it
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            if text := line.rstrip():
                last = text
                display.line(site, text)
    return Crawled(site, process.returncode, last.removeprefix("error: "))


def command_of(site: str) -> str:
    """The commands of a site's crawl, from dvc.yaml; each runs if those before it succeed."""
    commands = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))["stages"][STAGE]["do"]["cmd"]
    lines = [commands] if isinstance(commands, str) else commands
    return " && ".join(line.replace("${key}", shlex.quote(site)) for line in lines)


def _commit(sites: list[str]) -> None:
    if not sites:
        return
    stages = [f"{STAGE}@{site}" for site in sites]
    done = subprocess.run(["dvc", "commit", "--force", "--quiet", *stages], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SenguError(f"crawled, but `dvc commit {' '.join(stages)}` failed: {' '.join(done.stderr.split())}")


def choose(named: Iterable[str], every: bool, stale: str | None, now: datetime | None = None) -> list[str]:
    """The chosen sites. Raises SenguError for an unknown name or an invalid age."""
    known = params.site_names()
    for name in named:
        if name not in known:
            raise SenguError(f"params.yaml: there is no site {name}: the sites are {', '.join(known)}")
    chosen = known if every or (stale and not list(named)) else sorted(set(named))
    if not stale:
        return chosen
    oldest = (now or datetime.now(UTC)) - age(stale)
    return [name for name in chosen if (last := last_crawl.last_crawl(name)) == "" or datetime.fromisoformat(last) <= oldest]


def age(text: str) -> timedelta:
    """An age such as 12h, 7d or 2w."""
    match = AGE.fullmatch(text)
    if not match:
        raise SenguError(f"--stale is {text!r}: give it in hours, days or weeks, such as 12h, 7d or 2w")
    return timedelta(hours=int(match[1]) * HOURS[match[2]])


def refuse_failures(crawled: Iterable[Crawled]) -> None:
    """Raises SenguError that names the sites whose crawl failed, with the last line of each."""
    if failed := [result for result in crawled if result.status]:
        reasons = "; ".join(f"{result.site}: {result.last or f'exit status {result.status}'}" for result in failed)
        raise SenguError(f"{counted(len(failed), 'site')} could not be crawled (all others were): {reasons}")


@click.command("crawl")
@click.argument("sites", nargs=-1, metavar="[SITE]...")
@click.option("--all", "every", is_flag=True, help="All sites in params.yaml.")
@click.option(
    "--stale", metavar="AGE", help="Crawl only sites last crawled on this machine at least this long ago, such as 12h, 7d or 2w."
)
@click.option("--jobs", default=JOBS, show_default=True, type=click.IntRange(1), help="How many sites at once.")
def command(sites: tuple[str, ...], every: bool, stale: str | None, jobs: int) -> None:
    """Crawl each SITE, several at once, and pin the archives in dvc.lock; exit with 1 if a crawl failed."""
    if not (sites or every or stale):
        raise click.UsageError("name the sites, or use --all or --stale 7d")
    chosen = choose(sites, every, stale)
    if not chosen:
        click.echo(f"nothing to do: every site was crawled within {stale}")
        return
    crawled = crawl(chosen, jobs)
    click.echo(f"{sum(not result.status for result in crawled)} of {len(crawled)} sites crawled; next: dvc repro", err=True)
    refuse_failures(crawled)
