"""`dvc`, `sengu` and `python -m` for tests, by a fork of a process that has loaded them: most of what they cost is their start.

Each call is a process of its own, with its own folder, variables and streams, and runs what the installed program runs; so is
each stage of a `dvc` that was started so. They run the modules of this checkout: in a copy of the project that has others,
`python -m` and the stages start in the usual way. So does what a test starts by subprocess, to see how it starts or to kill it.
"""

import filecmp
import importlib
import multiprocessing
import os
import re
import runpy
import shlex
import shutil
import sys
import tempfile
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

ROOT = Path(__file__).parents[1]
FUNCTIONS = {"dvc": ("dvc.cli", "main"), "sengu": ("sengu.commands.main", "main")}
PACKAGES = {"crawlers": "crawlers", "sengu": "src/sengu"}
LOADED = [
    *("dvc.cli.parser", "dvc.cachemgr", "dvc.repo", "dvc.scm", "dvc.stage.run", "dvc_data.index", "dvc_render"),
    *("networkx", "pandas", "platformdirs", "psutil", "requests", "scipy.stats", "yaml"),
    *("scrapy.core.downloader.handlers.http11", "scrapy.core.engine", "scrapy.crawler", "scrapy.extensions.feedexport"),
    *("scrapy.extensions.telnet", "twisted.internet.asyncioreactor", "twisted.web.client"),  # a reactor is made by the fork
    *("crawlers.archive", "crawlers.mqtt", "crawlers.pinned", "crawlers.progress", "crawlers.replaying", "crawlers.settings"),
    *("crawlers.spiders.files", "crawlers.spiders.folder", "crawlers.spiders.generic"),
    *("sengu.base.params", "sengu.base.tables", "sengu.commands.main", "sengu.labels.checks", "sengu.repository.pins"),
    *("sengu.objects.store", "sengu.warc.last_crawl"),
    *("joblib", "matplotlib.figure", "onnx", "onnxruntime", "sklearn.linear_model", "sklearn.metrics", "sklearn.model_selection"),
    *("sengu.datasets.croissant", "sengu.duplicates.fingerprints", "sengu.duplicates.groups", "sengu.labels.merging"),
    *("sengu.parallel.engine", "sengu.pictures.resizing"),
]
# what sengu.networks.runtime loads; threads, which a fork would lose, begin when it is first used
TENSORFLOW = [
    *("tensorflow", "tensorflow_hub", "tf_keras", "tf_keras.src.applications.efficientnet"),
    *("tensorflow.core.protobuf.saved_model_pb2", "tensorflow.python.framework.convert_to_constants"),
    *("cleanlab.filter", "cleanlab.rank", "dvclive"),
    *("sengu.evaluation.report", "sengu.release.conversion", "sengu.training.learner"),
]
AT_START = ("HOME", "LANG", "LC_", "PYTHON", "TZ", "XDG_")  # what is read while a program starts
PLAIN = re.compile(r"[\w\s./@:=,+-]+")  # means to a shell what it says

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(LOADED)


def with_tensorflow() -> None:
    """From its start, the process loads TensorFlow as well: some ten seconds, which each training has before it otherwise."""
    _context.set_forkserver_preload([*LOADED, *TENSORFLOW])


def can_run(command: Sequence[str], folder: Path, extra: Mapping[str, str]) -> bool:
    """Whether the command can be run so: no variable that counts at its start, no other modules in its folder."""
    code = {"PYTHONPATH": str(ROOT / "src")}  # is what we have anyway
    if any(name.startswith(AT_START) for name, _ in extra.items() - code.items()):
        return False
    if command[0] == sys.executable or (command[0] == "python" and "PATH" not in extra):  # the environment's comes first
        return _is_ours(command[1:]) and has_these_modules(folder)
    return command[0] in FUNCTIONS


def _is_ours(words: Sequence[str]) -> bool:
    return len(words) > 1 and words[0] == "-m" and words[1].split(".")[0] in PACKAGES


def has_these_modules(folder: Path) -> bool:
    """Would a Python that starts in this folder import what this one has imported? It need not hold any of our modules."""
    return folder == ROOT or all(_same(ROOT / name, folder / name) for name in PACKAGES.values() if (folder / name).exists())


