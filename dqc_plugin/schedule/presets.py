"""``preset: NAME``: the settings of a known recipe, over which the stage's own keys go."""

from __future__ import annotations

from typing import Any

from dqc_plugin.errors import did_you_mean
from dqc_plugin.schedule.merge import Data, overlay
from dqc_plugin.schedule.problems import Keys, Problems
from dqc_plugin.schedule.wording import shown

KEY = "preset"

# Rao et al. 2019: the authors' settings for CIFAR-10, 80,000 steps of batch 128; the l2 term is over quantized weights.
_PAPER: Data = {
    "epochs": 205,
    "batch_size": 128,
    "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0},
    "lr_schedule": {"name": "multistep", "milestones_epochs": [123, 167], "gamma": 0.1},
    "loss": {"name": "cross_entropy", "l2": 1.0e-3},
    "gradient": "magnitude",
    "range": "max",
    "granularity": "per_tensor",
}
# What measured best at 3 bits on held-out images of CIFAR-10: results/cifar10-resnet20-ablation.
_STRONG: Data = {
    "epochs": 8,
    "batch_size": 128,
    "optimizer": {"name": "sgd", "lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 5.0e-4},
    "lr_schedule": {"name": "cosine", "warmup_epochs": 1},
    "loss": {"name": "cross_entropy"},
    "gradient": "straight_through",
    "range": "mse",
    "granularity": "per_tensor",
}
_BOTH = {"paper": _PAPER, "strong": _STRONG}
PRESETS: dict[str, dict[str, Data]] = {"dqc": _BOTH, "sqc": _BOTH}


def with_preset(kind: str, data: Data, keys: Keys, problems: Problems) -> Data:
    """The stage's data over those of the preset that it names; as it is if it names none."""
    if KEY not in data or kind != "quantizer":
        return data
    own = {key: value for key, value in data.items() if key != KEY}
    return overlay(_find(data[KEY], own.get(kind), (*keys, KEY), problems), own)


def _find(name: Any, quantizer: Any, keys: Keys, problems: Problems) -> Data:
    known = PRESETS.get(quantizer, {}) if isinstance(quantizer, str) else {}
    if isinstance(name, str) and name in known:
        return known[name]
    if not known:
        problems.add(keys, f"{shown(quantizer)} has no presets; {' and '.join(PRESETS)} have")
    elif isinstance(name, str):
        problems.add(keys, f"no preset {name!r} of {quantizer}{did_you_mean(name, known)}")
    else:
        problems.add(keys, f"must be one of {', '.join(known)}, not {shown(name)}")
    return {}
