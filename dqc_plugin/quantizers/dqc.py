"""DQC: dynamic quantization coding, as an NNI quantizer."""

from __future__ import annotations

from dqc_plugin.quantizers.base import CodebookQuantizer
from dqc_plugin.quantizers.options import DQCOptions, SQCOptions
from dqc_plugin.quantizers.power_of_two import PowerOfTwoTarget
from dqc_plugin.quantizers.selection import Config


class DQCQuantizer(CodebookQuantizer):
    """Quantize weights to powers of two with a codebook that follows the weights (Rao et al. 2019).

    The codebook of a layer is derived from its current weights after every optimizer step, until it is frozen. The
    forward pass sees codewords, the optimizer the latent float weights (straight-through gradient).

    Parameters are those of ``CodebookQuantizer``. Keys of ``target_settings``, for example
    ``{"weight": {"zero": True, "freeze_after_steps": 1000}}``: ``zero``, ``range``, ``gradient``,
    ``refresh_every_steps``, ``freeze_after_steps``, ``freeze_after_epochs`` (see ``PowerOfTwoSettings``).
    """

    target_type = PowerOfTwoTarget

    @staticmethod
    def config_entry(options: SQCOptions) -> Config:
        """What a schedule says of a layer, as NNI's ``config_list`` says it."""
        when = options.codebook.model_dump(exclude_none=True) if isinstance(options, DQCOptions) else {}
        return {
            "target_names": ["weight"],
            "quant_dtype": f"int{options.bits}",
            "granularity": "out_channel" if options.granularity == "per_channel" else "default",
            "target_settings": {"weight": {**options.model_dump(include={"zero", "range", "gradient"}), **when}},
        }
