"""Sengu rebuilds an image classifier from raw crawled data, and can prove that it still can.

Importing it under a Python that is not the project's environment stops at once and names the cure; see README.md.
"""

import importlib.metadata
import os
import sys
import warnings
from pathlib import Path

try:
    importlib.metadata.version("sengu")
except importlib.metadata.PackageNotFoundError:
    raise SystemExit(
        f"error: this Python ({sys.executable}) is not Sengu's environment: "
        "run `make install` once, then `source .venv/bin/activate`, and repeat the command"
    ) from None

# In a copy of the project, such as `dvc exp run --queue` makes or a second clone, the copy's code runs, not the one that the
# environment was made for: DVC takes the hashes of the copy's
_COPY = Path("src/sengu").resolve()
if Path("dvc.yaml").is_file() and _COPY.is_dir() and str(_COPY) not in __path__:
    __path__.insert(0, str(_COPY))

# here, because TensorFlow reads both while it is imported, and every program imports sengu first
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # tensorflow-hub needs tf_keras
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
# tensorflow-hub's, and nothing a user can act on; the lock file holds a setuptools that still has it
warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
