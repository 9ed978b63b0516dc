"""A good and a bad set of package versions -> the package that makes the difference, in as few sets as halving needs.

It bisects first by date, so that every set has existed, then by package: it adopts half of the newer versions at a time. A
set that cannot be installed or gives no answer is replaced by its neighbour, as `git bisect skip` does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import ceil, log2

Versions = Mapping[str, str]  # package -> version
MOST = 12  # environments


@dataclass(frozen=True)
class Guilty:
    """The packages among which the guilty one is, and how many sets were tried.

    There is one package, unless tries ran out or sets between could not be installed.
    """

    packages: tuple[str, ...]
    tried: int
    between: tuple[date, date] | None = None  # the bad version appeared after the first date and no later than the second


@dataclass
class Trial:
    """A counter of tried sets. `test` says whether a set is good, or None if it cannot tell."""

    test: Callable[[Versions], bool | None]
    most: int = MOST
    tried: int = 0
    results: dict[frozenset[tuple[str, str]], bool | None] = field(default_factory=dict)

    @property
    def left(self) -> int:
        return self.most - self.tried

    def is_good(self, versions: Versions) -> bool | None:
        key = frozenset(versions.items())
        if key not in self.results:
            self.tried += 1
            self.results[key] = self.test(versions)
        return self.results[key]


def changed(old: Versions, new: Versions) -> list[str]:
    """The packages whose version differs, came or went, by name."""
    return sorted(name for name in {**old, **new} if old.get(name) != new.get(name))


def find(old: Versions, new: Versions, trial: Trial) -> Guilty:
    """The guilty among the packages that `new`, which is bad, has in other versions than `old`, which is good."""
    names = changed(old, new)
    low, high = 0, len(names)  # with the newer versions of the first `low` names it is good, with those of the first `high` bad
    while high - low > 1 and trial.left > 0:
        for middle in _from_the_middle(low, high):
            if trial.left <= 0:
                break
            good = trial.is_good(_mixed(old, new, names[:middle]))
            if good is not None:
                low, high = (middle, high) if good else (low, middle)
                break
        else:
            break  # none of the sets between can be tried
    return Guilty(tuple(names[low:high]), trial.tried)


def find_by_date(
    old: Versions, new: Versions, days: tuple[date, date], at: Callable[[date], Versions | None], trial: Trial
) -> Guilty:
    """The guilty packages, as `find` gives them, after bisecting the `days` between the two sets as long as tries are left.

    `at` gives the set of a day, None if there is none.
    """
    first, last = days
    while (last - first).days > 1 and trial.left > _tries(changed(old, new)):
        middle = first + timedelta(days=(last - first).days // 2)
        versions = at(middle)
        good = trial.is_good(versions) if versions is not None else None
        if versions is None or good is None:
            break
        if good:
            old, first = versions, middle
        else:
            new, last = versions, middle
    return _dated(find(old, new, trial), first, last)


def _dated(guilty: Guilty, first: date, last: date) -> Guilty:
    return Guilty(guilty.packages, guilty.tried, (first, last))


def _tries(names: list[str]) -> int:
    return ceil(log2(len(names))) if len(names) > 1 else 0


def _from_the_middle(low: int, high: int) -> list[int]:
    """The places between, the middle first, then its neighbours."""
    middle = (low + high) // 2
    return sorted(range(low + 1, high), key=lambda place: (abs(place - middle), place))


def _mixed(old: Versions, new: Versions, names: list[str]) -> dict[str, str]:
    """The old versions, but the new ones of such names; a package that went away is left out, one that came is put in."""
    taken = {name: new.get(name, "") for name in names}
    return {name: version for name, version in {**old, **taken}.items() if version}
