"""INQ: incremental network quantization, the largest weights first (Zhou et al. 2017, arXiv 1702.03044)."""

from __future__ import annotations

from typing import Any

import torch
from nni.compression.base.target_space import QuantizationTargetSpace
from nni.compression.base.wrapper import ModuleWrapper
from nni.compression.utils import Evaluator
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from dqc_plugin.codebooks import SharedValues
from dqc_plugin.codebooks.float_bits import floor_power_of_two
from dqc_plugin.errors import ConfigError
from dqc_plugin.quantizers.base import CalibrationConfig, CodebookQuantizer
from dqc_plugin.quantizers.options import INQOptions
from dqc_plugin.quantizers.per_tensor import PerTensorSettings, PerTensorTarget
from dqc_plugin.quantizers.portions import Partition, Portions, check_portions, portions_of
from dqc_plugin.quantizers.selection import Config


class INQSettings(PerTensorSettings):
    """Adds these keys to ``target_settings``; ``quant_dtype: int5`` has 2^(5-2) magnitudes and zero.

    partition: ``paper`` by bits, or ``dqc_authors``; portions: fractions of one's own, ending at 1.
    partition_every_steps: optimizer steps from one portion to the next; None spreads them evenly over the training.
    """

    partition: Partition = "paper"
    portions: Portions | None = None
    partition_every_steps: int | None = Field(None, ge=1)

    _portions = field_validator("portions")(classmethod(lambda _, given: given and check_portions(given)))

    @model_validator(mode="after")
    def _never_refreshed(self) -> INQSettings:
        if self.freeze_after_steps is not None or self.freeze_after_epochs is not None:
            raise ValueError("INQ never changes its codebook: freeze_after_steps and freeze_after_epochs do not apply")
        return self

    def freeze_step(self, steps_per_epoch: int | None, name: str) -> int | None:
        return 0

    @property
    def fractions(self) -> Portions:
        return self.portions or portions_of(self.partition, self.bits)


class INQTarget(PerTensorTarget):
    """NNI's ``scale`` holds the largest codeword 2^n1; two buffers hold which weights are quantized, and to what."""

    settings_type = INQSettings
    settings: INQSettings

    def __init__(self, wrapper: ModuleWrapper, space: QuantizationTargetSpace, steps_per_epoch: int | None) -> None:
        self.steps_per_epoch = steps_per_epoch
        self.total_steps: int | None = None
        self._fraction = 0.0
        super().__init__(wrapper, space, steps_per_epoch)

    @property
    def codebook(self) -> SharedValues:
        """±2^n1 .. ±2^n2 with n2 = n1 + 1 - 2^(b-1)/2, and 0."""
        count = 1 << (self.settings.bits - 2)
        steps = torch.arange(count, dtype=torch.float64, device=self.latent.device)
        magnitudes = (self.space.scale.double() * 0.5**steps).to(self.latent.dtype)
        return SharedValues(torch.cat([0 - magnitudes, magnitudes.new_zeros(1), magnitudes.flip(0)]))

    @property
    def fixed(self) -> Tensor:
        """True where a weight is quantized for good, shape of the weights."""
        fixed: Tensor = getattr(self.wrapper, f"{self.parameter_name}_fixed")
        return fixed

    @property
    def values(self) -> Tensor:
        """The codewords of the fixed weights, shape of the weights."""
        values: Tensor = getattr(self.wrapper, f"{self.parameter_name}_fixed_values")
        return values

    def register_codebook(self) -> None:
        self.register_scale()
        weights = self.latent.detach()
        self.wrapper.register_buffer(f"{self.parameter_name}_fixed", torch.zeros_like(weights, dtype=torch.bool))
        self.wrapper.register_buffer(f"{self.parameter_name}_fixed_values", torch.zeros_like(weights))

    def derive(self) -> None:
        """n1 = floor(log2(4 max |w| / 3)), from the weights that training starts from."""
        magnitudes = self.magnitudes()
        largest = magnitudes.max() if magnitudes.numel() else magnitudes.new_zeros(())
        self.space.scale = floor_power_of_two(largest.double() * 4 / 3).to(magnitudes.dtype)

    def fake_quantize(self, latent: Tensor) -> Tensor:
        """Codewords for the fixed weights, without gradient, and floats for the others."""
        mixed = torch.where(self.fixed, self.values, latent)
        return mixed if self.mask is None else mixed.masked_fill(self.mask == 0, 0.0)

    def after_step(self) -> None:
        super().after_step()
        self._hold()
        self.fix_due()

    def fix_due(self) -> None:
        """Quantize the portions that are due: each is trained on for the same number of steps."""
        fractions, every = self.settings.fractions, self.settings.partition_every_steps
        if every is not None:
            due = self.step // every
        elif self.total_steps is not None:
            due = self.step * len(fractions) // max(self.total_steps, 1)
        else:
            raise ConfigError(
                f"{self.name}: INQ cannot tell how long the training is: train with compress(...), with "
                "steps_per_epoch=... given to the quantizer if by epochs, or set partition_every_steps"
            )
        self.fix(fractions[min(due, len(fractions) - 1)])

    @torch.no_grad()
    def fix(self, fraction: float) -> None:
        """Quantize the largest of the weights that are still free until a fraction of those not pruned is fixed."""
        if fraction <= self._fraction:
            return
        free = ~self.fixed if self.mask is None else ~self.fixed & (self.mask != 0)
        fixed = self.latent.numel() if self.mask is None else int((self.mask != 0).sum())
        count = round(fraction * fixed) - (fixed - int(free.sum()))
        if count > 0:
            order = self.magnitudes().masked_fill_(~free, -1.0)
            self.fixed.logical_or_(_largest(order, count))
            self.values.copy_(torch.where(free & self.fixed, self._nearest(), self.values))
        self._fraction = fraction
        self._hold()

    def to_record(self) -> dict[str, Any]:
        return {**super().to_record(), "fixed": self._fraction}

    def restore(self, record: dict[str, Any]) -> None:
        super().restore(record)
        self.fix(float(record.get("fixed", 0.0)))

    def _nearest(self) -> Tensor:
        """The nearest codeword, the larger magnitude of two as near, as in the paper."""
        latent = self.latent.detach()
        return torch.copysign(self.codebook.quantize(-latent.abs()), latent) + 0.0

    @torch.no_grad()
    def _hold(self) -> None:
        """Momentum and weight decay have moved the fixed weights too: put them back."""
        self.latent.copy_(torch.where(self.fixed, self.values, self.latent))

    def _load_progress(self) -> None:
        super()._load_progress()
        self._fraction = 0.0  # the next portion counts what is fixed


