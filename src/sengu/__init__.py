"""Sengu rebuilds an image classifier from raw crawled data, and can prove that it still can.

Importing it under a Python that is not the project's environment stops at once and names the cure; see README.md.
"""

import importlib.metadata
import sys

try:
    importlib.metadata.version("sengu")
except importlib.metadata.PackageNotFoundError:
    raise SystemExit(
        f"error: this Python ({sys.executable}) is not Sengu's environment: "
        "run `make install` once, then `source .venv/bin/activate`, and repeat the command"
    ) from None
