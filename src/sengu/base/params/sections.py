"""The sections of params.yaml that belong to one stage each, and the facts about the whole."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from sengu.base.params.values import (
    STRICT,
    Byte,
    ClassName,
    Count,
    Penalty,
    Rate,
    Ratio,
    Seed,
    Share,
    Text,
    Times,
    Value,
    differing,
)


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Project:
    """The facts about the whole that dataset versions, catalogue and hand-over document repeat; empty where nothing is said."""

    name: str = ""
    purpose: str = ""  # what the classifier is for
    contact: str = ""  # whom to ask: a name, an address
    repository: str = ""  # URL of the Git repository
    licence: str = ""  # SPDX identifier or URL, of the data
    citation: str = ""  # how to cite it: text or BibTeX


@dataclass(config=STRICT, frozen=True)
class Video:
    frames: Annotated[int, Field(ge=0)] = 0  # evenly spaced frames of each video that become objects of their own


@dataclass(config=STRICT, frozen=True)
class Objects:
    max_pixels: Count  # width times height above which a picture is rejected before decoding
    checks: bool = True  # is every picture decoded, to see that it is whole? Without, only its header is read
    tree: bool = True  # has every object a file of its own? Without, it is read out of the archive
    video: Video = field(default_factory=Video)


@dataclass(config=STRICT, frozen=True)
class LabelParams:
    classes: Annotated[
        list[ClassName], Field(min_length=2), AfterValidator(differing)
    ]  # the class named at position i has value i
    tags: dict[Text, Value] = field(default_factory=dict)  # page tag -> value, for objects without an annotation
    # device -> value of its objects that have neither annotation nor tag
    devices: dict[Text, Value] = field(default_factory=dict)
    # what becomes of an object whose annotators differ
    disagreement: Literal["leave_out", "majority", "latest"] = "leave_out"


@dataclass(config=STRICT, frozen=True)
class Split:
    dataset: str  # the dataset version to split
    test: tuple[Byte, Byte]  # first and last low byte of the SHA-1, inclusive
    validation: tuple[Byte, Byte]
    leaks: Literal["exclude", "keep"]
    surplus: Literal["train", "hold_out"] = "train"  # what becomes of the pictures that the balanced test has no room for
    minimum: Count = 10  # test pictures of a class, below which a warning says what the test can prove


@dataclass(config=STRICT, frozen=True)
class Prepare:
    size: Annotated[int, Field(ge=32)]  # pixels, height and width
    fit: Literal["squash", "letterbox"]


@dataclass(config=STRICT, frozen=True)
class Backbone:
    # embedded, keras:imagenet[/b0 to b7], kaggle:<handle>, a TensorFlow Hub URL, or the path of a SavedModel folder or archive
    source: Annotated[str, Field(min_length=1)]


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Phase:
    """One part of a training; with a `patience` it ends early, and the weights of the best epoch, or of the start, are kept."""

    epochs: Times
    rate: Rate  # peak learning rate
    batch: Count  # examples per step, of all workers together
    warm_up: Share = 0.0  # share of the steps in which the rate grows to its peak, along a line
    decay: Literal["none", "cosine"] = "none"  # how the rate goes on from its peak; cosine falls towards 0
    patience: Times = 0  # epochs without a lower validation loss before the phase ends; 0: never
    label_smoothing: Share = 0.0  # share of the label that is spread over all classes
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0  # of kernels, times the rate, in each step (AdamW)
    frozen: Share = 0.0  # share of the backbone's weights, from the picture on, that do not learn
    lowest_rate: Annotated[float, Field(gt=0, le=1)] = 1.0  # the first layer's rate as a share of the head's; between, geometric


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Augmentation:
    """The largest random changes of the pictures in an epoch; by default none."""

    flip: bool = False  # left to right
    crop: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of the area that a crop may leave out; its sides differ up to 4 to 3
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0  # degrees, both ways
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of the side, in and out
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0  # share of the full level, both ways
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0  # factors from 1 - contrast to 1 + contrast
    saturation: Annotated[float, Field(ge=0, lt=1)] = 0.0  # as contrast


@dataclass(config=STRICT, frozen=True, kw_only=True)
class FineTune(Phase):
    augmentation: Augmentation = field(default_factory=Augmentation)

    @property
    def flips(self) -> bool:
        """True if the network is trained on mirror images."""
        return self.epochs > 0 and self.augmentation.flip


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Head:
    """The head is fitted to convergence, so that only its penalty is to be set."""

    # of the mean squared weights of standardised features; auto: the one with the least loss on validation
    penalty: Penalty = "auto"


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Train:
    seed: Seed
    fine_tune: FineTune
    head: Head = field(default_factory=Head)
    class_weights: Literal["none", "balanced"] = "none"
    mirror: bool = False  # the network judges each picture and its mirror image, and takes the mean; twice the time
    temperature: Literal["auto", "never"] = "auto"  # auto: probabilities are scaled where validation shows that it helps
    mixed_precision: Literal["auto", "never"] = "auto"  # auto: float16 where a GPU is used
    workers: Count = 1  # processes that train together; see docs/training.md


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Threshold:
    """The goal of the decision threshold on the validation split, for each class if there are more than two; exactly one."""

    precision: Ratio | None = None
    recall: Ratio | None = None
    f1: Ratio | None = None  # the threshold with the highest F1 is taken, if it reaches this one
    cost: Annotated[float, Field(gt=0)] | None = None  # of a missed picture, in false alarms; the least total cost is taken

    @model_validator(mode="after")
    def _one(self) -> "Threshold":
        if sum(value is not None for value in (self.precision, self.recall, self.f1, self.cost)) != 1:
            raise ValueError("give exactly one of precision, recall, f1 and cost")
        return self


def _folds(count: int) -> int:
    if count == 1:
        raise ValueError("expected 0, or at least 2")
    return count


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Evaluate:
    threshold: Threshold | None = None  # by default the more probable class is the prediction
    folds: Annotated[int, Field(ge=0), AfterValidator(_folds)] = 0  # in which the head is trained and measured again; 0: not
    bootstrap: Annotated[int, Field(ge=10, le=100_000)] = 1000  # resamples of the test split for the 95% intervals
    seed: Seed = 20


@dataclass(config=STRICT, frozen=True, kw_only=True)
class LabelErrors:
    folds: Annotated[int, Field(ge=2)] = 5  # of the cross-validation
    seed: Seed = 20


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Export:
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