def _largest(values: Tensor, count: int) -> Tensor:
    """True at exactly so many of the values, bool of their shape."""
    chosen = torch.zeros(values.numel(), dtype=torch.bool, device=values.device)
    chosen[values.flatten().topk(count, sorted=False).indices] = True
    return chosen.view(values.shape)


class INQQuantizer(CodebookQuantizer):
    """Quantize the largest weights of a layer to powers of two or zero, train the others, and so on until all are.

    Portions are quantized at evenly spread steps of :meth:`compress`, the first one before it; after it all weights
    are codewords. Parameters and errors are those of ``CodebookQuantizer``; ``target_settings`` takes the keys of
    ``INQSettings``. Biases and batch norm are trained and not quantized.
    """

    target_type = INQTarget
    targets: list[INQTarget]  # type: ignore[assignment]

    def compress(self, max_steps: int | None, max_epochs: int | None) -> tuple[nn.Module, CalibrationConfig]:
        """Train for so many steps or epochs; 0 quantizes all weights at once."""
        if max_steps == 0 or max_epochs == 0:
            self.finish()
        for target in self.targets:
            if max_steps is not None:
                target.total_steps = max_steps
            elif max_epochs is not None and target.steps_per_epoch is not None:
                target.total_steps = max_epochs * target.steps_per_epoch
        return super().compress(max_steps, max_epochs)

    def export_model(self) -> nn.Module:
        """A plain copy of the model with all weights quantized; quantizes what is left."""
        self.finish()
        return super().export_model()

    def finish(self) -> None:
        """Quantize all weights that are still free."""
        for target in self.targets:
            target.fix(1.0)

    @staticmethod
    def config_entry(options: INQOptions) -> Config:
        """What a schedule says of a layer, as NNI's ``config_list`` says it."""
        own = options.model_dump(exclude={"bits"}, exclude_none=True)
        return {"target_names": ["weight"], "quant_dtype": f"int{options.bits}", "target_settings": {"weight": own}}

    def _fuse_preprocess(self, evaluator: Evaluator) -> None:
        super()._fuse_preprocess(evaluator)
        for target in self.targets:
            target.fix_due()

    def _fuse_postprocess(self, evaluator: Evaluator) -> None:
        self.finish()
