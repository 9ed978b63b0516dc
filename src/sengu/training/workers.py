"""The number train.workers -> processes that train together: started here, on loopback, or by the user, who sets TF_CONFIG."""

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from sengu.base.errors import SenguError

VARIABLE = "TF_CONFIG"  # TensorFlow's own: {"cluster": {"worker": [host:port, …]}, "task": {"type": "worker", "index": 0}}
STARTED = "SENGU_STARTED_WORKER"
POLL = 0.2  # seconds between two looks at the workers
GRACE = 10  # seconds in which the others may say why they end, after one did


@dataclass(frozen=True)
class Place:
    """The place of a process among the workers; the first one is the chief, who alone writes outputs."""

    rank: int
    workers: int

    @property
    def chief(self) -> bool:
        return self.rank == 0


def place(workers: int, environment: Mapping[str, str]) -> Place | None:
    """The place of this process among `workers`, by TF_CONFIG; None if this process must start them.

    Raises SenguError for a TF_CONFIG that does not describe so many workers.
    """
    if VARIABLE not in environment:
        return Place(0, 1) if workers == 1 else None
    try:
        config = json.loads(environment[VARIABLE])
        names = [(job, number) for job in ("chief", "worker") for number in range(len(config["cluster"].get(job, [])))]
        own = Place(names.index((config["task"]["type"], config["task"]["index"])), len(names))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SenguError(
            f"{VARIABLE} is {environment[VARIABLE]!r}: it must name the cluster's workers and which of them this is; "
            "see docs/training.md, or unset it, and the workers are started on this machine"
        ) from error
    if own.workers != workers:
        raise SenguError(
            f"{VARIABLE} names {own.workers} workers, but train.workers in params.yaml is {workers}: make them agree"
        )
    return own


def supervise(command: list[str], workers: int) -> None:
    """Runs `command` as this many workers on loopback until all have ended; none outlives this process.

    Raises SenguError as soon as one fails.
    """
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for rank in range(workers):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
            variables = {**os.environ, VARIABLE: json.dumps(config), STARTED: "1"}
            # the worker reads its stdin, which ends with this process
            started.append(subprocess.Popen(command, env=variables, stdin=subprocess.PIPE))
        while any(worker.poll() is None for worker in started):
            _check(started)
            time.sleep(POLL)
        _check(started)
    finally:
        for worker in started:
            worker.kill()
            worker.wait()
            if worker.stdin:
                worker.stdin.close()


def end_with_supervisor() -> None:
    """Ends this worker when the process that started it is gone, however that ended."""
    if os.environ.get(STARTED):
        threading.Thread(target=_wait_and_exit, daemon=True).start()


def _wait_and_exit() -> None:
    os.read(0, 1)  # nothing is ever written to it
    os._exit(1)  # the main thread may be waiting for a worker that will never answer


def _check(started: list[subprocess.Popen[bytes]]) -> None:
    failed = [(rank, worker.returncode) for rank, worker in enumerate(started) if worker.poll()]
    if failed:
        rank, code = failed[0]
        _wait(started)
        raise SenguError(
            f"worker {rank} of {len(started)} ended with exit status {code}: see what it said above, then run the stage again"
        )


def _wait(started: list[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + GRACE
    while time.monotonic() < until and any(worker.poll() is None for worker in started):
        time.sleep(POLL)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:  # all of them open at once, so that they differ
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]
