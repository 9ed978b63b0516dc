"""`dvc`, `sengu` and `python -m` for tests, by a fork of a process that has loaded them: most of what they cost is their start.

Each call is a process of its own, with its own folder, variables and streams, and runs what the installed program runs. In a copy
of the project, `sengu` runs the modules of this checkout, not those of the copy. A test of how a program starts, of what kills
it, or of changed code starts it in the usual way.
"""

import importlib
import multiprocessing
import os
import runpy
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess

FUNCTIONS = {"dvc": ("dvc.cli", "main"), "sengu": ("sengu.commands.main", "main")}
PACKAGES = ("crawlers", "sengu")
LOADED = [
    *("dvc.cli.parser", "dvc.cachemgr", "dvc.repo", "dvc.scm", "dvc.stage.run", "dvc_data.index", "dvc_render"),
    *("networkx", "pandas", "platformdirs", "psutil", "requests", "scipy.stats", "yaml"),
    *("scrapy.core.downloader.handlers.http11", "scrapy.core.engine", "scrapy.crawler", "scrapy.extensions.feedexport"),
    *("scrapy.extensions.telnet", "twisted.internet.asyncioreactor", "twisted.web.client"),  # a reactor is made by the fork
    *("crawlers.archive", "crawlers.mqtt", "crawlers.pinned", "crawlers.progress", "crawlers.replaying", "crawlers.settings"),
    *("crawlers.spiders.files", "crawlers.spiders.folder", "crawlers.spiders.generic"),
    *("sengu.base.params", "sengu.base.tables", "sengu.commands.main", "sengu.labels.checks", "sengu.repository.pins"),
    *("sengu.objects.store", "sengu.warc.last_crawl"),
]
AT_START = ("HOME", "LANG", "LC_", "PYTHON", "TZ", "XDG_")  # what is read while a program starts

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(LOADED)


def can_run(command: Sequence[str], folder: Path, extra: dict[str, str]) -> bool:
    """Whether the command can be run so: no variable that counts at its start, no modules of another copy of the project."""
    if any(name.startswith(AT_START) for name in extra):
        return False
    if command[0] == sys.executable:
        return command[1] == "-m" and command[2].split(".")[0] in PACKAGES and not (folder / "src").exists()
    return command[0] in FUNCTIONS


def run(command: Sequence[str], folder: Path, variables: dict[str, str]) -> CompletedProcess[str]:
    """Runs the program; stdout of what it returns holds both streams."""
    with tempfile.NamedTemporaryFile() as output:
        process = _context.Process(target=_call, args=(tuple(command), os.fspath(folder), variables, output.name))
        process.start()
        process.join()
        return CompletedProcess(command, process.exitcode, output.read().decode())


def _call(command: tuple[str, ...], folder: str, variables: dict[str, str], output: str) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    os.chdir(folder)
    try:
        if command[0] in FUNCTIONS:
            sys.argv = list(command)
            module, function = FUNCTIONS[command[0]]
            sys.exit(getattr(importlib.import_module(module), function)())
        sys.argv = list(command[2:])
        runpy.run_module(command[2], run_name="__main__", alter_sys=True)
    finally:
        # as at the end of a program: multiprocessing waits for children first, and a pool of joblib's would idle for 300 seconds
        threading._shutdown()  # type: ignore[attr-defined]
