"""TTQ: trained ternary quantization (Zhu et al. 2017, arXiv 1612.01064)."""

from __future__ import annotations

from typing import Any

import torch
from nni.compression.utils import Evaluator
from pydantic import Field
from torch import Tensor, nn

from dqc_plugin.codebooks import SharedValues
from dqc_plugin.quantizers.base import CodebookQuantizer
from dqc_plugin.quantizers.options import TTQOptions
from dqc_plugin.quantizers.param_groups import mend_param_groups
from dqc_plugin.quantizers.per_tensor import PerTensorSettings, PerTensorTarget
from dqc_plugin.quantizers.selection import Config


class TTQSettings(PerTensorSettings):
    """Adds ``threshold`` to ``target_settings``: below so many times the largest |w| a weight becomes 0."""

    threshold: float = Field(0.05, ge=0, lt=1)


class TTQTarget(PerTensorTarget):
    """NNI's ``scale`` is a parameter of shape (2,), Wn and Wp of the paper; a buffer holds the threshold."""

    settings_type = TTQSettings
    settings: TTQSettings

    @property
    def codebook(self) -> SharedValues:
        """-Wn, 0 and Wp, in ascending order whatever the training made of them."""
        negative, positive = self.space.scale.detach()
        return SharedValues(torch.stack([0 - negative, torch.zeros_like(positive), positive]).sort().values)

    @property
    def threshold(self) -> Tensor:
        threshold: Tensor = getattr(self.wrapper, f"{self.parameter_name}_threshold")
        return threshold

    def register_codebook(self) -> None:
        """Wn and Wp start as the mean |w| below and above the threshold."""
        self.register_scale(2)
        self.wrapper.register_buffer(f"{self.parameter_name}_threshold", self.latent.detach().new_zeros(()))
        self.derive()
        magnitudes, latent = self.magnitudes(), self.latent.detach()
        sides = [(magnitudes > self.threshold) & side for side in (latent < 0, latent > 0)]
        means = [(magnitudes * side).sum() / side.sum().clamp(min=1) for side in sides]
        delattr(self.wrapper, f"{self.parameter_name}_scale")
        self.wrapper.register_parameter(f"{self.parameter_name}_scale", nn.Parameter(torch.stack(means)))

    def derive(self) -> None:
        magnitudes = self.magnitudes()
        largest = magnitudes.max() if magnitudes.numel() else magnitudes.new_zeros(())
        self.threshold.copy_(self.settings.threshold * largest)

    def fake_quantize(self, latent: Tensor) -> Tensor:
        scale = self.space.scale.detach() if self.frozen else self.space.scale
        quantized: Tensor = _TrainedTernary.apply(latent, scale, self.threshold, self.mask)
        return quantized

    def to_record(self) -> dict[str, Any]:
        return {**super().to_record(), "threshold": self.threshold.cpu().clone()}

    def restore_codebook(self, record: dict[str, Any]) -> None:
        super().restore_codebook(record)
        self.threshold.copy_(torch.as_tensor(record["threshold"]))


class _TrainedTernary(torch.autograd.Function):
    """The paper's gradients (equations 7 and 8): those of a codeword are summed over its members,

    that of a latent weight is scaled by the magnitude of its codeword, or by 1 at the zero codeword.
    """

    @staticmethod
    def forward(ctx: Any, latent: Tensor, scale: Tensor, threshold: Tensor, mask: Tensor | None) -> Tensor:
        weights = latent if mask is None else latent * mask
        negative, positive = weights < -threshold, weights > threshold
        ctx.save_for_backward(scale, negative, positive, mask)
        zero = torch.zeros_like(threshold)
        return torch.where(positive, scale[1], torch.where(negative, 0 - scale[0], zero))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient = gradients[0]
        scale, negative, positive, mask = ctx.saved_tensors
        of_scale = torch.stack([-(gradient * negative).sum(), (gradient * positive).sum()])
        one = torch.ones_like(scale[0])
        of_latent = gradient * torch.where(positive, scale[1], torch.where(negative, scale[0], one))
        return of_latent if mask is None else of_latent * mask, of_scale, None, None


class TTQQuantizer(CodebookQuantizer):
    """Quantize weights to -Wn, 0 and Wp, both trained with the stage's optimizer, for each layer."""

    target_type = TTQTarget

    @staticmethod
    def config_entry(options: TTQOptions) -> Config:
        """What a schedule says of a layer, as NNI's ``config_list`` says it."""
        return {
            "target_names": ["weight"],
            "quant_dtype": "int2",
            "target_settings": {"weight": options.model_dump()},
        }

    def patch_optimizer_param_group(self) -> dict[str, list[Tensor]]:
        """NNI's, with Wn and Wp of each layer."""
        groups: dict[str, list[Tensor]] = super().patch_optimizer_param_group()
        for target in self.targets:
            groups.setdefault(target.wrapper.name, []).append(target.space.scale)
        return groups

    def _fuse_preprocess(self, evaluator: Evaluator) -> None:
        mend_param_groups(evaluator)
        evaluator.patch_optim_param_group(self.patch_optimizer_param_group())
        super()._fuse_preprocess(evaluator)
