"""Weight sharing: the trained quantization of Deep Compression (Han et al. 2016), as an NNI quantizer."""

from __future__ import annotations

from typing import Any

import torch
from nni.compression.utils import Evaluator
from pydantic import Field, model_validator
from torch import Tensor, nn

from dqc_plugin.codebooks import CentroidGradient, Init, SharedValues, fit_shared_values, share_values
from dqc_plugin.errors import ConfigError
from dqc_plugin.quantizers.base import CodebookQuantizer
from dqc_plugin.quantizers.options import WeightSharingOptions
from dqc_plugin.quantizers.param_groups import mend_param_groups
from dqc_plugin.quantizers.selection import Config
from dqc_plugin.quantizers.settings import TargetSettings
from dqc_plugin.quantizers.target import CodebookTarget

_AT_ONCE = 1 << 22


class WeightSharingSettings(TargetSettings):
    """Adds these keys to ``target_settings``.

    init: the first centroids, ``linear``, ``density`` or ``random`` (with ``seed``); see ``fit_shared_values``.
    gradient: a centroid's gradient is the ``sum`` of its members' (the paper) or their ``mean``.
    """

    init: Init = "linear"
    seed: int = Field(0, ge=0)
    gradient: CentroidGradient = "sum"

    @model_validator(mode="after")
    def _one_codebook(self) -> WeightSharingSettings:
        if self.per_channel:
            raise ValueError("weight sharing has one codebook for the tensor: granularity must be default")
        return self


class WeightSharingTarget(CodebookTarget):
    """Centroids and indices live on NNI's wrapper: the centroids a parameter that trains, the indices a buffer.

    Each weight gets its cluster before the first step and keeps it. The latent weights get no gradient and do not
    move. Freezing ends the training of the centroids.
    """

    settings_type = WeightSharingSettings
    settings: WeightSharingSettings

    @property
    def centroids(self) -> nn.Parameter:
        """The trained values, float32, shape (2^bits,), in no order."""
        parameter: nn.Parameter = getattr(self.wrapper, f"{self.parameter_name}_centroids")
        return parameter

    @property
    def indices(self) -> Tensor:
        """The cluster of each weight, uint8, shape of the weights; those of pruned weights stand for nothing."""
        places: Tensor = getattr(self.wrapper, f"{self.parameter_name}_indices")
        return places

    @property
    def codebook(self) -> SharedValues:
        as_seen = self.centroids.detach().to(self.latent.dtype).to(torch.float32)
        return SharedValues((as_seen + 0.0).sort().values)

    def register_codebook(self) -> None:
        latent = self.latent.detach()
        centroids = torch.zeros(1 << self.settings.bits, device=latent.device)
        trained = nn.Parameter(centroids, requires_grad=self.latent.requires_grad)
        self.wrapper.register_parameter(f"{self.parameter_name}_centroids", trained)
        self.wrapper.register_buffer(f"{self.parameter_name}_indices", torch.zeros_like(latent, dtype=torch.uint8))
        self.space.scale, self.space.zero_point = latent.new_zeros(()), latent.new_zeros(())

    def derive(self) -> None:
        """Raises WeightError for NaN or infinity among the kept weights."""
        settings = self.settings
        size = 1 << settings.bits
        self._share(
            fit_shared_values(self.latent, size, mask=self.mask, init=settings.init, seed=settings.seed, name=self.name)
        )

    def refresh(self) -> None:
        """Cluster the weights, unless training has begun: the clusters are fixed from then on."""
        if self.step == 0:
            super().refresh()

    def is_refresh_due(self) -> bool:
        return False

    def freeze(self) -> None:
        super().freeze()
        self.centroids.grad = None  # an optimizer leaves alone what has no gradient, its momentum included

    def fake_quantize(self, latent: Tensor) -> Tensor:
        gradient = None if self.frozen else self.settings.gradient
        return share_values(self.centroids.to(latent.dtype), self.indices, self.mask, gradient)

    def restore_codebook(self, record: dict[str, Any]) -> None:
        """Each weight gets the nearest value: its own, if the weights are those that were exported."""
        values, size = torch.as_tensor(record.get("values", ())), len(self.centroids)
        if values.shape != (size,):
            given = list(values.shape)
            raise ConfigError(f"{self.name}: the calibration config has values of shape {given}, not [{size}]")
        self._share(SharedValues(values.to(self.latent.device, torch.float32)))

    @torch.no_grad()
    def _share(self, codebook: SharedValues) -> None:
        self.centroids.copy_(codebook.values)
        parts = torch.split(self.latent.reshape(-1), _AT_ONCE)
        indices = torch.cat([codebook.assign(part) for part in parts])
        self.indices.copy_(indices.view(self.indices.shape))


class WeightSharingQuantizer(CodebookQuantizer):
    """Quantize weights to 2^bits shared values, found by k-means and trained (Han et al. 2016).

    Parameters are those of ``CodebookQuantizer``; keys of ``target_settings``: ``init``, ``seed``, ``gradient``,
    ``freeze_after_steps``, ``freeze_after_epochs`` (see ``WeightSharingSettings``). The optimizer trains the
    centroids as it would the weights, with the learning rate and the weight decay of their layer. With gradients
    summed as in the paper the learning rate is to be small: a centroid moves by its members' steps together.
    """

    target_type = WeightSharingTarget
    targets: list[WeightSharingTarget]  # type: ignore[assignment]

    def patch_optimizer_param_group(self) -> dict[str, list[Tensor]]:
        """The centroids of each layer, to go into the optimizer beside its weights."""
        parameters: dict[str, list[Tensor]] = super().patch_optimizer_param_group()
        for target in self.targets:
            parameters.setdefault(target.wrapper.name, []).append(target.centroids)
        return parameters

    @staticmethod
    def config_entry(options: WeightSharingOptions) -> Config:
        """What a schedule says of a layer, as NNI's ``config_list`` says it."""
        when = options.codebook.model_dump(exclude_none=True)
        return {
            "target_names": ["weight"],
            "quant_dtype": f"int{options.bits}",
            "target_settings": {"weight": {**options.model_dump(include={"init", "seed", "gradient"}), **when}},
        }

    def _fuse_preprocess(self, evaluator: Evaluator) -> None:
        mend_param_groups(evaluator)
        evaluator.patch_optim_param_group(self.patch_optimizer_param_group())
        super()._fuse_preprocess(evaluator)
