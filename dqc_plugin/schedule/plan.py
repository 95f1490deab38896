"""The resolved schedule: what each layer of a network will get, and how many bytes that should take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from torch import nn

from dqc_plugin.schedule.compressible import Layer, compressible_layers
from dqc_plugin.schedule.layers import find_settings
from dqc_plugin.schedule.model import Schedule
from dqc_plugin.schedule.problems import Problems, show_keys
from dqc_plugin.schedule.size import FLOAT_BYTES, expected_bytes
from dqc_plugin.schedule.stages import PrunerStage, QuantizerStage


@dataclass(frozen=True)
class LayerPlan:
    """One row of the resolved table.

    weights: number of weights; sparsity: fraction of them that become zero.
    bits: index width, and codebook_size: its codewords; None where the weights stay floats.
    freeze: when the codebook stops changing, such as ``"after 6 epochs"``; None where nobody says.
    options: the layer's options in each stage that takes it, by the stage's number.
    expected_bytes: an estimate, see :func:`dqc_plugin.schedule.expected_bytes`.
    """

    layer: str
    type: str
    shape: tuple[int, ...]
    weights: int
    pruner: str | None
    sparsity: float
    quantizer: str | None
    bits: int | None
    codebook_size: int | None
    freeze: str | None
    options: Mapping[int, BaseModel]
    expected_bytes: int

    @property
    def float_bytes(self) -> int:
        """The weights as dense float32."""
        return FLOAT_BYTES * self.weights


@dataclass(frozen=True)
class Totals:
    """Sums over a whole network. other_bytes: what is no weight of a layer (biases, batch norm), kept as it is."""

    weights: int
    float_bytes: int
    other_bytes: int
    expected_bytes: int

    @property
    def ratio(self) -> float:
        """Dense bytes over expected bytes, both with what is kept as it is."""
        return (self.float_bytes + self.other_bytes) / max(self.expected_bytes + self.other_bytes, 1)


def resolve(schedule: Schedule, model: nn.Module) -> list[LayerPlan]:
    """A row for every layer of the model that can be compressed, in its order.

    Raises ScheduleError with all problems: a selector that matches no layer, patterns that disagree, a pruned layer
    without sparsity, a layer taken by two quantizer stages.
    """
    problems, layers = Problems(schedule.origin), compressible_layers(model)
    settings = {
        number: find_settings(stage, model, problems)
        for number, stage in enumerate(schedule.stages)
        if isinstance(stage, (PrunerStage, QuantizerStage))
    }
    _check_quantized_once(schedule, settings, problems)
    problems.raise_if_any()
    return [
        _plan(schedule, layer, {number: of[layer.name] for number, of in settings.items() if layer.name in of})
        for layer in layers
    ]


def totals(plans: Iterable[LayerPlan], model: nn.Module) -> Totals:
    """The sums of the rows; what else the model's state dict holds counts with its own dtypes."""
    rows = list(plans)
    stored = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    weights = [layer.weight for layer in compressible_layers(model)]
    return Totals(
        weights=sum(row.weights for row in rows),
        float_bytes=sum(row.float_bytes for row in rows),
        other_bytes=stored - sum(weight.numel() * weight.element_size() for weight in weights),
        expected_bytes=sum(row.expected_bytes for row in rows),
    )


def _check_quantized_once(schedule: Schedule, settings: Mapping[int, Mapping[str, Any]], problems: Problems) -> None:
    taken: dict[str, int] = {}
    for number, of_layers in settings.items():
        if isinstance(schedule.stages[number], QuantizerStage):
            for layer in of_layers:
                if layer in taken:
                    first = show_keys(("stages", taken[layer]))
                    text = f"layer {layer!r} is quantized by {first} already; give it 'skip' under 'layers' of one"
                    problems.add(("stages", number), text)
                taken.setdefault(layer, number)


def _plan(schedule: Schedule, layer: Layer, options: dict[int, BaseModel]) -> LayerPlan:
    stages = [(schedule.stages[number], of_stage) for number, of_stage in options.items()]
    pruning = [(stage, of) for stage, of in stages if isinstance(stage, PrunerStage)]
    quantizing = [(stage, of) for stage, of in stages if isinstance(stage, QuantizerStage) and _takes_weight(of)]
    sparsity = max((float(getattr(of, "sparsity", 0.0)) for _, of in pruning), default=0.0)
    of_quantizer = quantizing[0][1] if quantizing else None
    bits = getattr(of_quantizer, "bits", None)
    weights = math.prod(layer.shape)
    return LayerPlan(
        layer=layer.name,
        type=layer.type,
        shape=layer.shape,
        weights=weights,
        pruner=" + ".join(stage.name for stage, _ in pruning) or None,
        sparsity=sparsity,
        quantizer=quantizing[0][0].name if quantizing else None,
        bits=bits,
        codebook_size=getattr(of_quantizer, "codebook_size", None if bits is None else 2**bits),
        freeze=getattr(of_quantizer, "freeze", None),
        options=options,
        expected_bytes=expected_bytes(weights, sparsity, bits),
    )


def _takes_weight(options: BaseModel) -> bool:
    return "weight" in getattr(options, "target_names", ("weight",))
