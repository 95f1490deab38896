"""What quantizers with one table of values for each tensor have in common."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import model_validator
from torch import Tensor

from dqc_plugin.errors import ConfigError, WeightError
from dqc_plugin.quantizers.settings import TargetSettings
from dqc_plugin.quantizers.target import CodebookTarget

_STEPS_BETWEEN_DEVICE_CHECKS = 100


class PerTensorSettings(TargetSettings):
    """No codebook for each channel."""

    @model_validator(mode="after")
    def _per_tensor(self) -> PerTensorSettings:
        if self.per_channel:
            raise ValueError("granularity must be default: this quantizer has one codebook for a tensor")
        return self


class PerTensorTarget(CodebookTarget):
    """NNI's ``scale`` buffer holds the numbers that the codewords are made of."""

    settings_type = PerTensorSettings

    def register_scale(self, *shape: int) -> None:
        """Set NNI's ``scale`` and ``zero_point`` to zeros of a shape."""
        self.space.scale = self.latent.detach().new_zeros(shape)
        self.space.zero_point = torch.zeros_like(self.space.scale)

    def magnitudes(self) -> Tensor:
        """|w| of the kept weights and 0 for pruned ones, shape of the weights, without gradient.

        Raises WeightError for NaN or infinity; on a GPU, where looking costs a wait, only now and then.
        """
        magnitudes = self.latent.detach().abs()
        if self.mask is not None:
            magnitudes.masked_fill_(self.mask == 0, 0.0)
        is_looked_at = magnitudes.device.type == "cpu" or self.step % _STEPS_BETWEEN_DEVICE_CHECKS == 0
        if is_looked_at and not bool(torch.isfinite(magnitudes).all()):
            raise WeightError(f"{self.name} holds NaN or infinity: it cannot be quantized; lower the learning rate")
        return magnitudes

    def kept_count(self) -> Tensor:
        """How many weights are not pruned, shape (), at least 1."""
        weights = self.latent
        count = weights.new_tensor(weights.numel()) if self.mask is None else (self.mask != 0).sum().to(weights.dtype)
        return count.clamp(min=1)

    def to_record(self) -> dict[str, Any]:
        scale = self.space.scale.detach().cpu().clone()
        record = super().to_record()
        return {**record, "values": record["values"].cpu(), "scale": scale, "zero_point": torch.zeros_like(scale)}

    def restore_codebook(self, record: dict[str, Any]) -> None:
        scale = torch.as_tensor(record.get("scale", ()))
        if record.get("codebook") != "shared_values" or scale.shape != self.space.scale.shape:
            raise ConfigError(f"{self.name}: the calibration config has another codebook than this quantizer")
        self.space.scale.data.copy_(scale)
