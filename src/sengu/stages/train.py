"""Train the head on the features, then fine-tune the whole network."""

from __future__ import annotations  # those of TensorFlow would load it

import hashlib
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import numpy as np
from dvclive import Live
from scmrepo.exceptions import SCMError

import sengu.base
import sengu.networks.backbone
import sengu.training
from sengu import examples, networks
from sengu.base import digests, io_errors, params, working
from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError, run_program
from sengu.base.tables import versions
from sengu.examples import Examples, read_features, read_pixels
from sengu.networks import classifier
from sengu.networks.runtime import keras, tf
from sengu.training import checkpoints, fine_tuning, learner, phases, temperature, workers
from sengu.training.fine_tuning import FineTuning
from sengu.training.head import Fit, train_head
from sengu.training.network import Head, Network
from sengu.training.phases import Epoch, Progress

logger = logging.getLogger("train")

Log = Callable[[str, int, Epoch | Fit], None]

NAMES = {
    "loss": "train/loss",
    "accuracy": "train/accuracy",
    "rate": "rate",
    "penalty": "penalty",
    "validation_loss": "validation/loss",
    "validation_accuracy": "validation/accuracy",
}
# what TensorFlow says, the last of them when a copy finds no room on a GPU
CODE = (sengu.base, examples, networks, sengu.training, sys.modules[__name__])  # the code that decides a training
MEMORY = re.compile("OOM|OUT_OF_MEMORY|[Oo]ut of memory|allocate memory|Dst tensor is not initialized")


def fine_tune(tuning: FineTuning, log: Log, checkpoint: Path) -> None:
    """Trains the whole network on the pictures, in the scope of the strategy that joins the workers.

    The state is saved in the folder `checkpoint` after every epoch, and resumed from there. Raises SenguError if the workers
    are about to do different things.
    """
    place = tuning.place
    kept = checkpoints.Checkpoint(checkpoint, tuning.weights, tuning.learner.optimizer)
    notes, arrays = kept.load() or ({"start": None, "history": []}, [])
    progress = Progress([Epoch(**epoch) for epoch in notes["history"]], notes["start"], arrays)
    # 40 bits of the name are exact in the sum
    same = np.array([int(checkpoint.name[:10], 16), len(progress.history)], np.float64)
    if not np.array_equal(learner.total(same), same * place.workers):
        raise SenguError(
            f"the workers differ in inputs, settings, precision, code or in what {checkpoint} holds: run them on the same files, "
            f"and remove {checkpoint.parent} on all of them or share it"
        )

    def save(progress: Progress) -> None:
        if place.chief:
            notes = {"start": progress.start, "history": [vars(epoch) for epoch in progress.history]}
            kept.save(len(progress.history), notes, progress.best)

    validated = tuning.validated if len(tuning.validation) else None
    phases.fit("fine_tune", tuning.learner, phases.Passes(tuning.trained, validated), progress, phases.Notes(log, save))


def calibrate(network: Network, pixels: Examples, output: Path) -> None:
    """Calibrates the network's probabilities on validation, if that improves them, and notes it in the folder `output`."""
    rows = np.flatnonzero(pixels.rows["type"] == "validation")
    if not len(rows):
        return
    scale = temperature.choose(network.log_probabilities(pixels.arrays, rows), pixels.values[rows])
    if scale != 1:
        network.soften(scale)
        classifier.save_temperature(output, scale)
    logger.info("temperature: %.4g", scale)


@contextmanager
def curves(folder: Path) -> Iterator[Log]:
    """Yields a function that writes an epoch into the curves and metrics of a folder, which it empties first.

    Raises SenguError in a repository of Git that has no commit.
    """
    try:
        started = Live(str(folder), save_dvc_exp=False, dvcyaml=None, monitor_system=False)
    except SCMError as error:
        raise SenguError(
            f"{folder} cannot be written: dvclive asks Git for the latest commit ({error}): make the first one with "
            "`git add --all && git commit --message begun`, then run the stage again"
        ) from error
    with started as live:

        def log(phase: str, number: int, epoch: Epoch | Fit) -> None:
            live.step = number
            for name, value in vars(epoch).items():
                if value is not None:
                    live.log_metric(f"{phase}/{NAMES[name]}", value)
            live.next_step()

        yield log


def check(pixels: Examples, settings: params.Train, folder: Path) -> None:
    """Raises SenguError if these examples are not enough for the settings."""
    types = set(pixels.rows["type"])
    if "train" not in types:
        raise SenguError(f"{folder} has no example of type train: label more objects, or change split in params.yaml")
    phase = settings.fine_tune
    if phase.epochs and phase.patience and "validation" not in types:
        raise SenguError(
            f"params.yaml: train.fine_tune.patience is {phase.patience}, but {folder} has no example of type validation "
            "to stop by: set it to 0, or give split.validation a wider range"
        )


def joined(place: workers.Place) -> tf.distribute.Strategy:
    """The strategy by which the workers share each batch. A worker uses one GPU, if there is any."""
    if gpus := tf.config.list_physical_devices("GPU"):
        own = gpus[place.rank % len(gpus)]
        tf.config.set_visible_devices(own, "GPU")
        tf.config.experimental.set_memory_growth(own, True)
    return tf.distribute.MultiWorkerMirroredStrategy() if place.workers > 1 else tf.distribute.get_strategy()


