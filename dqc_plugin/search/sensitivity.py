"""How much each layer suffers at each bit width, alone and without training: cheap, and a good first guess."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dqc_plugin.artifact import inspect, save
from dqc_plugin.codebooks import PowerOfTwo
from dqc_plugin.codebooks.range_rule import fit_power_of_two
from dqc_plugin.errors import ConfigError
from dqc_plugin.pipeline.context import pick_device, schedule_data
from dqc_plugin.pipeline.evaluate import Batch
from dqc_plugin.pipeline.reporter import Reporter
from dqc_plugin.pipeline.runner import run
from dqc_plugin.quantizers.options import SQCOptions
from dqc_plugin.schedule import CoderStage, PrunerStage, Schedule, load_schedule, stage_settings
from dqc_plugin.search.space import parameter_layer, quantizer_stage

_BATCH = 256
Images = list[Batch]


@dataclass(frozen=True)
class Sensitivity:
    """One layer at one bit width, all other layers in float.

    sqnr_db: signal-to-quantization-noise ratio of the weights, 10 log10(sum w^2 / sum (w - q)^2), in dB.
    loss_change: rise of the cross entropy on training images. bytes: of the layer in the file.
    """

    layer: str
    bits: int
    weights: int
    sqnr_db: float
    loss_change: float
    bytes: int


@dataclass(frozen=True)
class Profile:
    """All layers at all bit widths. loss: of the float (or pruned) network on the same images."""

    name: str
    loss: float
    images: int
    rows: tuple[Sensitivity, ...]


def measure_sensitivity(
    schedule: Schedule,
    bits: Sequence[int] = (2, 3, 4, 5, 8),
    images: int = 2000,
    out: Path | None = None,
    reporter: Reporter | None = None,
) -> Profile:
    """The profile of a schedule with a dqc or sqc stage: zero, range and granularity are those of the stage.

    The network is that which the stage would get: what comes before it in the schedule is run, in the folder ``out``
    (``runs/<name>-start`` unless given), or taken over from there. The loss is that of so many training images.
    Raises ConfigError for bit widths outside 2 to 8 and for a schedule without such a stage.
    """
    if any(width not in range(2, 9) for width in bits):
        raise ConfigError(f"bits must be from 2 to 8, not {', '.join(map(str, bits))}")
    number, stage = quantizer_stage(schedule)
    model = start_network(schedule, out, reporter)
    pruned = any(isinstance(before, PrunerStage) for before in schedule.stages[:number])
    coder = next((s.name for s in schedule.stages if isinstance(s, CoderStage)), "huffman")
    settings = stage_settings(stage, model)
    batches = _training_images(schedule, images)
    loss = _loss(model, batches)
    rows = [
        _measure(model, parameter, width, options, pruned, coder, lambda: _loss(model, batches) - loss)
        for parameter, options in settings.items()
        if isinstance(options, SQCOptions)
        for width in bits
    ]
    return Profile(schedule.name, loss, sum(len(labels) for _, labels in batches), tuple(rows))


def start_network(schedule: Schedule, out: Path | None = None, reporter: Reporter | None = None) -> nn.Module:
    """The network that the quantizer stage of a schedule starts from, on the CPU, run as far as it is not yet."""
    number, _ = quantizer_stage(schedule)
    before = schedule.canonical()
    name = f"{schedule.name}-start"
    start = load_schedule({**before, "name": name, "stages": before["stages"][:number]})
    runs = Path("runs")
    return run(start, out or runs / name, reporter=reporter, siblings=[runs / schedule.name]).model.eval()


def _training_images(schedule: Schedule, images: int) -> Images:
    """The first batches of the first epoch, on the CPU."""
    training, _ = schedule_data(schedule, pick_device(schedule))
    epoch: Iterable[Batch] = training(_BATCH).epoch(schedule.seed, 0)
    taken = itertools.islice(epoch, max(1, -(-images // _BATCH)))
    return [(inputs.cpu(), labels.cpu()) for inputs, labels in taken]


@torch.no_grad()
def _loss(model: nn.Module, batches: Images) -> float:
    """Mean cross entropy."""
    total = sum(float(F.cross_entropy(model(inputs), labels, reduction="sum")) for inputs, labels in batches)
    return total / sum(len(labels) for _, labels in batches)


@torch.no_grad()
def _measure(
    model: nn.Module,
    parameter: tuple[str, str],
    bits: int,
    options: SQCOptions,
    pruned: bool,
    coder: str,
    change: Callable[[], float],
) -> Sensitivity:
    weights = model.get_submodule(parameter[0]).get_parameter(parameter[1])
    kept = weights.detach().clone()
    mask = (kept != 0).to(kept.dtype) if pruned else None
    channels = options.granularity == "per_channel"
    codebook = fit_power_of_two(kept, bits, options.zero, mask=mask, per_channel=channels, range_rule=options.range)
    quantized = codebook.quantize(kept, mask)
    weights.copy_(quantized)
    try:
        loss_change = change()
    finally:
        weights.copy_(kept)
    return Sensitivity(
        parameter_layer(parameter),
        bits,
        kept.numel(),
        _sqnr(kept, quantized),
        loss_change,
        _bytes(quantized, codebook, coder),
    )


def _sqnr(weights: Tensor, quantized: Tensor) -> float:
    noise = float((weights - quantized).square().sum())
    signal = float(weights.square().sum())
    return 10 * math.log10(signal / noise) if noise and signal else math.inf


def _bytes(quantized: Tensor, codebook: PowerOfTwo, coder: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "layer.dqc"
        save(file, {"layer.weight": quantized}, {"layer": {"weight": codebook.to_record()}}, coder=coder)
        return inspect(file).total.bytes_coded
