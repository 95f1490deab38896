"""TWN: ternary weight networks (Li et al. 2016, arXiv 1605.04711)."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from dqc_plugin.codebooks import SharedValues, straight_through
from dqc_plugin.quantizers.base import CodebookQuantizer
from dqc_plugin.quantizers.options import TernaryOptions
from dqc_plugin.quantizers.per_tensor import PerTensorSettings, PerTensorTarget
from dqc_plugin.quantizers.selection import Config


class TernarySettings(PerTensorSettings):
    """Adds ``threshold`` to ``target_settings``: below so many times the mean |w| a weight becomes 0."""

    threshold: float = Field(0.7, ge=0)


class TernaryTarget(PerTensorTarget):
    """NNI's ``scale`` holds threshold and codeword magnitude, shape (2,)."""

    settings_type = TernarySettings
    settings: TernarySettings

    @property
    def codebook(self) -> SharedValues:
        magnitude = self.space.scale[1]
        return SharedValues(torch.stack([0 - magnitude, magnitude.new_zeros(()), magnitude]))

    def register_codebook(self) -> None:
        self.register_scale(2)

    def derive(self) -> None:
        """The threshold, and as magnitude the mean |w| of the weights above it."""
        magnitudes = self.magnitudes()
        threshold = self.settings.threshold * magnitudes.sum() / self.kept_count()
        large = magnitudes > threshold
        magnitude = (magnitudes * large).sum() / large.sum().clamp(min=1)
        self.space.scale = torch.stack([threshold, magnitude])

    def fake_quantize(self, latent: Tensor) -> Tensor:
        threshold, magnitude = self.space.scale
        weights = latent.detach() if self.mask is None else latent.detach() * self.mask
        signs = (weights > threshold).to(latent.dtype) - (weights < -threshold).to(latent.dtype)
        quantized = straight_through(latent, signs * magnitude + 0.0)
        return quantized if self.mask is None else quantized.masked_fill(self.mask == 0, 0.0)


class TernaryQuantizer(CodebookQuantizer):
    """Quantize weights to -a, 0 and a, found again after each step; the latent weights train straight through."""

    target_type = TernaryTarget

    @staticmethod
    def config_entry(options: TernaryOptions) -> Config:
        """What a schedule says of a layer, as NNI's ``config_list`` says it."""
        settings: dict[str, Any] = options.model_dump()
        return {"target_names": ["weight"], "quant_dtype": "int2", "target_settings": {"weight": settings}}