def kept_in(inputs: list[Path], settings: params.Train, classes: int, place: workers.Place) -> Path:
    """The folder of the checkpoint, named by everything that decides the training; needs the strategy's scope."""
    # of the chief, as its weights are kept; 40 bits are exact in the sum
    processors = int.from_bytes(hashlib.sha256(repr(networks.backbone.processors()).encode()).digest()[:5]) * place.chief
    decides = settings, classes, fine_tuning.half(settings), float(learner.total(np.array(processors, np.float64)))
    return working.TRAINING / digests.key(decides, [*CODE, *inputs], networks.backbone.LIBRARIES)


def of_chief(head: Head, place: workers.Place) -> Head:
    """The chief's head for every worker, whose processor may have rounded differently; needs the strategy's scope."""
    kernel, bias = (learner.total(array * place.chief) for array in head)
    return kernel, bias


def train(folders: list[Path], settings: params.Train, place: workers.Place) -> None:
    """Runs both phases, from folders to folders, as main takes them; only the chief writes."""
    dataset, pixels_folder, features_folder, backbone, output, curves_folder = folders
    pixels, features = read_pixels(pixels_folder), read_features(pixels_folder, features_folder)
    check(pixels, settings, pixels_folder)
    networks.backbone.check(backbone)
    size, classes = pixels.arrays.shape[1], len(versions.read(dataset).classes)
    with checkpoints.alone() if place.chief else nullcontext():
        keras.utils.set_random_seed(settings.seed)
        tf.config.experimental.enable_op_determinism()
        strategy = joined(place)  # TensorFlow wants it before the first operation
        with ExitStack() as outputs:
            log: Log = outputs.enter_context(curves(curves_folder)) if place.chief else lambda phase, number, epoch: None
            head = train_head(features, classes, settings, log)
            if place.chief:
                partial = outputs.enter_context(replaced_folder(output))
                classifier.save_head(partial / classifier.HEAD, *head)
                network = Network(backbone, head, size, settings.mirror)
                network.save(partial / classifier.NETWORK)
            if settings.fine_tune.epochs:
                with strategy.scope():
                    checkpoint = kept_in([pixels_folder, features_folder, backbone], settings, classes, place)
                    # one worker alone cannot save variables that all of them share
                    tuned = network if place.workers == 1 else Network(backbone, of_chief(head, place), size)
                    fine_tune(FineTuning(tuned, pixels, settings, place), log, checkpoint)
                if place.chief:
                    network.assign(tuned)
                    if settings.temperature == "auto":
                        calibrate(network, pixels, partial)
                    network.save_weights(partial / classifier.NETWORK)
        with strategy.scope():
            learner.total(np.zeros(1))  # no worker leaves before the chief is done
        logger.info("%d classes, %d training examples", classes, int((pixels.rows["type"] == "train").sum()))
        if place.chief and settings.fine_tune.epochs:
            shutil.rmtree(checkpoint)


def explained(error: MemoryError | OSError | tf.errors.OpError, place: workers.Place, outputs: list[Path]) -> SenguError | None:
    """Advice about an error of a training; None if the error speaks for itself."""
    # not by its class: TensorFlow has one for disks, memory, open files and more
    full = re.search(
        rf"(?:^(?:{{{{.*?}}}} )?(?P<path>.*); )?(?P<reason>{'|'.join(map(os.strerror, io_errors.FULL))})", str(error)
    )
    if full:
        path = full["path"] or getattr(error, "filename", None)
        # the file lay in a folder that the error has removed
        folders = [next(folder for folder in Path(path).parents if folder.exists())] if path else [working.TRAINING, *outputs]
        return SenguError(
            f"{full['reason']} for {' or '.join(map(str, folders))}: make room there, then run the stage again, and fine-tuning "
            "goes on after its last whole epoch"
        )
    if isinstance(error, MemoryError) or MEMORY.search(str(error)):
        return SenguError("out of memory: lower train.fine_tune.batch in params.yaml")
    if isinstance(error, OSError) or place.workers == 1:
        return None
    reason = str(error.message).splitlines()[0]
    return SenguError(f"worker {place.rank} cannot go on, perhaps because another one is gone: {reason}")


def main(arguments: list[str]) -> None:
    settings = params.section("train", params.Train)
    place = workers.place(settings.workers, os.environ)
    if place is None:
        workers.supervise([sys.executable, "-m", "sengu.stages.train", *arguments], settings.workers)
        return
    workers.end_with_supervisor()
    if not place.chief:
        logger.setLevel(logging.ERROR)  # one worker logs for all, warnings too
    folders = [Path(argument) for argument in arguments]
    try:
        train(folders, settings, place)
    except SenguError:  # before TensorFlow is asked for its own, which may not be loaded yet
        raise
    except (MemoryError, OSError, tf.errors.OpError) as error:
        meant = explained(error, place, folders[-2:])
        if meant is None:
            raise
        raise meant from error


if __name__ == "__main__":
    run_program(main, "DATASET PIXELS FEATURES BACKBONE CLASSIFIER CURVES")
