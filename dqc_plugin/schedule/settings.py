"""How a stage trains: optimizer, learning rate, loss, epochs. Frozen data with the defaults of every key."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation, ValidationInfo, field_validator


class Frozen(BaseModel):
    """Base of all parts of a schedule: read-only, no unknown key, no value of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Decaying(Frozen):
    """Common to all optimizers. weight_decay_on: all parameters, or weights only: no biases, no batch norm."""

    LATER: ClassVar[frozenset[str]] = frozenset({"weight_decay_on"})

    weight_decay_on: Literal["all", "weights"] = "all"


class SGD(Decaying):
    name: Literal["sgd"] = "sgd"
    lr: float = Field(0.05, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(0.0, ge=0)

    @field_validator("nesterov")
    @classmethod
    def _has_momentum(cls, nesterov: bool, info: ValidationInfo) -> bool:
        if nesterov and info.data.get("momentum") == 0:
            raise ValueError("needs a momentum above 0")
        return nesterov


Beta = Annotated[float, Field(ge=0, lt=1)]


class Adam(Decaying):
    name: Literal["adam"] = "adam"
    lr: float = Field(1e-3, gt=0)
    betas: tuple[Beta, Beta] = Field((0.9, 0.999), strict=False)
    weight_decay: float = Field(0.0, ge=0)


class AdamW(Decaying):
    name: Literal["adamw"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    betas: tuple[Beta, Beta] = Field((0.9, 0.999), strict=False)
    weight_decay: float = Field(0.01, ge=0)


class Constant(Frozen):
    """lr after a linear rise over the first warmup_epochs; the other schedules have the same warm-up."""

    name: Literal["constant"] = "constant"
    warmup_epochs: float = Field(0.0, ge=0)


class Cosine(Frozen):
    """Half a cosine from lr to final_fraction * lr at the end of the stage."""

    name: Literal["cosine"] = "cosine"
    warmup_epochs: float = Field(0.0, ge=0)
    final_fraction: float = Field(0.0, ge=0, le=1)


class Step(Frozen):
    """lr times gamma after every step_epochs."""

    name: Literal["step"] = "step"
    warmup_epochs: float = Field(0.0, ge=0)
    step_epochs: int = Field(ge=1)
    gamma: float = Field(0.1, gt=0, le=1)


class MultiStep(Frozen):
    """lr times gamma after each of milestones_epochs."""

    name: Literal["multistep"] = "multistep"
    warmup_epochs: float = Field(0.0, ge=0)
    milestones_epochs: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1, strict=False)
    gamma: float = Field(0.1, gt=0, le=1)

    @field_validator("milestones_epochs")
    @classmethod
    def _rising(cls, milestones: tuple[int, ...]) -> tuple[int, ...]:
        if any(late <= early for early, late in pairwise(milestones)):
            raise ValueError(f"must rise, not {list(milestones)}")
        return milestones


class OneCycle(Frozen):
    """Linear rise to lr over warmup_epochs (None: 30 % of the stage), then half a cosine to final_fraction * lr."""

    name: Literal["one_cycle"] = "one_cycle"
    warmup_epochs: float | None = Field(None, ge=0)
    final_fraction: float = Field(0.0, ge=0, le=1)


class CrossEntropy(Frozen):
    """Softmax cross entropy, plus l1 * sum|w| and l2 / 2 * sum w^2: the losses of the paper's Tables 1 to 3.

    The terms are over the weights of all layers that can be compressed as the forward pass sees them.
    """

    name: Literal["cross_entropy"] = "cross_entropy"
    l1: float = Field(0.0, ge=0)
    l2: float = Field(0.0, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)


def _with_name(model: Any) -> Any:
    return {"name": model} if isinstance(model, str) else model


class Teacher(Frozen):
    """A network to learn from. model: name and arguments as those of ``model:``; checkpoint: its weights."""

    # Checked with the arguments of its factory.
    model: Annotated[dict[str, Any], SkipValidation, BeforeValidator(_with_name)]
    checkpoint: str


class Distill(Frozen):
    """Learn from another network too: (1 - weight) loss + weight T^2 KL at temperature T.

    teacher: None for the network of the last train stage.
    """

    LATER: ClassVar[frozenset[str]] = frozenset({"teacher"})

    weight: float = Field(0.5, gt=0, le=1)
    temperature: float = Field(4.0, gt=0)
    teacher: Teacher | None = None


class WeightAveraging(Frozen):
    """The stage ends with the moving average of its weights; decay is that of the average for each step."""

    decay: float = Field(0.999, gt=0, lt=1)


Optimizer = Annotated[SGD | Adam | AdamW, Field(discriminator="name")]
LRSchedule = Annotated[Constant | Cosine | Step | MultiStep | OneCycle, Field(discriminator="name")]
Loss = CrossEntropy

Precision = Literal["float32", "bfloat16", "float16"]

# The choices of each key that holds a mapping with a name; the first is the default.
CHOICES: dict[str, tuple[type[Frozen], ...]] = {
    "optimizer": (SGD, Adam, AdamW),
    "lr_schedule": (Constant, Cosine, Step, MultiStep, OneCycle),
    "loss": (CrossEntropy,),
}


class TrainSettings(Frozen):
    """How one stage trains, complete: its own keys over those of the schedule's ``train`` over these defaults.

    precision: of the stage's training step, see :class:`~dqc_plugin.schedule.model.Header`; None is the schedule's.
    accumulate_batches: so many batches make one optimizer step, as one batch of so many times batch_size would.
    distill, weight_averaging: None leaves it out.
    batch_norm_batches: the stage ends with batch norm's statistics averaged over so many training batches; 0 leaves
        those of the training.
    """

    LATER: ClassVar[frozenset[str]] = frozenset(
        {"distill", "weight_averaging", "batch_norm_batches", "accumulate_batches", "precision"}
    )

    epochs: int = Field(0, ge=0)
    precision: Precision | None = None
    batch_size: int = Field(128, ge=1)
    accumulate_batches: int = Field(1, ge=1)
    optimizer: Optimizer = SGD()
    lr_schedule: LRSchedule = Constant()
    loss: Loss = CrossEntropy()
    gradient_clip_norm: float | None = Field(None, gt=0)
    distill: Distill | None = None
    weight_averaging: WeightAveraging | None = None
    batch_norm_batches: int = Field(0, ge=0)

    @property
    def duration(self) -> str:
        """``1 epoch``, ``12 epochs``."""
        return f"{self.epochs} epoch{'' if self.epochs == 1 else 's'}"


TRAIN_KEYS: tuple[str, ...] = tuple(TrainSettings.model_fields)


def choice_name(choice: type[Frozen]) -> str:
    """The name by which a schedule picks an optimizer, a learning rate schedule or a loss."""
    return str(choice.model_fields["name"].default)
