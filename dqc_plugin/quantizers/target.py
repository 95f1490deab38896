"""One quantized parameter of a model wrapped by NNI: its codebook, and when that is derived again and frozen."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from nni.compression.base.target_space import QuantizationTargetSpace
from nni.compression.base.wrapper import ModuleWrapper
from torch import Tensor

from dqc_plugin.codebooks import Codebook
from dqc_plugin.quantizers.settings import TargetSettings, parse_settings


class CodebookTarget:
    """A parameter with a codebook. Subclasses say what codebook (``codebook``), how it is derived (``derive``) and

    what the forward pass sees (``fake_quantize``). The state lives in buffers of NNI's wrapper, the steps taken and
    whether the codebook is frozen too, so that a ``state_dict`` resumes exactly.
    """

    settings_type: ClassVar[type[TargetSettings]] = TargetSettings

    def __init__(self, wrapper: ModuleWrapper, space: QuantizationTargetSpace, steps_per_epoch: int | None) -> None:
        self.wrapper, self.space = wrapper, space
        self.parameter_name: str = space._target_name
        self.name = f"{wrapper.name}.{self.parameter_name}"
        self.settings = parse_settings(self.settings_type, space.setting, self.name)
        self.freeze_step = self.settings.freeze_step(steps_per_epoch, self.name)
        self.step, self.frozen = 0, False
        self._register_progress()
        self.register_codebook()
        self.refresh()
        self._freeze_when_due()

    @property
    def codebook(self) -> Codebook:
        """The codebook as it is now."""
        raise NotImplementedError

    def register_codebook(self) -> None:
        """Register the buffers of the codebook on the wrapper; NNI wants ``scale`` and ``zero_point`` set."""
        raise NotImplementedError

    def derive(self) -> None:
        """Derive the codebook from ``latent`` and ``mask``."""
        raise NotImplementedError

    def fake_quantize(self, latent: Tensor) -> Tensor:
        """What the forward pass sees, with a gradient to the latent weights."""
        raise NotImplementedError

    def restore_codebook(self, record: dict[str, Any]) -> None:
        """Take over a record of :meth:`to_record`; ConfigError if it does not fit."""
        raise NotImplementedError

    @property
    def latent(self) -> Tensor:
        """The float weights that the optimizer updates."""
        weights: Tensor = self.space.target
        return weights

    @property
    def mask(self) -> Tensor | None:
        """The pruner's mask of this parameter, shape of the weights, 1 = keep."""
        pruned = self.wrapper.pruning_target_spaces.get(self.parameter_name)
        return None if pruned is None else pruned.mask

    def refresh(self) -> None:
        """Derive the codebook again, unless it is frozen."""
        if not self.frozen:
            self.derive()

    def after_step(self) -> None:
        """Count an optimizer step; refresh and freeze when due."""
        self.step += 1
        if self.is_refresh_due():
            self.refresh()
        self._freeze_when_due()

    def is_refresh_due(self) -> bool:
        """True if the codebook is to be derived again after this step."""
        return True

    def freeze(self) -> None:
        """Keep the codebook as it is from now on; the weights train on."""
        self.frozen = True

    def to_record(self) -> dict[str, Any]:
        """The calibration config of this parameter: the codebook, NNI's keys, the progress."""
        return {
            **self.codebook.to_record(),
            "quant_dtype": self.space.quant_dtype or "int8",
            "quant_scheme": self.space.quant_scheme,
            "quant_bits": self.space.quant_bits,
            "step": self.step,
            "frozen": self.frozen,
        }

    def restore(self, record: dict[str, Any]) -> None:
        """Take over what :meth:`to_record` gave; ConfigError if it is of another codebook."""
        self.restore_codebook(record)
        self.step, self.frozen = int(record.get("step", 0)), bool(record.get("frozen", False))

    def _register_progress(self) -> None:
        device = self.latent.device
        self.wrapper.register_buffer(f"{self.parameter_name}_codebook_step", torch.tensor(0, device=device))
        self.wrapper.register_buffer(f"{self.parameter_name}_codebook_frozen", torch.tensor(False, device=device))
        # the buffers are written when a state dict is taken, not at each step
        self.wrapper.register_state_dict_pre_hook(lambda *_: self._save_progress())
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
