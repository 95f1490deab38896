"""From a model wrapped by NNI to a plain torch module whose weights are the simulated ones."""

from __future__ import annotations

import copy

import torch
from nni.compression.base.compressor import Compressor
from nni.compression.base.target_space import TargetType
from torch import Tensor, nn

from dqc_plugin.errors import ConfigError, WeightError
from dqc_plugin.quantizers.bypassed import unhook_parents


@torch.no_grad()
def export_model(compressor: Compressor) -> nn.Module:
    """A copy of the compressor's model without NNI's wrappers: masks and codebooks applied to the weights.

    The weights equal those of the wrapped forward pass bit for bit; the wrapped model stays as it is.
    ConfigError if inputs or outputs are quantized too (a plain module cannot hold that); WeightError for NaN.
    """
    weights = simulated_weights(compressor)
    wrapped = compressor._is_wrapped
    if wrapped:
        compressor.unwrap_model()
    plain: nn.Module = copy.deepcopy(compressor.bound_model)
    if wrapped:
        compressor.wrap_model()
    unhook_parents(plain)
    for name in compressor._module_wrappers:
        plain.get_submodule(name).__dict__.pop("forward", None)  # NNI leaves its bound method there
    for name, value in weights.items():
        plain.get_parameter(name).copy_(value)
    return plain


@torch.no_grad()
def simulated_weights(compressor: Compressor) -> dict[str, Tensor]:
    """The parameters that pruners and quantizers change, as the forward pass sees them: {"conv1.weight": values}."""
    weights = {}
    for name, wrapper in compressor._module_wrappers.items():
        spaces = {**wrapper.pruning_target_spaces, **wrapper.quantization_target_spaces}
        for target, space in spaces.items():
            if space.type is not TargetType.PARAMETER:
                raise ConfigError(
                    f"{name}: {target} is quantized, which a plain module cannot hold; "
                    "export works for parameters only (target_names: [weight])"
                )
            value = wrapper.patch_helper(target, space.target).detach().clone()
            if not bool(torch.isfinite(value).all()):
                raise WeightError(f"{name}.{target} holds NaN or infinity: it cannot be exported")
            weights[f"{name}.{target}"] = value
    return weights
