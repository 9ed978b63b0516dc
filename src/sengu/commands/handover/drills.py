"""Git's history -> the last person for each task of a successor: add pictures, annotate, extend a version, retrain."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sengu.repository import comparing, history
from sengu.repository.git import ask
from sengu.repository.history import Commit

LOOKED_AT = 50  # commits of the lock files; an older drill is due again


@dataclass(frozen=True)
class Drill:
    """A task that a successor must have done once; `who` and `when` are empty until somebody but the first author did it."""

    name: str
    command: str
    who: str = ""
    when: str = ""


def drills() -> list[Drill]:
    """The four drills, each with the last person who passed it, not counting the author of the first commit."""
    owner = owner_of()
    changes = _changes()
    return [
        _drill("added pictures", "sengu crawl --all", owner, changes(lambda stage: stage.startswith("crawl"))),
        _drill("annotated", "sengu suggest", owner, history.commits("labels/*.csv")),
        _drill("extended a version", "sengu dataset create", owner, history.commits("datasets/dvc.yaml")),
        _drill(
            "retrained",
            "dvc repro train, after an edit of params.yaml or another version",
            owner,
            changes(lambda stage: stage == "train"),
        ),
    ]


def owner_of() -> str:
    """The author of the first commit, who is not a successor."""
    return next(iter(ask("log", "--reverse", "--format=%an <%ae>").splitlines()), "")


def _drill(name: str, command: str, owner: str, commits: Iterable[Commit]) -> Drill:
    others = (commit for commit in commits if commit.author != owner)
    last = next(others, None)
    return Drill(name, command, last.author, last.date[:10]) if last else Drill(name, command)


def _changes() -> Callable[[Callable[[str], bool]], list[Commit]]:
    """A function that gives the commits that changed outputs of chosen stages, the latest first."""
    commits = history.commits(*comparing.LOCKS)[: LOOKED_AT + 1]
    states = [comparing.pinned(history.locked_at(commit.sha)) for commit in commits]

    def changing(is_meant: Callable[[str], bool]) -> list[Commit]:
        chosen = [{place: value for place, value in state.items() if is_meant(place[0])} for state in states]
        # an output that is not pinned any more was not made
        return [commit for commit, new, old in zip(commits, chosen, chosen[1:], strict=False) if new.items() - old.items()]

    return changing
