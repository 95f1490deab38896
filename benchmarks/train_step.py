"""The cost of a training step with each quantizer, as a ratio to the float step of the same round.

    python benchmarks/train_step.py [--models lenet5 resnet20 resnet50] [--rounds 7] [--steps 8] [--out FILE.json]

Every quantizer runs as NNI runs it, through ``compress`` and an evaluator, on weights only; the float step is the same
loop without one. The variants take turns within a round, in a new order each time, so that a slow spell of the machine
meets all of them. A round's figure is the median of its steps; the table gives the median ratio over the rounds and
their spread (least to largest).
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import nni
import torch
from nni.compression.quantization import DoReFaQuantizer, LsqQuantizer, QATQuantizer
from nni.compression.utils import TorchEvaluator
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from dqc_plugin import DQCQuantizer, SQCQuantizer
from dqc_plugin.registry import lookup

Timed = Callable[[int], list[float]]
QUANTIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "dqc": (DQCQuantizer, {"quant_dtype": "int5"}),
    "dqc, no zero": (DQCQuantizer, {"quant_dtype": "int5", "target_settings": {"weight": {"zero": False}}}),
    "sqc": (SQCQuantizer, {"quant_dtype": "int5"}),
    "nni qat": (QATQuantizer, {"quant_dtype": "int8", "quant_scheme": "symmetric"}),
    "nni lsq": (LsqQuantizer, {"quant_dtype": "int8", "quant_scheme": "symmetric"}),
    "nni dorefa": (DoReFaQuantizer, {"quant_dtype": "int8", "quant_scheme": "affine"}),
}


def resnet50(**_: Any) -> nn.Module:
    from torchvision.models import resnet50 as build  # only this model needs torchvision

    model: nn.Module = build()
    return model


MODELS: dict[str, tuple[Callable[..., nn.Module], tuple[int, ...], int]] = {
    "lenet5": (lookup("model", "lenet5").load(), (128, 1, 28, 28), 10),
    "resnet20": (lookup("model", "resnet20").load(), (128, 3, 32, 32), 10),
    "resnet50": (resnet50, (8, 3, 224, 224), 1000),
}


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    results = {name: measure(name, arguments.rounds, arguments.steps) for name in arguments.models}
    Console().print(table(results))
    if arguments.out:
        facts = {
            "date": date.today().isoformat(),
            "torch": torch.__version__,
            "threads": arguments.threads,
            "machine": platform.machine(),
            "rounds": arguments.rounds,
            "steps": arguments.steps,
        }
        arguments.out.write_text(json.dumps({**facts, "results": results}, indent=2) + "\n")


def measure(name: str, rounds: int, steps: int) -> dict[str, dict[str, float]]:
    """Milliseconds and ratios of each variant of one network."""
    variants = {"float": float_steps(name), **{kind: quantized_steps(name, kind) for kind in QUANTIZERS}}
    times: dict[str, list[float]] = {kind: [] for kind in variants}
    order = list(variants)
    for number in range(rounds + 1):  # the first warms up
        random.Random(number).shuffle(order)
        for kind in order:
            milliseconds = statistics.median(variants[kind](steps))
            if number:
                times[kind].append(milliseconds)
    ratios = {kind: [t / f for t, f in zip(times[kind], times["float"], strict=True)] for kind in variants}
    return {
        kind: {
            "milliseconds": statistics.median(times[kind]),
            "ratio": statistics.median(ratios[kind]),
            "least": min(ratios[kind]),
            "largest": max(ratios[kind]),
        }
        for kind in variants
    }


def float_steps(name: str) -> Timed:
    def run(steps: int) -> list[float]:
        model, batch = _network(name)
        optimizer = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9)
        return _timed_steps(model, optimizer, _loss, batch, steps)

    return run


def quantized_steps(name: str, kind: str) -> Timed:
    """A quantizer of its own for each round: some of NNI's register their hooks again at each ``compress``."""

    def run(steps: int) -> list[float]:
        model, batch = _network(name)
        taken: list[float] = []

        def training_func(wrapped: nn.Module, optimizer: Any, step: Any, *rest: Any) -> None:
            taken.extend(_timed_steps(wrapped, optimizer, step, batch, rest[1]))

        optimizer = nni.trace(torch.optim.SGD)(model.parameters(), lr=1e-4, momentum=0.9)
        quantizer_class, settings = QUANTIZERS[kind]
        layers = {"op_types": ["Conv2d", "Linear"], "target_names": ["weight"]}
        quantizer = quantizer_class(model, [{**layers, **settings}], TorchEvaluator(training_func, optimizer, _loss))
        quantizer.compress(steps, None)
        return taken

    return run


def _network(name: str) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    build, shape, classes = MODELS[name]
    torch.manual_seed(0)
    return build().train(), (torch.randn(shape), torch.randint(0, classes, shape[:1]))


def _loss(batch: tuple[Tensor, Tensor], model: nn.Module) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def _timed_steps(model: nn.Module, optimizer: Any, step: Any, batch: tuple[Tensor, Tensor], steps: int) -> list[float]:
    times = []
    for _ in range(steps + 1):  # the first step allocates
        start = time.perf_counter()
        loss = step(batch, model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(1000 * (time.perf_counter() - start))
    return times[1:]


def table(results: dict[str, dict[str, dict[str, float]]]) -> Table:
    shown = Table(title="A training step, ratio to float (least to largest of the rounds)")
    shown.add_column("")
    for name in results:
        shown.add_column(name, justify="right")
    for kind in ["float", *QUANTIZERS]:
        cells = []
        for rows in results.values():
            row = rows[kind]
            spread = f"{row['ratio']:.3f} ({row['least']:.3f} to {row['largest']:.3f})"
            cells.append(f"{row['milliseconds']:.1f} ms" if kind == "float" else spread)
        shown.add_row(kind, *cells)
    return shown


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=8, help="steps a round")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
