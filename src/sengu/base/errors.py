"""What went wrong -> one line on stderr and exit code 1: the error type of the project and the wrapper of its programs."""

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
FILES = 4096  # open at once: enough for every stage


class SenguError(Exception):
    """An error that the user can mend: says what, which value, which file and line, and what to do next."""


@contextmanager
def one_line(output: Path | None = None) -> Iterator[None]:
    """Around a program: a SenguError or an OSError becomes one line and exit code 1; other errors are bugs, with a traceback.

    An error of a full disk and the like that names no file is one of `output`. Nothing is said where whoever read the output
    has enough, as `head` does.
    """
    try:
        try:
            yield
        except SenguError as error:
            sys.exit(f"error: {printable(str(error))}")
        finally:
            _flush()  # or the interpreter would do it at its end, and complain
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
    """What the user is told of an error of the system."""
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
    """What stands where `path` needs a folder, or is to be one: a file, or a link to nothing; empty if nothing does."""
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
    """Is it stdout that was closed at its other end? Sockets break too."""
    if sys.stdout is None:
        return False
    events = select.poll()
    events.register(sys.stdout, 0)  # errors only
    return bool(events.poll(0))


def _help(usage: str) -> str:
    """What a program is for and takes, by its module."""
    program = sys.modules["__main__"]
    name = program.__spec__.name if program.__spec__ is not None else sys.argv[0]
    return f"usage: python -m {name} {usage}\n\n{(program.__doc__ or '').strip()}"


def _output(usage: str) -> Path | None:
    """What a program makes, or the last of it: that it could not be made is true whatever the error was."""
    arguments = sys.argv[1:]
    return Path(arguments[0 if usage.endswith("…") else -1]) if arguments else None


def run_program(main: Callable[[list[str]], None], usage: str) -> None:
    """Runs `main` on as many arguments as `usage` names; what goes wrong becomes one line, see `one_line`.

    With "…" at the end of `usage`, `main` looks itself which arguments there are.
    """
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(_help(usage))
        return
    if not usage.endswith("…") and len(sys.argv) - 1 != len(usage.split()):
        sys.exit(f"error: {len(sys.argv) - 1} arguments, expected {usage}")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(Printable("%(levelname)s %(message)s"))
    for library in ("scrapy", "twisted", "absl"):
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # its warnings are of its own metrics and deprecations
    with one_line(_output(usage)):
        check_lock_files()
        main(sys.argv[1:])


def check_lock_files() -> None:
    """Raises SenguError if dvc.lock is empty or cut off: a stage that ran now would be taken for the first of all."""
    if wrong := lock_copies.keep():
        raise SenguError(wrong)
