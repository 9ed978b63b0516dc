"""A failure -> one line on stderr and exit code 1: the error type of the project and the wrapper of its programs."""

import logging
import os
import resource
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sengu.base import io_errors, lock_copies
from sengu.base.names import printable

MOVE = "move it away, and run this again"
FILES = 4096  # open files at once: enough for every stage


class SenguError(Exception):
    """An error that the user can fix. It says what, which value, which file and line, and what to do next."""


@contextmanager
def one_line(output: Path | None = None) -> Iterator[None]:
    """Turns a SenguError or an OSError of a program into one line and exit code 1; other errors are bugs, with a traceback.

    An error that names no file, such as that of a full disk, is attributed to `output`. If the reader of the output has
    closed it, as `head` does, the program ends silently.
    """
    try:
        try:
            yield
        except SenguError as error:
            sys.exit(f"error: {printable(str(error))}")
        finally:
            _flush()  # or the interpreter would flush at its end, and complain
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _is_cut_off():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        sys.exit(f"error: {printable(_line(error, output))}")
    except Exception as error:
        if refused := io_errors.hidden(error):
            sys.exit(f"error: {printable(_line(refused, output))}")
        raise


def _line(error: OSError, output: Path | None) -> str:
    """The line for the user about an error of the system."""
    if error.errno is None:  # as of shutil, which lists the errors of all the files that it copies
        error = io_errors.hidden(error) or error
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes | os.PathLike)]
    if isinstance(error, FileExistsError | NotADirectoryError):
        wrong = next(filter(None, map(in_the_way, map(Path, names))), "")
    else:
        wrong = f"{names[-1]} is a folder where a file should be" if isinstance(error, IsADirectoryError) and names else ""
    if wrong:
        return f"{wrong}: {MOVE}"
    if not names and output is not None and error.errno in io_errors.NAMELESS:
        names = [str(output)]
    reason = error.strerror or str(error)
    if error.errno in io_errors.TOO_MANY:
        reason += f": `ulimit -n {max(FILES, 2 * resource.getrlimit(resource.RLIMIT_NOFILE)[0])}` allows more"
    return f"{' -> '.join(names)}: {reason}" if names else reason


def in_the_way(path: Path) -> str:
    """The obstacle at a place where `path` needs a folder: a file, or a link to nothing; empty if there is none."""
    for place in (*reversed(path.parents), path):
        if place.is_symlink() and not place.exists():
            return f"{place} is a link to {place.readlink()}, where nothing is"
        if place.exists() and not place.is_dir():
            return f"{place} is a file where a folder should be"
    return ""


class Printable(logging.Formatter):
    """Lines of a log without control characters, which an address or a name may hold."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _is_cut_off() -> bool:
    """True if stdout was closed at its other end. Sockets break, too."""
    if sys.stdout is None:
        return False
    events = select.poll()
    events.register(sys.stdout, 0)  # errors only
    return bool(events.poll(0))


def _help(usage: str) -> str:
    """The purpose and arguments of a program, from its module."""
    program = sys.modules["__main__"]
    name = program.__spec__.name if program.__spec__ is not None else sys.argv[0]
    return f"usage: python -m {name} {usage}\n\n{(program.__doc__ or '').strip()}"


def _output(usage: str) -> Path | None:
    """The output of a program, or its last: that it could not be made is true whatever the error was."""
    arguments = sys.argv[1:]
    return Path(arguments[0 if usage.endswith("…") else -1]) if arguments else None


def run_program(main: Callable[[list[str]], None], usage: str) -> None:
    """Runs `main` on as many arguments as `usage` names; an error becomes one line, see `one_line`.

    If `usage` ends with "…", `main` checks the arguments itself.
    """
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(_help(usage))
        return
    if not usage.endswith("…") and len(sys.argv) - 1 != len(usage.split()):
        sys.exit(f"error: {len(sys.argv) - 1} arguments, expected {usage}")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(Printable("%(levelname)s %(message)s"))
    for library in ("scrapy", "twisted", "absl", "matplotlib"):
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # its warnings are of its own metrics and deprecations
    with one_line(_output(usage)):
        check_lock_files()
        main(sys.argv[1:])


def check_lock_files() -> None:
    """Raises SenguError if dvc.lock is empty or cut off: DVC would treat every stage as never run."""
    if wrong := lock_copies.keep():
        raise SenguError(wrong)
