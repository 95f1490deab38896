"""What a quantizer trains beside the weights, in the optimizer of the weights."""

from __future__ import annotations

from collections.abc import Sequence

from nni.compression.utils import Evaluator
from torch import Tensor, nn
from torch.optim import Optimizer

Added = dict[str, list[Tensor]]


def mend_param_groups(evaluator: Evaluator) -> None:
    """Let ``patch_optim_param_group`` work: NNI's fails where the network itself has a parameter, as a class token."""
    evaluator._optimizer_add_param_group = _add


def _add(model: nn.Module, added: Added, optimizers: Optimizer | Sequence[Optimizer]) -> None:
    """Put the parameters of each layer into the group that has its own; into the first one if none has."""
    groups = [group for one in _listed(optimizers) for group in one.param_groups]
    layers = {id(p): _layer_of(name) for name, p in model.named_parameters()}
    for layer, parameters in added.items():
        homes = (group for group in groups if any(layers.get(id(p)) == layer for p in group["params"]))
        next(homes, groups[0])["params"].extend(parameters)


def _listed(optimizers: Optimizer | Sequence[Optimizer]) -> Sequence[Optimizer]:
    return [optimizers] if isinstance(optimizers, Optimizer) else optimizers


def _layer_of(parameter: str) -> str:
    return ".".join(part for part in parameter.split(".")[:-1] if part != "_nni_wrapper")
