"""What a schedule may say to a pruner: plain data, checked by pydantic, without torch or NNI.

``PER_LAYER`` names the options that a layer may override; the others hold for the whole stage. ``NEEDS_EPOCHS`` says
that the pruner works while its stage trains, so that a stage of 0 epochs would prune nothing.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Granularity = Literal["default", "out_channel", "in_channel"]


class PruningOptions(BaseModel):
    """Common to all pruners.

    sparsity: fraction of a layer's weights that become zero; None where each layer is given one.
    granularity: what is pruned as a whole; ``default`` is the pruner's own: single weights for level, output
        channels for the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    PER_LAYER: ClassVar[frozenset[str]] = frozenset({"sparsity", "granularity"})
    NEEDS_EPOCHS: ClassVar[bool] = False

    sparsity: float | None = Field(None, ge=0, lt=1)
    granularity: Granularity = "default"


class OneShotOptions(PruningOptions):
    """level, l1, l2, fpgm: one look at the weights, then fixed masks."""


class TrainedOptions(PruningOptions):
    """taylor: masks from what it gathers in so many training steps before the stage's epochs."""

    training_steps: int = Field(100, ge=1)


class SlimOptions(TrainedOptions):
    """slim: as taylor; regular_scale weighs the L1 term on its scaling factors in these steps."""

    regular_scale: float = Field(1.0, ge=0)


class MovementOptions(PruningOptions):
    """movement: scores learned while training; the sparsity grows from warmup_steps to cooldown_begin_step.

    Both count training steps of this stage. NNI's ``regular_scale`` is absent: it acts on thresholds only, and a
    schedule says sparsity.
    """

    NEEDS_EPOCHS: ClassVar[bool] = True

    warmup_steps: int = Field(0, ge=0)
    cooldown_begin_step: int = Field(ge=1)

    @field_validator("cooldown_begin_step")
    @classmethod
    def _after_warmup(cls, step: int, info: ValidationInfo) -> int:
        warmup = info.data.get("warmup_steps", 0)
        if step <= warmup:
            raise ValueError(f"must be above warmup_steps ({warmup}), not {step}")
        return step


class GradualOptions(PruningOptions):
    """agp, linear: the sparsity grows over the first ramp_epochs, in so many updates of the masks.

    using: the pruner that makes each mask.
    ramp_epochs: None is 60 % of the stage's epochs; the rest trains at the full sparsity.
    """

    NEEDS_EPOCHS: ClassVar[bool] = True

    using: Literal["level", "l1", "l2", "fpgm"] = "level"
    ramp_epochs: float | None = Field(None, gt=0)
    updates: int = Field(20, ge=1)
