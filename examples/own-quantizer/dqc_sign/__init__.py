"""A quantizer of your own: two codewords, plus and minus the mean magnitude of a layer's weights (Rastegari 2016).

Installing this package is all that ``quantizer: sign`` in a schedule needs: see the entry point in pyproject.toml.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from dqc_plugin.codebooks import SharedValues, straight_through
from dqc_plugin.quantizers.base import CodebookQuantizer
from dqc_plugin.quantizers.target import CodebookTarget


class SignOptions(BaseModel):
    """What a schedule may say: nothing. The table of ``dqc check`` shows the bits and the size of the codebook."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bits: ClassVar[int] = 1
    codebook_size: ClassVar[int] = 2


class SignTarget(CodebookTarget):
    """NNI's ``scale`` holds the magnitude."""

    @property
    def codebook(self) -> SharedValues:
        return SharedValues(torch.stack([-self.space.scale, self.space.scale]))

    def register_codebook(self) -> None:
        self.space.scale = self.latent.new_zeros(())
        self.space.zero_point = self.latent.new_zeros(())

    def derive(self) -> None:
        magnitudes = self.latent.detach().abs()
        if self.mask is not None:
            magnitudes = magnitudes[self.mask != 0]
        self.space.scale = magnitudes.mean() if magnitudes.numel() else magnitudes.new_zeros(())

    def fake_quantize(self, latent: Tensor) -> Tensor:
        return straight_through(latent, self.codebook.quantize(latent.detach(), self.mask))

    def restore_codebook(self, record: dict[str, Any]) -> None:
        self.space.scale = record["values"][1].to(self.latent.device)


class SignQuantizer(CodebookQuantizer):
    """``quantizer: sign``."""

    target_type = SignTarget
    Options = SignOptions

    @staticmethod
    def config_entry(options: SignOptions) -> dict[str, Any]:
        return {"target_names": ["weight"]}
