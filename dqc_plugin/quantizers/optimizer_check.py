"""NNI builds the optimizer anew by parameter names, and can lose some: a check before the first step."""

from __future__ import annotations

from nni.compression.utils import Evaluator
from torch import nn

from dqc_plugin.errors import ConfigError

_TRAINED_BY_PRUNERS = ("_mvp_score", "_slim_factor")


def check_optimizer(evaluator: Evaluator, model: nn.Module) -> None:
    """Raise ConfigError if a trainable parameter is in none of the evaluator's optimizers."""
    optimizers = getattr(evaluator, "_optimizers", None)
    if not optimizers:
        return  # built later by a trainer
    known = {id(p) for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]}
    lost = [
        name.replace("_nni_wrapper.", "")
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and id(parameter) not in known and not name.endswith(_TRAINED_BY_PRUNERS)
    ]
    if lost:
        raise ConfigError(
            f"not in the optimizer, so they would never train: {', '.join(lost)}. Build optimizer and evaluator while "
            "the model is unwrapped and give the evaluator to the first compressor of a chain; set requires_grad=False "
            "on what is not to train."
        )
