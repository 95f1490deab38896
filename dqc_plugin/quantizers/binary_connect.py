"""BinaryConnect: the sign of each weight (Courbariaux et al. 2015, arXiv 1511.00363), deterministic."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from dqc_plugin.codebooks import SharedValues, straight_through
from dqc_plugin.quantizers.base import CodebookQuantizer
from dqc_plugin.quantizers.options import BinaryConnectOptions
from dqc_plugin.quantizers.per_tensor import PerTensorSettings, PerTensorTarget
from dqc_plugin.quantizers.selection import Config


class BinaryConnectSettings(PerTensorSettings):
    """Adds ``magnitude`` to ``target_settings``: of the codewords, ``one`` (the paper) or the ``mean`` |w|."""

    magnitude: Literal["one", "mean"] = "one"


class BinaryConnectTarget(PerTensorTarget):
    """NNI's ``scale`` holds the magnitude of both codewords."""

    settings_type = BinaryConnectSettings
    settings: BinaryConnectSettings

    @property
    def codebook(self) -> SharedValues:
        return SharedValues(torch.stack([0 - self.space.scale, self.space.scale]))

    def register_codebook(self) -> None:
        self.register_scale()

    def derive(self) -> None:
        magnitudes = self.magnitudes()
        mean = magnitudes.sum() / self.kept_count()
        self.space.scale = mean if self.settings.magnitude == "mean" else torch.ones_like(mean)

    def fake_quantize(self, latent: Tensor) -> Tensor:
        """The sign, +1 for 0, times the magnitude."""
        magnitude = self.space.scale
        quantized = straight_through(latent, torch.where(latent.detach() < 0, 0 - magnitude, magnitude))
        return quantized if self.mask is None else quantized.masked_fill(self.mask == 0, 0.0)

    @torch.no_grad()
    def after_step(self) -> None:
        self.latent.clamp_(-1, 1)  # beyond, they would grow without any effect
        super().after_step()


class BinaryConnectQuantizer(CodebookQuantizer):
    """Quantize weights to their sign; the latent weights train straight through, clipped to [-1, 1]."""

    target_type = BinaryConnectTarget

    @staticmethod
    def config_entry(options: BinaryConnectOptions) -> Config:
        """What a schedule says of a layer, as NNI's ``config_list`` says it."""
        return {"target_names": ["weight"], "target_settings": {"weight": options.model_dump()}}