def _same(own: Path, other: Path) -> bool:
    names = [{path.relative_to(place) for path in place.rglob("*.*") if path.suffix != ".pyc"} for place in (own, other)]
    return names[0] == names[1] and all(filecmp.cmp(own / name, other / name) for name in names[0] if (own / name).is_file())


def run(command: Sequence[str], folder: Path, variables: dict[str, str]) -> CompletedProcess[str]:
    """Runs the program; stdout of what it returns holds both streams."""
    return _run(_program, command, folder, variables)


def execute(code: str, arguments: Sequence[str], folder: Path, variables: dict[str, str]) -> CompletedProcess[str]:
    """Runs the text of a program, as `python -c` does."""
    return _run(_text, (code, *arguments), folder, variables)


def _run(
    what: Callable[[Sequence[str]], None], words: Sequence[str], folder: Path, variables: dict[str, str]
) -> CompletedProcess[str]:
    with tempfile.NamedTemporaryFile() as output:
        process = _context.Process(target=_call, args=(what, tuple(words), os.fspath(folder), variables, output.name))
        process.start()
        process.join()
        return CompletedProcess(words, process.exitcode or 0, output.read().decode())


def _call(
    what: Callable[[Sequence[str]], None], words: Sequence[str], folder: str, variables: dict[str, str], output: str
) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    with _stages() if words[0] == "dvc" else nullcontext():
        _become(what, words, folder, variables)


def _become(what: Callable[[Sequence[str]], None], words: Sequence[str], folder: str, variables: dict[str, str]) -> None:
    own = {name: value for name, value in os.environ.items() if name.startswith("TF_")}  # set by sengu while it is imported
    os.environ.clear()
    os.environ.update(own | variables)
    time.tzset()
    os.chdir(folder)
    try:
        what(words)
    finally:
        # as at the end of a program: multiprocessing waits for children first, and a pool of joblib's would idle for 300 seconds
        threading._shutdown()  # type: ignore[attr-defined]


def _program(command: Sequence[str]) -> None:
    if command[0] in FUNCTIONS:
        sys.argv = list(command)
        module, function = FUNCTIONS[command[0]]
        sys.exit(getattr(importlib.import_module(module), function)())
    sys.argv = list(command[2:])
    warnings.filterwarnings("ignore", "'.*' found in sys.modules", RuntimeWarning)  # it is there, because it was preloaded
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)


def _text(words: Sequence[str]) -> None:
    sys.argv = ["-c", *words[1:]]
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    exec(compile(words[0], "<string>", "exec"), module.__dict__)


@contextmanager
def _stages() -> Iterator[None]:
    """Has DVC ask for each of its stages a process that was forked before it began, and so knows nothing of it."""
    from dvc.stage import run as stages

    ours, theirs = multiprocessing.Pipe()
    if (child := os.fork()) == 0:
        ours.close()
        _run_stages(theirs)
    theirs.close()
    usual = stages._run

    def run(executable: str, command: str, **options: Any) -> None:
        words = shlex.split(command) if PLAIN.fullmatch(command) else [""]
        folder, variables = options["cwd"], options["env"]
        own = shutil.which("python", path=variables.get("PATH")) == str(Path(sys.executable).parent / "python")
        if words[0] == "python" and own and _is_ours(words[1:]) and has_these_modules(Path(folder)):
            ours.send((words, folder, variables))
            if code := ours.recv():
                raise stages.StageCmdFailedError(command, code)
        else:
            usual(executable, command, **options)

    stages._run = run
    try:
        yield
    finally:
        ours.close()
        os.waitpid(child, 0)


def _run_stages(asked: Connection) -> None:
    """Runs in a fork of its own each command that is asked for, until nobody is left to ask."""
    context = multiprocessing.get_context("fork")
    try:
        while True:
            process = context.Process(target=_become, args=(_program, *asked.recv()))
            process.start()
            process.join()
            asked.send(process.exitcode)
    except EOFError:
        os._exit(0)
    finally:
        os._exit(1)
