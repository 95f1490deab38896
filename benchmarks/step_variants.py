"""What is timed: the float step, this project's quantizers, NNI's, and the fake quantization of other frameworks."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import nni
import torch
from nni.compression.pruning import LevelPruner
from nni.compression.quantization import DoReFaQuantizer, LsqQuantizer, QATQuantizer
from nni.compression.utils import TorchEvaluator
from step_networks import Batch, Network
from torch import Tensor, nn

from dqc_plugin import DQCQuantizer, SQCQuantizer
from dqc_plugin.quantizers.inq import INQQuantizer
from dqc_plugin.quantizers.lean_wrapper import set_parameters
from dqc_plugin.quantizers.weight_sharing import WeightSharingQuantizer

KINDS = (nn.Conv2d, nn.Linear)
NNI_INT8 = {"quant_dtype": "int8", "quant_scheme": "symmetric"}


class Variant(ABC):
    """A way to train a network with quantized weights."""

    def takes(self, model: nn.Module) -> bool:
        """False where it leaves weights as they are that the others quantize."""
        return True

    @abstractmethod
    def steps(self, network: Network, count: int) -> list[float]:
        """Milliseconds of so many training steps of a new network; the first, which allocates, is left out."""

    def alone(self, network: Network) -> Callable[[], float] | None:
        """Milliseconds of what it does to the weights in a step, without the network."""
        return None


class Plain(Variant):
    """A network whose layers quantize their own weights; the float network where nothing is replaced."""

    def prepare(self, model: nn.Module) -> nn.Module:
        return model

    def quantized(self, layer: nn.Module) -> Tensor | None:
        """The quantized weights of a layer; None of others."""
        return None

    def steps(self, network: Network, count: int) -> list[float]:
        model, batch = network.new()
        model = self.prepare(model)
        optimizer = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9)
        return timed_steps(model, optimizer, loss, batch, count)

    def alone(self, network: Network) -> Callable[[], float] | None:
        model = self.prepare(network.new()[0])
        layers: list[Any] = [layer for layer in model.modules() if self.quantized(layer) is not None]
        return _timed_alone(layers, lambda: [self.quantized(layer) for layer in layers]) if layers else None


class TorchAO(Plain):
    """torchao's quantization-aware training, which knows Linear layers only."""

    def takes(self, model: nn.Module) -> bool:
        return not any(isinstance(module, nn.Conv2d) for module in model.modules())

    def prepare(self, model: nn.Module) -> nn.Module:
        from torchao.quantization import quantize_
        from torchao.quantization.qat import IntxFakeQuantizeConfig, QATConfig

        config = IntxFakeQuantizeConfig(torch.int8, granularity="per_channel", is_symmetric=True)
        quantize_(model, QATConfig(weight_config=config, step="prepare"))
        return model

    def quantized(self, layer: Any) -> Tensor | None:
        fake = getattr(layer, "weight_fake_quantizer", None)
        return None if fake is None else fake(layer.weight)


class Brevitas(Plain):
    """brevitas' layers with 8-bit weights, one scale a tensor, and float activations."""

    def prepare(self, model: nn.Module) -> nn.Module:
        import brevitas.nn
        from brevitas.graph.quantize import layerwise_quantize
        from brevitas.quant import Int8WeightPerTensorFloat

        keys = {"weight_quant": Int8WeightPerTensorFloat}
        layers = {nn.Conv2d: (brevitas.nn.QuantConv2d, keys), nn.Linear: (brevitas.nn.QuantLinear, keys)}
        prepared: nn.Module = layerwise_quantize(model, compute_layer_map=layers)
        return prepared

    def quantized(self, layer: Any) -> Tensor | None:
        return layer.quant_weight().value if hasattr(layer, "quant_weight") else None


