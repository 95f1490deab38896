"""The cost of a training step with each quantizer, as a ratio to the float step of the same round.

    python benchmarks/train_step.py [--models lenet5 resnet20 resnet50] [--rounds 7] [--steps 8] [--out FILE.json]

Every quantizer runs as NNI runs it, through ``compress`` and an evaluator, on weights only; the float step is the same
loop without one. The variants take turns within a round, in a new order each time, so that a slow spell of the machine
meets all of them. A round's figure is the median of its steps; the table gives the median ratio over the rounds and
their spread (least to largest).

On a large network the differences drown in the noise of the step itself. The second table therefore times what a
quantizer adds by itself: the quantized weights of all layers, the gradient back through them, and what is done after
an optimizer step.
"""

from __future__ import annotations

import argparse
import json
import os
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
Figures = dict[str, dict[str, float]]
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
    steps = {name: measure_steps(name, arguments.rounds, arguments.steps) for name in arguments.models}
    alone = {name: measure_alone(name, 5 * arguments.rounds) for name in arguments.models}
    Console().print(table("A training step, ratio to float (least to largest of the rounds)", steps))
    Console().print(table("What the quantizer adds by itself, ratio to dqc", alone))
    if arguments.out:
        facts = {
            "date": date.today().isoformat(),
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "threads": arguments.threads,
            "rounds": arguments.rounds,
            "steps": arguments.steps,
        }
        arguments.out.write_text(json.dumps({**facts, "step": steps, "alone": alone}, indent=2) + "\n")


def measure_steps(name: str, rounds: int, steps: int) -> Figures:
    """Milliseconds and ratios to float of each variant's training step."""
    variants = {"float": float_steps(name), **{kind: quantized_steps(name, kind) for kind in QUANTIZERS}}
    return _in_turns({kind: lambda run=run: statistics.median(run(steps)) for kind, run in variants.items()}, rounds)


def measure_alone(name: str, rounds: int) -> Figures:
    """Milliseconds and ratios to dqc of what each quantizer does to the weights in a step."""
    return _in_turns({kind: added_work(name, kind) for kind in QUANTIZERS}, rounds)


def _in_turns(variants: dict[str, Callable[[], float]], rounds: int) -> Figures:
    """Milliseconds of each variant, and ratios to the first one."""
    times: dict[str, list[float]] = {kind: [] for kind in variants}
    order = list(variants)
    for number in range(rounds + 1):  # the first warms up
        random.Random(number).shuffle(order)
        for kind in order:
            milliseconds = variants[kind]()
            if number:
                times[kind].append(milliseconds)
    base = times[next(iter(variants))]
    ratios = {kind: [t / b for t, b in zip(taken, base, strict=True)] for kind, taken in times.items()}
    return {
        kind: {
            "milliseconds": statistics.median(times[kind]),
            "ratio": statistics.median(ratios[kind]),
            "least": min(ratios[kind]),
            "largest": max(ratios[kind]),
        }
        for kind in variants
    }


def added_work(name: str, kind: str) -> Callable[[], float]:
    model, batch = _network(name)
    quantizer = _quantizer(kind, model, lambda *_: None)
    with torch.no_grad():
        quantizer.track_forward(batch[0])  # NNI sets scales at the first forward pass
    after_step = getattr(quantizer, "after_step", lambda: None)
    wrappers = list(quantizer._module_wrappers.values())
    gradients = [torch.ones_like(wrapper.weight) for wrapper in wrappers]

    def run() -> float:
        start = time.perf_counter()
        quantized = [wrapper.patch_helper("weight", wrapper.weight) for wrapper in wrappers]
        torch.autograd.backward(quantized, gradients)
        after_step()
        milliseconds = 1000 * (time.perf_counter() - start)
        for wrapper in wrappers:
            wrapper.weight.grad = None
        return milliseconds

    return run


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

        quantizer = _quantizer(kind, model, training_func)
        quantizer.compress(steps, None)
        return taken

    return run


def _quantizer(kind: str, model: nn.Module, training_func: Callable[..., None]) -> Any:
    quantizer_class, settings = QUANTIZERS[kind]
    optimizer = nni.trace(torch.optim.SGD)(model.parameters(), lr=1e-4, momentum=0.9)
    layers = {"op_types": ["Conv2d", "Linear"], "target_names": ["weight"]}
    return quantizer_class(model, [{**layers, **settings}], TorchEvaluator(training_func, optimizer, _loss))


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


def table(title: str, results: dict[str, Figures]) -> Table:
    shown = Table(title=title)
    shown.add_column("")
    for name in results:
        shown.add_column(name, justify="right")
    kinds = list(next(iter(results.values())))
    for kind in kinds:
        rows = [figures[kind] for figures in results.values()]
        shown.add_row(kind, *(_cell(row, kind == kinds[0]) for row in rows))
    return shown


def _cell(row: dict[str, float], is_base: bool) -> str:
    if is_base:
        return f"{row['milliseconds']:.1f} ms"
    return f"{row['ratio']:.3f} ({row['least']:.3f} to {row['largest']:.3f})"


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
