"""From what a schedule says to the ``config_list`` and the arguments of NNI's pruners, which count in steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from dqc_plugin.pruners.options import GradualOptions, MovementOptions, PruningOptions

_RAMP = 0.6


def pruner_arguments(options: BaseModel, epochs: int, steps_per_epoch: int) -> dict[str, Any]:
    """Keyword arguments for ``dqc_plugin.pruners.build``: NNI's names, epochs turned into optimizer steps."""
    if isinstance(options, GradualOptions):
        return _gradual(options, epochs, steps_per_epoch)
    if isinstance(options, MovementOptions):
        return {"warmup_step": options.warmup_steps, "cooldown_begin_step": options.cooldown_begin_step}
    return options.model_dump(exclude=set(PruningOptions.model_fields))


def _gradual(options: GradualOptions, epochs: int, steps_per_epoch: int) -> dict[str, Any]:
    ramp_epochs = options.ramp_epochs if options.ramp_epochs is not None else _RAMP * epochs
    ramp_steps = max(1, round(ramp_epochs * steps_per_epoch))
    updates = min(options.updates, ramp_steps)
    return {"interval_steps": ramp_steps // updates, "total_times": updates, "using": options.using}


def pruner_config_list(settings: Mapping[tuple[str, str], Any]) -> list[dict[str, Any]]:
    """An entry of NNI's ``config_list`` for each parameter that is to have zeros, from its options.

    settings: options by names of module and parameter.
    """
    return [
        {
            "op_names": [module],
            "target_names": [parameter],
            "sparse_ratio": float(rule.sparsity),
            "granularity": getattr(rule, "granularity", "default"),
        }
        for (module, parameter), rule in settings.items()
        if getattr(rule, "sparsity", None)
    ]