class NNIQuantizer(Variant):
    """A quantizer as NNI runs it, through ``compress`` and an evaluator."""

    def __init__(self, kind: Any, **settings: Any) -> None:
        self._kind, self._settings = kind, settings

    def steps(self, network: Network, count: int) -> list[float]:
        """A quantizer of its own for each call: some of NNI's register their hooks again at each ``compress``."""
        model, batch = network.new()
        taken: list[float] = []

        def training_func(wrapped: nn.Module, optimizer: Any, step: Any, *rest: Any) -> None:
            taken.extend(timed_steps(wrapped, optimizer, step, batch, rest[1] - 1))

        self._quantizer(model, training_func).compress(count + 1, None)
        return taken

    def alone(self, network: Network) -> Callable[[], float] | None:
        model, batch = network.new()
        quantizer = self._quantizer(model, lambda *_: None)
        with torch.no_grad():
            quantizer.track_forward(batch[0][:1])  # NNI sets scales at the first forward pass
        wrappers = list(quantizer._module_wrappers.values())

        def quantized() -> list[Tensor]:
            for wrapper in wrappers:
                set_parameters(wrapper)
            return [wrapper.module.weight for wrapper in wrappers]

        return _timed_alone(wrappers, quantized, getattr(quantizer, "after_step", None))

    def _quantizer(self, model: nn.Module, training_func: Callable[..., None]) -> Any:
        optimizer = nni.trace(torch.optim.SGD)(model.parameters(), lr=1e-4, momentum=0.9)
        layers = {
            "op_types": sorted({type(layer).__name__ for layer in quantized_layers(model)}),
            "target_names": ["weight"],
        }
        return self._build(model, layers, TorchEvaluator(training_func, optimizer, loss))

    def _build(self, model: nn.Module, layers: dict[str, Any], evaluator: TorchEvaluator) -> Any:
        return self._kind(model, [{**layers, **self._settings}], evaluator)


class Pruned(NNIQuantizer):
    """A quantizer on a network that a pruner has taken 90 % of the weights of."""

    def _build(self, model: nn.Module, layers: dict[str, Any], evaluator: TorchEvaluator) -> Any:
        pruner = LevelPruner(model, [{**layers, "sparse_ratio": 0.9}], evaluator)
        pruner.compress()
        return self._kind.from_compressor(pruner, [{**layers, **self._settings}])


class LSQ(NNIQuantizer):
    def takes(self, model: nn.Module) -> bool:
        """NNI's LSQ cannot tell the parameter group of what belongs to the network itself, as a ViT's class token."""
        return all("." in name for name, _ in model.named_parameters())


VARIANTS: dict[str, Variant] = {
    "float": Plain(),
    "dqc": NNIQuantizer(DQCQuantizer, quant_dtype="int5"),
    "dqc, no zero": NNIQuantizer(DQCQuantizer, quant_dtype="int5", target_settings={"weight": {"zero": False}}),
    "dqc, range mse": NNIQuantizer(DQCQuantizer, quant_dtype="int3", target_settings={"weight": {"range": "mse"}}),
    "dqc, pruned": Pruned(DQCQuantizer, quant_dtype="int5"),
    "sqc": NNIQuantizer(SQCQuantizer, quant_dtype="int5"),
    "weight sharing": NNIQuantizer(WeightSharingQuantizer, quant_dtype="int5"),
    "inq": NNIQuantizer(INQQuantizer, quant_dtype="int5", target_settings={"weight": {"partition_every_steps": 1000}}),
    "nni qat": NNIQuantizer(QATQuantizer, **NNI_INT8),
    "nni lsq": LSQ(LsqQuantizer, **NNI_INT8),
    "nni dorefa": NNIQuantizer(DoReFaQuantizer, quant_dtype="int8", quant_scheme="affine"),
    "torchao": TorchAO(),
    "brevitas": Brevitas(),
}


def quantized_layers(model: nn.Module) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, KINDS)]


def timed_steps(model: nn.Module, optimizer: Any, step: Any, batch: Batch, count: int) -> list[float]:
    """Milliseconds of each step after the first, which allocates."""
    times = []
    for _ in range(count + 1):
        start = time.perf_counter()
        value = step(batch, model)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        times.append(1000 * (time.perf_counter() - start))
    return times[1:]


def loss(batch: Batch, model: nn.Module) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def _timed_alone(
    layers: list[Any], quantized: Callable[[], list[Any]], after_step: Callable[[], None] | None = None
) -> Callable[[], float]:
    """Gradients are asked for, not added up: in a step torch takes over a gradient that it finds, without a copy."""
    gradients = [torch.ones_like(layer.weight) for layer in layers]
    learned = [parameter for layer in layers for parameter in layer.parameters() if parameter.requires_grad]

    def run() -> float:
        start = time.perf_counter()
        torch.autograd.grad(quantized(), learned, gradients, allow_unused=True)
        if after_step is not None:
            after_step()
        return 1000 * (time.perf_counter() - start)

    return run
