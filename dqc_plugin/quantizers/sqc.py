"""SQC: static quantization coding, DQC with the codebook of the weights that training starts from."""

from __future__ import annotations

from typing import Any

from dqc_plugin.errors import ConfigError
from dqc_plugin.quantizers.dqc import DQCQuantizer
from dqc_plugin.quantizers.selection import Config

_WHEN = ("refresh_every_steps", "freeze_after_steps", "freeze_after_epochs", "start_bits")


class SQCQuantizer(DQCQuantizer):
    """Quantize weights to powers of two with a codebook that is fixed before training (Rao et al. 2019).

    Parameters, errors and results are those of ``DQCQuantizer``; keys that say when the codebook changes are errors.
    """

    def _complete(self, config_list: list[Config]) -> list[Config]:
        return [_frozen_at_once(config, f"config_list[{i}]") for i, config in enumerate(super()._complete(config_list))]


def _frozen_at_once(config: Config, where: str) -> Config:
    given: dict[str, dict[str, Any]] = config.get("target_settings") or {}
    for name, setting in given.items():
        for key in _WHEN:
            if key in setting:
                raise ConfigError(f"{where}.{name}: {key!r}: SQC never changes its codebook; use DQC, or drop the key")
    names = {*given, *config["target_names"]}
    return {**config, "target_settings": {name: {**given.get(name, {}), "freeze_after_steps": 0} for name in names}}
