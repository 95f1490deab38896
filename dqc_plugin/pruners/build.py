"""NNI's own pruners under short names, all built the same way: ``build(model, config_list, evaluator, **arguments)``.

The arguments are those of NNI's classes; ``using`` names the pruner that agp and linear make each mask with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nni.compression.base.compressor import Pruner
from nni.compression.pruning import (
    AGPPruner,
    FPGMPruner,
    L1NormPruner,
    L2NormPruner,
    LevelPruner,
    LinearPruner,
    SlimPruner,
    TaylorPruner,
)
from nni.compression.utils import Evaluator
from torch import nn

from dqc_plugin.errors import ConfigError, did_you_mean
from dqc_plugin.pruners.movement import ResumableMovementPruner

Config = dict[str, Any]
Build = Callable[..., Pruner]

_BY_NORM: dict[str, type[Pruner]] = {"level": LevelPruner, "l1": L1NormPruner, "l2": L2NormPruner, "fpgm": FPGMPruner}


def level(model: nn.Module, config_list: list[Config], evaluator: Evaluator | None = None) -> Pruner:
    """Single weights of the smallest magnitude."""
    return LevelPruner(model, config_list, evaluator)


def l1(model: nn.Module, config_list: list[Config], evaluator: Evaluator | None = None) -> Pruner:
    """Output channels of the smallest L1 norm."""
    return L1NormPruner(model, config_list, evaluator)


def l2(model: nn.Module, config_list: list[Config], evaluator: Evaluator | None = None) -> Pruner:
    """Output channels of the smallest L2 norm."""
    return L2NormPruner(model, config_list, evaluator)


def fpgm(model: nn.Module, config_list: list[Config], evaluator: Evaluator | None = None) -> Pruner:
    """Output channels nearest to the geometric median of their layer."""
    return FPGMPruner(model, config_list, evaluator)


def slim(
    model: nn.Module,
    config_list: list[Config],
    evaluator: Evaluator,
    training_steps: int,
    regular_scale: float = 1.0,
) -> Pruner:
    """Output channels of the smallest scaling factor, learned in so many steps under an L1 term."""
    return SlimPruner(model, config_list, evaluator, training_steps, regular_scale)


def taylor(model: nn.Module, config_list: list[Config], evaluator: Evaluator, training_steps: int) -> Pruner:
    """Output channels of the smallest first-order effect on the loss, gathered in so many steps."""
    return TaylorPruner(model, config_list, evaluator, training_steps)


def movement(
    model: nn.Module,
    config_list: list[Config],
    evaluator: Evaluator,
    warmup_step: int,
    cooldown_begin_step: int,
    regular_scale: float = 1.0,
) -> Pruner:
    """Weights that training moves towards zero."""
    return ResumableMovementPruner(model, config_list, evaluator, warmup_step, cooldown_begin_step, regular_scale)


def agp(
    model: nn.Module,
    config_list: list[Config],
    evaluator: Evaluator,
    interval_steps: int,
    total_times: int,
    using: str = "level",
) -> Pruner:
    """A sparsity that grows as 1 - (1 - t)^3 in ``total_times`` updates (Zhu and Gupta 2017)."""
    return AGPPruner(_bound(using, model, config_list, evaluator), interval_steps, total_times)


def linear(
    model: nn.Module,
    config_list: list[Config],
    evaluator: Evaluator,
    interval_steps: int,
    total_times: int,
    using: str = "level",
) -> Pruner:
    """A sparsity that grows linearly in ``total_times`` updates."""
    return LinearPruner(_bound(using, model, config_list, evaluator), interval_steps, total_times)


def _bound(using: str, model: nn.Module, config_list: list[Config], evaluator: Evaluator) -> Pruner:
    if using not in _BY_NORM:
        raise ConfigError(f"using: unknown pruner {using!r}{did_you_mean(using, _BY_NORM)}")
    return _BY_NORM[using](model, config_list, evaluator)
