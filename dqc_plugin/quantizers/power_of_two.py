"""A parameter with a power-of-two codebook, for DQC and SQC."""

from __future__ import annotations

from typing import Any

import torch
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
    """

    zero: bool = True
    range: RangeRule = "max"
    gradient: Gradient = "straight_through"
    refresh_every_steps: int = Field(1, ge=1)


class PowerOfTwoTarget(CodebookTarget):
    """NNI's ``scale`` buffer holds the largest codeword, all that the codebook needs beside bits and zero."""

    settings_type = PowerOfTwoSettings
    settings: PowerOfTwoSettings

    @property
    def codebook(self) -> PowerOfTwo:
        return PowerOfTwo(self.settings.bits, self.settings.zero, self.space.scale)

    def register_codebook(self) -> None:
        weights = self.latent.detach()
        per_channel = self.settings.per_channel and weights.dim() > 0
        self.space.scale = weights.new_zeros(len(weights) if per_channel else ())
        self.space.zero_point = torch.zeros_like(self.space.scale)

    def derive(self) -> None:
        """Raises WeightError for NaN or infinity; on a GPU, where looking costs a wait, only now and then."""
        weights, settings = self.latent.detach(), self.settings
        fitted = fit_power_of_two(
            weights,
            settings.bits,
            settings.zero,
            mask=self.mask,
            per_channel=settings.per_channel,
            range_rule=settings.range,
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
        for key, own in (("bits", self.settings.bits), ("zero", self.settings.zero)):
            if record.get(key) != own:
                given = record.get(key)
                raise ConfigError(f"{self.name}: the calibration config has {key} {given}, the quantizer {own}")
        scale = torch.as_tensor(record["scale"])
        if scale.shape != self.space.scale.shape:
            raise ConfigError(
                f"{self.name}: the calibration config's scale has shape {list(scale.shape)}, "
                f"not {list(self.space.scale.shape)}: another granularity"
            )
        self.space.scale = scale.to(self.latent.device)
