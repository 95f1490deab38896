"""DQC: dynamic quantization coding, as an NNI quantizer."""

from __future__ import annotations

from torch import nn

from dqc_plugin.quantizers.base import CalibrationConfig, CodebookQuantizer
from dqc_plugin.quantizers.options import DQCOptions, SQCOptions
from dqc_plugin.quantizers.power_of_two import PowerOfTwoTarget
from dqc_plugin.quantizers.selection import Config

_OWN_KEYS = {"zero", "range", "gradient"}


class DQCQuantizer(CodebookQuantizer):
    """Quantize weights to powers of two with a codebook that follows the weights (Rao et al. 2019).

    The codebook of a layer is derived from its current weights after every optimizer step, until it is frozen. The
    forward pass sees codewords, the optimizer the latent float weights (straight-through gradient).

    Parameters are those of ``CodebookQuantizer``. Keys of ``target_settings``, for example
    ``{"weight": {"zero": True, "freeze_after_steps": 1000}}``: ``zero``, ``range``, ``gradient``,
    ``refresh_every_steps``, ``freeze_after_steps``, ``freeze_after_epochs``, ``start_bits`` (see
    ``PowerOfTwoSettings``).
    """

    target_type = PowerOfTwoTarget
    targets: list[PowerOfTwoTarget]  # type: ignore[assignment]

    def compress(self, max_steps: int | None, max_epochs: int | None) -> tuple[nn.Module, CalibrationConfig]:
        """Train for so many steps or epochs; the wrapped model and the calibration config. 0 trains not at all."""
        for target in self.targets:
            if max_steps is not None:
                target.begin(max_steps)
            elif max_epochs is not None and (max_epochs == 0 or target.steps_per_epoch is not None):
                target.begin(max_epochs * (target.steps_per_epoch or 0))
        return super().compress(max_steps, max_epochs)

    @staticmethod
    def config_entry(options: SQCOptions) -> Config:
        """What a schedule says of a layer, as NNI's ``config_list`` says it."""
        when = options.codebook.model_dump(exclude_none=True) if isinstance(options, DQCOptions) else {}
        if isinstance(options, DQCOptions) and options.start_bits is not None and options.start_bits > options.bits:
            when["start_bits"] = options.start_bits
        return {
            "target_names": ["weight"],
            "quant_dtype": f"int{options.bits}",
            "granularity": "out_channel" if options.granularity == "per_channel" else "default",
            "target_settings": {"weight": {**options.model_dump(include=_OWN_KEYS, exclude_none=True), **when}},
        }
