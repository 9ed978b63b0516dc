"""Work on many items in threads, in order, a bounded number ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 32  # items for each core, so that the others go on while one is large
Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Applies `work` to every item, in order, in as many threads as there are cores; only some items are taken ahead.

    Threads suffice, because Pillow and ONNX Runtime work without Python's lock, and all can use one session. A caller that
    stops early waits for all threads: ONNX Runtime would abort a process that ended meanwhile.
    """
    from joblib import cpu_count  # one picture needs no threads

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
