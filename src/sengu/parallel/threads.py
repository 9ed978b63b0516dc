"""Work on many items in threads, in order, a bounded number ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 32  # items for each core, so that the others go on while one is large
Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`work` of every item, in order, in as many threads as there are cores; only some items are taken ahead.

    Threads, since Pillow and ONNX Runtime work without Python's lock, and all can use one session. Whoever stops early waits
    until none of them works: a process that ended meanwhile would be aborted by ONNX Runtime.
    """
    from joblib import cpu_count  # a start that one picture can do without

    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(cores := cpu_count()) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > AHEAD * cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
