"""One quantized parameter: its codebook, when that is derived again, and when it is frozen."""

from __future__ import annotations

from typing import Any

import torch
from nni.compression.base.target_space import QuantizationTargetSpace
from nni.compression.base.wrapper import ModuleWrapper
from torch import Tensor

from dqc_plugin.codebooks import PowerOfTwo, fit_power_of_two, require_finite
from dqc_plugin.errors import ConfigError
from dqc_plugin.quantizers.settings import parse_settings

_STEPS_BETWEEN_DEVICE_CHECKS = 100


class PowerOfTwoTarget:
    """A parameter with a power-of-two codebook, whose state lives in buffers of NNI's wrapper.

    NNI's ``scale`` buffer holds the largest codeword, all that the codebook needs beside bits and zero; the steps
    taken and whether the codebook is frozen stand beside it, so that a ``state_dict`` resumes exactly.
    """

    def __init__(self, wrapper: ModuleWrapper, space: QuantizationTargetSpace, steps_per_epoch: int | None) -> None:
        self.wrapper, self.space = wrapper, space
        self.parameter_name = space._target_name
        self.name = f"{wrapper.name}.{self.parameter_name}"
        self.settings = parse_settings(space.setting, self.name)
        self.freeze_step = self.settings.freeze_step(steps_per_epoch, self.name)
        self.step, self.frozen = 0, False
        self._register_buffers()
        self.refresh()
        self._freeze_when_due()

    @property
    def latent(self) -> Tensor:
        """The float weights that the optimizer updates."""
        weights = self.space.target
        assert weights is not None
        return weights

    @property
    def mask(self) -> Tensor | None:
        """The pruner's mask of this parameter, shape of the weights, 1 = keep."""
        pruned = self.wrapper.pruning_target_spaces.get(self.parameter_name)
        return None if pruned is None else pruned.mask

    @property
    def codebook(self) -> PowerOfTwo:
        """The codebook as it is now."""
        return PowerOfTwo(self.settings.bits, self.settings.zero, self.space.scale)

    def refresh(self) -> None:
        """Derive the codebook from the latent weights; a frozen one stays. WeightError for NaN or infinity."""
        if self.frozen:
            return
        weights, settings = self.latent.detach(), self.settings
        fitted = fit_power_of_two(
            weights, settings.bits, settings.zero,
            mask=self.mask, per_channel=settings.per_channel, range_rule=settings.range,
        )
        if weights.device.type == "cpu" or self.step % _STEPS_BETWEEN_DEVICE_CHECKS == 0:
            require_finite(fitted, self.name)
        self.space.scale = fitted.scale

    def after_step(self) -> None:
        """Count an optimizer step; refresh and freeze when due."""
        self.step += 1
        if self.step % self.settings.refresh_every_steps == 0:
            self.refresh()
        self._freeze_when_due()
        self._save_progress()

    def freeze(self) -> None:
        """Keep the codebook as it is from now on; the weights train on."""
        self.frozen = True
        self._save_progress()

    def to_record(self) -> dict[str, Any]:
        """The calibration config of this parameter: NNI's keys, the codebook, the progress."""
        scale = self.codebook.scale.detach().cpu().clone()
        space = self.space
        return {
            **self.codebook.to_record(),
            "scale": scale,
            "zero_point": torch.zeros_like(scale),
            "tracked_max": scale,
            "tracked_min": -scale,
            "quant_dtype": space.quant_dtype or "int8",
            "quant_scheme": space.quant_scheme,
            "quant_bits": space.quant_bits,
            "step": self.step,
            "frozen": self.frozen,
        }

    def restore(self, record: dict[str, Any]) -> None:
        """Take over what :meth:`to_record` gave; ConfigError if it is of another codebook."""
        for key, own in (("bits", self.settings.bits), ("zero", self.settings.zero)):
            if record.get(key) != own:
                raise ConfigError(f"{self.name}: the calibration config has {key} {record.get(key)}, the quantizer {own}")
        scale = torch.as_tensor(record["scale"])
        if scale.shape != self.space.scale.shape:
            raise ConfigError(f"{self.name}: the calibration config's scale has shape {list(scale.shape)}, "
                              f"not {list(self.space.scale.shape)}: another granularity")
        self.space.scale = scale.to(self.latent.device)
        self.step, self.frozen = int(record.get("step", 0)), bool(record.get("frozen", False))
        self._save_progress()

    def _register_buffers(self) -> None:
        weights = self.latent.detach()
        per_channel = self.settings.per_channel and weights.dim() > 0
        self.space.scale = weights.new_zeros(len(weights) if per_channel else ())
        self.space.zero_point = torch.zeros_like(self.space.scale)
        for kind, start in (("step", torch.tensor(0)), ("frozen", torch.tensor(False))):
            self.wrapper.register_buffer(f"{self.parameter_name}_codebook_{kind}", start.to(weights.device))
        self.wrapper.register_load_state_dict_post_hook(lambda *_: self._load_progress())

    def _freeze_when_due(self) -> None:
        if self.freeze_step is not None and self.step >= self.freeze_step:
            self.freeze()

    def _save_progress(self) -> None:
        getattr(self.wrapper, f"{self.parameter_name}_codebook_step").fill_(self.step)
        getattr(self.wrapper, f"{self.parameter_name}_codebook_frozen").fill_(self.frozen)

    def _load_progress(self) -> None:
        self.step = int(getattr(self.wrapper, f"{self.parameter_name}_codebook_step"))
        self.frozen = bool(getattr(self.wrapper, f"{self.parameter_name}_codebook_frozen"))
