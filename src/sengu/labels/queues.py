"""Pictures that could be labelled, each with its kinds -> the order in which to ask for them."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

SEED = 20
REPEATED = 50  # one in so many pictures is shown again
AGO = 20  # places that lie at least between the two


def shuffled(names: Iterable[str], seed: int = SEED) -> list[str]:
    """Names in an order that depends on the names and the seed only."""
    ordered = sorted(set(names))
    np.random.default_rng(seed).shuffle(ordered)
    return ordered


def in_turn(names: Sequence[str], belongs: Mapping[str, Sequence[str]]) -> list[str]:
    """Names ordered as one of each kind, then a second of each, so that rare kinds come up, too.

    `belongs` maps a name to its kinds, such as sites or tags; a name comes once, at the first of its turns, and one of no kind
    is of a kind of its own.
    """
    waiting: dict[str, list[str]] = {}
    for name in reversed(names):
        for kind in belongs.get(name, ()) or ("",):
            waiting.setdefault(kind, []).append(name)
    ordered: dict[str, None] = {}
    while waiting:
        for kind in sorted(waiting):
            stack = waiting[kind]
            while stack and stack[-1] in ordered:
                stack.pop()
            if stack:
                ordered[stack.pop()] = None
        waiting = {kind: stack for kind, stack in waiting.items() if stack}
    return list(ordered)


def with_repeats(names: Sequence[str], labelled: Iterable[str], every: int = REPEATED, seed: int = SEED) -> list[str]:
    """A queue in which each picture at a multiple of `every` was seen before, drawn at random.

    The annotator cannot tell, so it measures how consistent a person is. A repeated picture was `labelled` before, or came at
    least AGO places earlier.
    """
    chance = np.random.default_rng(seed)
    old = sorted(set(labelled))
    queue: list[str] = []
    for name in names:
        if len(queue) % every == every - 1 and (pool := len(old) + max(len(queue) - AGO, 0)):
            drawn = int(chance.integers(pool))
            again = old[drawn] if drawn < len(old) else queue[drawn - len(old)]
            queue.append(again)
        queue.append(name)
    return queue
