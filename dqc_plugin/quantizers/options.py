"""What a schedule may say to a quantizer: plain data, checked by pydantic, without torch or NNI.

Every option holds for the stage and may be overridden for a layer. Besides its fields, an options class may say for
the resolved table how large the codebook is (``codebook_size``) and when it stops changing (``freeze``).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from dqc_plugin.quantizers.portions import Partition, Portions, check_portions

Granularity = Literal["per_tensor", "per_channel"]
RangeRule = Literal["max", "mse"]
Gradient = Literal["straight_through", "magnitude"]
Init = Literal["linear", "density", "random"]
CentroidGradient = Literal["sum", "mean"]
Target = Literal["weight", "bias", "_input_", "_output_"]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FreezeOptions(_Options):
    """When a codebook stops changing.

    freeze_after_steps, freeze_after_epochs: of this stage; 0 is at once; both None is never.
    """

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


class CodebookOptions(FreezeOptions):
    """When a dynamic codebook is derived again (refresh) and when that ends (freeze); the weights train on.

    refresh_every_steps: training steps between two refreshes.
    """

    refresh_every_steps: int = Field(1, ge=1)


class SQCOptions(_Options):
    """Options of SQC: a power-of-two codebook, fixed from the weights at the start of its stage.

    bits: index width; the codebook has 2^bits codewords without zero, 2^bits - 1 with zero.
    granularity: one codebook for the tensor (the paper) or for each output channel.
    range: the largest exponent from max|w| (the paper), or the one with the least squared error.
    gradient: straight-through, or the authors' rule that scales it by the codeword's magnitude.
    """

    LATER: ClassVar[frozenset[str]] = frozenset({"start_bits"})

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
    """Options of DQC: those of SQC, and when the codebook is refreshed and frozen.

    start_bits: the index width at the start of the stage; it falls one by one to ``bits`` over the first half. A
        layer whose own bits are as many or more keeps these.
    """

    codebook: CodebookOptions = CodebookOptions()
    start_bits: int | None = Field(None, ge=3, le=8)

    @property
    def freeze(self) -> str:
        return self.codebook.freeze


class WeightSharingOptions(_Options):
    """Options of weight sharing: 2^bits values from k-means, trained until they are frozen.

    bits: index width; the codebook has 2^bits codewords.
    init: the first centroids: evenly between the least and the largest weight (the paper's best), by quantiles, or
        weights drawn with ``seed``.
    gradient: of a centroid, the sum of its members' (the paper; wants a small learning rate) or their mean.
    codebook: when the values stop training; each weight's index is fixed from the start.
    """

    bits: int = Field(5, ge=2, le=8)
    init: Init = "linear"
    seed: int = Field(0, ge=0)
    gradient: CentroidGradient = "sum"
    codebook: FreezeOptions = FreezeOptions()

    @property
    def codebook_size(self) -> int:
        return 1 << self.bits

    @property
    def freeze(self) -> str:
        return self.codebook.freeze


class INQOptions(_Options):
    """Options of INQ: 2^(bits-2) magnitudes and zero, the largest weights of a layer quantized first.

    partition: the fractions that are quantized one after the other, the paper's by bits or those of DQC's authors.
    portions: fractions of your own instead, rising and ending at 1.
    partition_every_steps: training steps between two portions; null spreads them evenly over the stage.
    """

    bits: int = Field(5, ge=2, le=8)
    partition: Partition = "paper"
    portions: Portions | None = Field(None, strict=False)
    partition_every_steps: int | None = Field(None, ge=1)

    @field_validator("portions")
    @classmethod
    def _rising(cls, portions: Portions | None) -> Portions | None:
        return None if portions is None else check_portions(portions)

    @property
    def codebook_size(self) -> int:
        return (1 << (self.bits - 1)) + 1

    @property
    def freeze(self) -> str:
        return "at once"


class TernaryOptions(_Options):
    """Options of TWN. threshold: weights below so many times the layer's mean |w| become 0."""

    bits: ClassVar[int] = 2
    codebook_size: ClassVar[int] = 3
    freeze: ClassVar[str] = "never"
    threshold: float = Field(0.7, ge=0)


class TTQOptions(_Options):
    """Options of TTQ. threshold: weights below so many times the layer's largest |w| become 0."""

    bits: ClassVar[int] = 2
    codebook_size: ClassVar[int] = 3
    freeze: ClassVar[str] = "never"
    threshold: float = Field(0.05, ge=0, lt=1)


class BinaryConnectOptions(_Options):
    """Options of BinaryConnect. magnitude of both codewords: ``one`` (the paper) or the layer's ``mean`` |w|."""

    bits: ClassVar[int] = 1
    codebook_size: ClassVar[int] = 2
    magnitude: Literal["one", "mean"] = "one"

    @property
    def freeze(self) -> str:
        return "at once" if self.magnitude == "one" else "never"


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
