"""The epochs of a phase: learning, validation, early stopping, the best weights."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sengu.base.errors import SenguError
from sengu.base.params import Phase
from sengu.training.learner import Learner, Means

logger = logging.getLogger("train")


@dataclass(frozen=True)
class Epoch:
    """The result of an epoch: means over the examples, and the learning rate of its last step."""

    loss: float
    accuracy: float
    rate: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


@dataclass
class Progress:
    """The progress of a phase: its epochs, the validation loss before them, and the best weights so far if they are to be kept.

    The weights that a phase starts from are those of epoch 0.
    """

    history: list[Epoch] = field(default_factory=list)
    start: float | None = None
    best: list[np.ndarray] = field(default_factory=list)


@dataclass(frozen=True)
class Passes:
    """The passes of an epoch: training, by the number of the epoch from 0, and validation if there are pictures for it."""

    train: Callable[[int], Means]
    validate: Callable[[], Means] | None


@dataclass(frozen=True)
class Notes:
    """Callbacks after each epoch: `log` by phase and number, from 1, also of those before a resume; `save` of new ones."""

    log: Callable[[str, int, Epoch], None]
    save: Callable[[Progress], None] = lambda progress: None


def fit(name: str, learner: Learner, passes: Passes, progress: Progress, notes: Notes) -> None:
    """Runs the remaining epochs of the phase `name`; the learner ends with the weights of the last or of the best one.

    With patience, the weights at the start compete as those of epoch 0. Warns if the phase has done harm. Raises SenguError if
    the loss is not, or no longer, a number.
    """
    phase, train, validate = learner.phase, passes.train, passes.validate
    for number, record in enumerate(progress.history, 1):
        notes.log(name, number, record)
    if validate and phase.epochs and progress.start is None:
        progress.start = _start(name, validate)
        if phase.patience:
            progress.best = learner.values()
    while not finished(progress, phase):
        number, start = len(progress.history) + 1, time.perf_counter()
        loss, accuracy = train(number - 1)
        seconds = time.perf_counter() - start
        validated = validate() if validate else (None, None)
        if not np.isfinite([loss, validated[0] or 0]).all():
            raise SenguError(
                f"the loss of {name} is not a finite number after epoch {number}: lower train.{name}.rate in params.yaml"
            )
        record = Epoch(loss, accuracy, learner.rate(), *validated)
        progress.history.append(record)
        if phase.patience and best(progress) == number:
            progress.best = learner.values()
        notes.log(name, number, record)
        logger.info("%s, epoch %d of %d: %s", name, number, phase.epochs, _text(record, learner.examples / seconds))
        notes.save(progress)
    if progress.best:
        learner.assign(progress.best)
        if best(progress):
            logger.info("%s: the weights are those after epoch %d", name, best(progress))
    _warn(name, progress)


def losses(progress: Progress) -> list[float]:
    """Validation losses at the start and after each epoch, or none at all."""
    every = (progress.start, *(epoch.validation_loss for epoch in progress.history))
    return [loss for loss in every if loss is not None]


def best(progress: Progress) -> int:
    """The number of the first epoch with the lowest validation loss; 0 is the start."""
    by_epoch = losses(progress)
    return by_epoch.index(min(by_epoch))


def finished(progress: Progress, phase: Phase) -> bool:
    """True if the last epoch is reached, or none was better for `patience` epochs."""
    done = len(progress.history)
    return done >= phase.epochs or bool(phase.patience and done - best(progress) >= phase.patience)


def _start(name: str, validate: Callable[[], Means]) -> float:
    loss, accuracy = validate()
    if not np.isfinite(loss):
        raise SenguError(
            f"the validation loss of {name} is not a finite number before its first epoch: check data/features "
            "for NaN or infinite values, or set train.mixed_precision in params.yaml to never"
        )
    logger.info("%s, before epoch 1: validation loss %.4g, validation accuracy %.4g", name, loss, accuracy)
    return loss


def _warn(name: str, progress: Progress) -> None:
    """Warns if the phase has done harm."""
    start, *later = losses(progress) or [0.0]
    if not later:
        return
    cure = f"lower train.{name}.rate in params.yaml"
    if progress.best and best(progress) == 0:
        logger.warning("%s: no epoch was better than the weights it started from, which are kept: %s", name, cure)
    elif not progress.best and later[-1] > start:
        logger.warning("%s: the validation loss has grown from %.4g to %.4g: %s, or set patience", name, start, later[-1], cure)


def _text(record: Epoch, speed: float) -> str:
    numbers = ((name.replace("_", " "), value) for name, value in vars(record).items() if value is not None)
    return ", ".join(f"{name} {value:.4g}" for name, value in (*numbers, ("examples per second", speed)))
