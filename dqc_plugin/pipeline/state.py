"""What one stage hands to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dqc_plugin.pruners.masks import Masks


@dataclass
class NetworkState:
    """A network between two stages: plain weights, the masks that stay fixed, the codebooks.

    weights: state dict of the plain model; after a quantizer the quantized weights.
    masks: ``{layer: {"weight": mask}}``.
    calibration: NNI's calibration config of all quantizer stages, ``{layer: {"weight": record}}``.
    """

    weights: dict[str, Tensor]
    masks: Masks = field(default_factory=dict)
    calibration: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def into(self, model: nn.Module) -> nn.Module:
        """The model with these weights; those that are quantized already do not train on."""
        model.load_state_dict(self.weights)
        for layer, records in self.calibration.items():
            for target in records:
                model.get_submodule(layer).get_parameter(target).requires_grad_(False)
        return model

    def sparsity(self) -> float:
        """The fraction of zeros in all weight matrices and kernels."""
        weights = [weight for weight in self.weights.values() if weight.dim() > 1]
        total = sum(weight.numel() for weight in weights)
        return sum(int((weight == 0).sum()) for weight in weights) / max(total, 1)

    def to_checkpoint(self) -> dict[str, Any]:
        return {"weights": self.weights, "masks": self.masks, "calibration": self.calibration}

    @classmethod
    def from_checkpoint(cls, content: dict[str, Any], device: torch.device) -> NetworkState:
        masks = {k: {t: mask.to(device) for t, mask in v.items()} for k, v in content["masks"].items()}
        return cls(content["weights"], masks, content["calibration"])


def cpu_weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the state dict on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
