"""What went wrong -> one line on stderr and exit code 1: the error type of the project and the wrapper of its programs."""

import logging
import sys
from collections.abc import Callable


class SenguError(Exception):
    """An error that the user can mend: says what, which value, which file and line, and what to do next."""


def run_program(main: Callable[[list[str]], None], usage: str) -> None:
    """Runs `main` on as many arguments as `usage` names; a SenguError becomes one line and exit code 1."""
    if len(sys.argv) - 1 != len(usage.split()):
        sys.exit(f"error: {len(sys.argv) - 1} arguments, expected {usage}")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    for library in ("scrapy", "twisted", "absl", "tensorflow"):
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        main(sys.argv[1:])
    except SenguError as error:
        sys.exit(f"error: {error}")
