"""What a schedule may say to a quantizer: plain data, checked by pydantic, without torch or NNI.

Every option holds for the stage and may be overridden for a layer. Besides its fields, an options class may say for
the resolved table how large the codebook is (``codebook_size``) and when it stops changing (``freeze``).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Granularity = Literal["per_tensor", "per_channel"]
RangeRule = Literal["max", "mse"]
Gradient = Literal["straight_through", "magnitude"]
Target = Literal["weight", "bias", "_input_", "_output_"]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class CodebookOptions(_Options):
    """When a dynamic codebook is derived again (refresh) and when that ends (freeze); the weights train on.

    refresh_every_steps: training steps between two refreshes.
    freeze_after_steps, freeze_after_epochs: of this stage; 0 is at once; both None is never.
    """

    refresh_every_steps: int = Field(1, ge=1)
    freeze_after_steps: int | None = Field(None, ge=0)
    freeze_after_epochs: int | None = Field(None, ge=0)

    @field_validator("freeze_after_epochs")
    @classmethod
    def _one_freeze(cls, epochs: int | None, info: ValidationInfo) -> int | None:
        if epochs is not None and info.data.get("freeze_after_steps") is not None:
            raise ValueError("give freeze_after_steps or freeze_after_epochs, not both (null takes one away)")
        return epochs

    @property
    def freeze(self) -> str:
        """``"never"``, ``"at once"`` or ``"after 6 epochs"``."""
        if self.freeze_after_steps is None and self.freeze_after_epochs is None:
            return "never"
        count, unit = (
            (self.freeze_after_epochs, "epoch")
            if self.freeze_after_epochs is not None
            else (self.freeze_after_steps, "step")
        )
        return "at once" if count == 0 else f"after {count} {unit}{'' if count == 1 else 's'}"


class SQCOptions(_Options):
    """Options of SQC: a power-of-two codebook, fixed from the weights at the start of its stage.

    bits: index width; the codebook has 2^bits codewords without zero, 2^bits - 1 with zero.
    granularity: one codebook for the tensor (the paper) or for each output channel.
    range: the largest exponent from max|w| (the paper), or the one with the least squared error.
    gradient: straight-through, or the authors' rule that scales it by the codeword's magnitude.
    """

    bits: int = Field(5, ge=2, le=8)
    zero: bool = True
    granularity: Granularity = "per_tensor"
    range: RangeRule = "max"
    gradient: Gradient = "straight_through"

    @property
    def codebook_size(self) -> int:
        return (1 << self.bits) - int(self.zero)

    @property
    def freeze(self) -> str:
        return "at once"


class DQCOptions(SQCOptions):
    """Options of DQC: those of SQC, and when the codebook is refreshed and frozen."""

    codebook: CodebookOptions = CodebookOptions()

    @property
    def freeze(self) -> str:
        return self.codebook.freeze


class NNIOptions(_Options):
    """Options of NNI's own quantizers: the width of the integers and what of a layer is quantized."""

    bits: int = Field(8, ge=2, le=8)
    target_names: tuple[Target, ...] = Field(("weight",), min_length=1, strict=False)


class BNNOptions(NNIOptions):
    """NNI's BNN knows one width only: the sign of each weight."""

    bits: Literal[1] = 1  # type: ignore[assignment]


class BitsOptions(_Options):
    """Options of a quantizer that declares none: the index width."""

    bits: int = Field(8, ge=2, le=8)
