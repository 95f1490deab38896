"""Which parameters of a network can be pruned and quantized, each under the name of a layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

_WITH_WEIGHT = (_ConvNd, nn.Linear, nn.Embedding, nn.EmbeddingBag)
_PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
_HUGGING_FACE_LINEAR = "transformers.pytorch_utils.Conv1D"  # GPT-2's, by name: transformers need not be installed


@dataclass(frozen=True)
class Layer:
    """A parameter that is pruned and quantized: the weight of a layer, or a projection of an attention.

    name: the module's, with the parameter's after it unless that is ``weight``.
    """

    name: str
    module_name: str
    parameter: str
    module: nn.Module

    @property
    def type(self) -> str:
        return type(self.module).__name__

    @property
    def weight(self) -> Tensor:
        return getattr(self.module, self.parameter)  # type: ignore[no-any-return]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.weight.shape)


def compressible_layers(model: nn.Module) -> list[Layer]:
    """The weights of convolutions (transposed ones too), linear layers and embeddings, and attentions' projections.

    In the model's order; a module that is used twice once. Lazy layers count once they have weights.
    """
    return [layer for name, module in model.named_modules() for layer in _layers_of(name, module)]


def recurrent_layers(model: nn.Module) -> dict[str, nn.Module]:
    """LSTM, GRU and RNN modules by name: their weights stay floats, since torch computes with copies of its own."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.RNNBase)}


def tied_layers(model: nn.Module) -> list[list[str]]:
    """The names of layers that share one parameter, such as an embedding and the output layer of a language model."""
    sharing: dict[int, list[str]] = {}
    for layer in compressible_layers(model):
        sharing.setdefault(id(layer.weight), []).append(layer.name)
    return [names for names in sharing.values() if len(names) > 1]


def _layers_of(name: str, module: nn.Module) -> Iterator[Layer]:
    for parameter in _parameters_of(module):
        full = name if parameter == "weight" else ".".join(filter(None, (name, parameter)))
        yield Layer(full, name, parameter, module)


def _parameters_of(module: nn.Module) -> tuple[str, ...]:
    if isinstance(module, nn.MultiheadAttention):
        return tuple(name for name in _PROJECTIONS if getattr(module, name) is not None)
    qualified = f"{type(module).__module__}.{type(module).__qualname__}"
    weight = getattr(module, "weight", None)
    if isinstance(module, _WITH_WEIGHT) or qualified == _HUGGING_FACE_LINEAR:
        return ("weight",) if weight is not None and not nn.parameter.is_lazy(weight) else ()
    return ()
