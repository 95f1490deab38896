"""A parameter with a power-of-two codebook, for DQC and SQC."""

from __future__ import annotations

from typing import Any

import torch
from nni.compression.base.target_space import QuantizationTargetSpace
from nni.compression.base.wrapper import ModuleWrapper
from pydantic import Field
from torch import Tensor

from dqc_plugin.codebooks import Gradient, PowerOfTwo, RangeRule, fake_quantize, fit_power_of_two, require_finite
from dqc_plugin.errors import ConfigError
from dqc_plugin.quantizers.settings import TargetSettings
from dqc_plugin.quantizers.target import CodebookTarget

_STEPS_BETWEEN_DEVICE_CHECKS = 100


class PowerOfTwoSettings(TargetSettings):
    """Adds these keys to ``target_settings``.

    zero: a zero codeword.
    range: where the codebook ends, ``max`` (the paper) or ``mse`` (least squared error).
    gradient: ``straight_through`` or ``magnitude`` (the authors' code).
    refresh_every_steps: the codebook is derived again after every so many optimizer steps.
    start_bits: width at the start; it falls in even steps to that of ``quant_dtype`` over the first half of training.
    """

    zero: bool = True
    range: RangeRule = "max"
    gradient: Gradient = "straight_through"
    refresh_every_steps: int = Field(1, ge=1)
    start_bits: int | None = Field(None, ge=3, le=8)


class PowerOfTwoTarget(CodebookTarget):
    """NNI's ``scale`` buffer holds the largest codeword, all that the codebook needs beside bits and zero.

    bits: the index width as it is now.
    """

    settings_type = PowerOfTwoSettings
    settings: PowerOfTwoSettings

    def __init__(self, wrapper: ModuleWrapper, space: QuantizationTargetSpace, steps_per_epoch: int | None) -> None:
        self.steps_per_epoch = steps_per_epoch
        self.total_steps: int | None = None
        super().__init__(wrapper, space, steps_per_epoch)

    @property
    def codebook(self) -> PowerOfTwo:
        return PowerOfTwo(self.bits, self.settings.zero, self.space.scale)

    def register_codebook(self) -> None:
        weights = self.latent.detach()
        per_channel = self.settings.per_channel and weights.dim() > 0
        self.space.scale = weights.new_zeros(len(weights) if per_channel else ())
        self.space.zero_point = torch.zeros_like(self.space.scale)
        start, final = self.settings.start_bits, self.settings.bits
        if start is not None and start <= final:
            raise ConfigError(f"{self.name}: start_bits must be above the {final} bits of quant_dtype, not {start}")
        self.bits = start or final

    def codewords(self) -> Tensor:
        """The codeword of each weight, 0 where pruned, shape and dtype of the weights, without gradient."""
        return self.codebook.quantize(self.latent.detach(), self.mask)

    def begin(self, total_steps: int) -> None:
        """So many optimizer steps are to come in all; those that a state dict brought count among them."""
        self.total_steps = total_steps
        self._lower_bits(self.step)

    def after_step(self) -> None:
        lowered = self._lower_bits(self.step + 1)
        super().after_step()
        if lowered:
            self.refresh()

    def derive(self) -> None:
        """Raises WeightError for NaN or infinity; on a GPU, where looking costs a wait, only now and then."""
        weights, settings = self.latent.detach(), self.settings
        fitted = fit_power_of_two(
            weights,
            self.bits,
            settings.zero,
            mask=self.mask,
            per_channel=settings.per_channel,
            range_rule=settings.range,
            present_scale=self.space.scale,
        )
        if weights.device.type == "cpu" or self.step % _STEPS_BETWEEN_DEVICE_CHECKS == 0:
            require_finite(fitted, self.name)
        self.space.scale = fitted.scale

    def is_refresh_due(self) -> bool:
        return self.step % self.settings.refresh_every_steps == 0

    def fake_quantize(self, latent: Tensor) -> Tensor:
        return fake_quantize(latent, self.codebook, self.mask, self.settings.gradient)

    def to_record(self) -> dict[str, Any]:
        record = super().to_record()
        scale = record["scale"].cpu()
        nni_keys = {"zero_point": torch.zeros_like(scale), "tracked_max": scale, "tracked_min": -scale}
        return {**record, "scale": scale, **nni_keys}

    def restore_codebook(self, record: dict[str, Any]) -> None:
        widths = range(self.settings.bits, (self.settings.start_bits or self.settings.bits) + 1)
        for key, own in (("bits", widths), ("zero", (self.settings.zero,))):
            if record.get(key) not in own:
                text = f"has {key} {record.get(key)}, the quantizer {own[0]}"
                raise ConfigError(f"{self.name}: the calibration config {text}")
        scale = torch.as_tensor(record["scale"])
        if scale.shape != self.space.scale.shape:
            raise ConfigError(
                f"{self.name}: the calibration config's scale has shape {list(scale.shape)}, "
                f"not {list(self.space.scale.shape)}: another granularity"
            )
        self.space.scale, self.bits = scale.to(self.latent.device), int(record["bits"])

    def _lower_bits(self, step: int) -> bool:
        """Set the width that is due at a step; True if it has changed."""
        start, final, before = self.settings.start_bits, self.settings.bits, self.bits
        if start is None:
            return False
        if self.total_steps is None:
            raise ConfigError(
                f"{self.name}: start_bits needs to know how long the training is: train with compress(...), with "
                "steps_per_epoch=... given to the quantizer if by epochs"
            )
        self.bits = lowered_bits(start, final, step, self.total_steps)
        return self.bits != before

    def _load_progress(self) -> None:
        super()._load_progress()
        if self.total_steps is not None:
            self._lower_bits(self.step)


def lowered_bits(start: int, final: int, step: int, total_steps: int) -> int:
    """The index width at a step (from 0): from start to final, one by one, over the first half of all steps."""
    ramp = total_steps // 2
    return final if step >= ramp else start - step * (start - final) // ramp
