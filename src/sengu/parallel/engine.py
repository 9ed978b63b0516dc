"""An engine's name -> where joblib's tasks run: in processes of this machine, or on an existing Dask cluster.

The workers of a cluster need the same code. They also need the same files at the same absolute paths (a shared file system),
for tasks hold absolute paths, and workers write leaves of the object tree themselves; but not where objects have no files of
their own and archives are read from DVC's remote (docs/scale.md). Their working directories do not matter.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import joblib

import sengu
from sengu.base import digests
from sengu.base.errors import SenguError

PROCESSES = "processes"
PATIENCE = 10  # seconds for a scheduler to answer
# libraries that decide the results
LIBRARIES = (
    "pillow", "opencv-python-headless", "simplejpeg", "pi-heif", "tifffile", "numpy", "onnxruntime", "fastwarc", "brotli",
)  # fmt: skip


@contextmanager
def running(engine: str, shared: Sequence[object] = ()) -> Iterator[None]:
    """Lets `joblib.Parallel(n_jobs=-1)` within run on `engine` of params.yaml. Raises SenguError if that cannot be used.

    What is `shared` is sent to each worker of a cluster once, and not with every task that takes it as an argument.
    """
    if engine == PROCESSES:
        yield
        return
    from distributed import Client  # takes half a second, which a local run need not wait

    try:
        client = Client(engine, timeout=PATIENCE, set_as_default=True)
    except (OSError, ValueError) as error:
        raise SenguError(
            f"engine: no Dask scheduler answers at {engine}: start one with `dask scheduler`, "
            f"or set `engine: {PROCESSES}` in params.yaml"
        ) from error
    with client:
        _check(client, engine)
        with joblib.parallel_config(backend="dask", **({"scatter": list(shared)} if shared else {})):
            yield


def code() -> str:
    """The digest of everything that decides a result: the sources of this package and the versions of the libraries."""
    return digests.key((), (sengu,), LIBRARIES)


def _check(client: Any, engine: str) -> None:
    threads = client.nthreads()
    if not threads:
        raise SenguError(f"engine: the scheduler at {engine} has no worker: start some with `dask worker {engine} --nthreads 1`")
    for worker, count in threads.items():
        if count != 1:  # Pillow keeps its limit of pixels in a variable of the module, which threads would share
            raise SenguError(f"engine: worker {worker} has {count} threads: start it with `dask worker {engine} --nthreads 1`")
    for worker, answer in client.run(code, on_error="return").items():
        if answer != code():
            other = f" ({answer})" if isinstance(answer, Exception) else ""
            raise SenguError(
                f"engine: worker {worker} has other code or libraries than this machine{other}: "
                "check out the same commit there, run `make install`, and start it again"
            )
