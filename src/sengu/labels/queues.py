"""Pictures that could be labelled, each with what it belongs to -> the order in which to ask for them."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

SEED = 20


def shuffled(names: Iterable[str], seed: int = SEED) -> list[str]:
    """In an order that depends on the names and the seed only."""
    ordered = sorted(set(names))
    np.random.default_rng(seed).shuffle(ordered)
    return ordered


def in_turn(names: Sequence[str], belongs: Mapping[str, Sequence[str]]) -> list[str]:
    """One of each kind, then a second of each, so that every kind comes up however rare it is.

    `belongs` maps a name to its kinds, such as sites or tags; a name comes once, at the first of its turns, and one of no kind
    is of a kind of its own.
    """
    waiting: dict[str, list[str]] = {}
    for name in reversed(names):
        for kind in belongs.get(name, ()) or ("",):
            waiting.setdefault(kind, []).append(name)
    found: dict[str, None] = {}
    while waiting:
        for kind in sorted(waiting):
            stack = waiting[kind]
            while stack and stack[-1] in found:
                stack.pop()
            if stack:
                found[stack.pop()] = None
        waiting = {kind: stack for kind, stack in waiting.items() if stack}
    return list(found)
