"""The cost of a training step with each quantizer, as a ratio to the float step of the same round; and its memory.

    python benchmarks/train_step.py [--networks lenet5 resnet20 ...] [--variants dqc ...] [--rounds 7] [--steps 4]
                                    [--measure step alone memory] [--out FILE.json]

Weights of Conv2d and Linear layers only. Quantizers of this project and of NNI run as NNI runs them, through
``compress`` and an evaluator; the others (torchao, brevitas, where they are installed) replace layers. The variants
take turns within a round, in a new order each time, so that a slow spell of the machine meets all of them. A round's
figure is the median of its steps; the table gives the median ratio over the rounds and their spread (least to largest).

On a large network the differences drown in the noise of the step itself. The second table therefore times what a
quantizer adds by itself: the quantized weights of all layers, the gradient back through them, and what is done after
an optimizer step. The third gives what it adds to the peak of all tensors' memory over two steps, in copies of the
quantized weights; weight sharing is to be left out there on large networks: its k-means makes more events than the
profiler can hold.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import random
import shlex
import statistics
import sys
from collections.abc import Callable, Collection, Sequence
from datetime import date
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from step_memory import peak_bytes
from step_networks import NETWORKS
from step_variants import VARIANTS, quantized_layers

Figures = dict[str, dict[str, float]]
FLOAT = next(iter(VARIANTS))
PEERS = ("torchao", "brevitas")


def is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def variants_for(network: str, wanted: Collection[str]) -> list[str]:
    """Those that are installed and quantize all the layers that the others do; float first."""
    with torch.device("meta"):
        model = NETWORKS[network].build()
    left_out = [name for name in PEERS if not is_installed(name)]
    names = [name for name in VARIANTS if name in wanted and name not in left_out and VARIANTS[name].takes(model)]
    return [FLOAT, *(name for name in names if name != FLOAT)]


def measure_steps(network: str, names: Sequence[str], rounds: int, steps: int) -> Figures:
    """Milliseconds and ratios to float of each variant's training step."""

    def timed(name: str) -> Callable[[], float]:
        return lambda: statistics.median(VARIANTS[name].steps(NETWORKS[network], steps))

    return _in_turns({name: timed(name) for name in names}, rounds)


def measure_alone(network: str, names: Sequence[str], rounds: int) -> Figures:
    """Milliseconds and ratios to the first of what each quantizer does to the weights in a step."""
    timed = {name: run for name in names if (run := VARIANTS[name].alone(NETWORKS[network])) is not None}
    return _in_turns(timed, rounds)


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


def measure_memory(network: str, names: Sequence[str]) -> Figures:
    """Megabytes of tensors at the peak, and what is above float in copies of the quantized weights."""
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:  # the profiler gives little of its memory back
        megabytes = {name: pool.apply(_peak, (network, name)) / 1e6 for name in names}
    copy = sum(4 * layer.weight.numel() for layer in quantized_layers(NETWORKS[network].build())) / 1e6
    return {name: {"megabytes": mb, "copies": (mb - megabytes[FLOAT]) / copy} for name, mb in megabytes.items()}


def _peak(network: str, name: str) -> int:
    return peak_bytes(lambda: VARIANTS[name].steps(NETWORKS[network], 1))


def table(title: str, results: dict[str, Figures], cell: Callable[[dict[str, float], bool], str]) -> Table:
    shown = Table("", title=title)
    for network in results:
        shown.add_column(network, justify="right")
    for name in VARIANTS:
        rows = [figures.get(name) for figures in results.values()]
        firsts = [next(iter(figures)) == name for figures in results.values()]
        if any(rows):
            shown.add_row(name, *(cell(row, first) if row else "" for row, first in zip(rows, firsts, strict=True)))
    return shown


def _time_cell(row: dict[str, float], is_base: bool) -> str:
    if is_base:
        return f"{row['milliseconds']:.1f} ms"
    return f"{row['ratio']:.3f} ({row['least']:.3f} to {row['largest']:.3f})"


def _memory_cell(row: dict[str, float], is_base: bool) -> str:
    return f"{row['megabytes']:.0f} MB" if is_base else f"{row['copies']:+.2f}"


MEASURES: dict[str, tuple[str, Callable[[dict[str, float], bool], str], Callable[..., Figures]]] = {
    "step": (
        "A training step, ratio to float (least to largest of the rounds)",
        _time_cell,
        lambda network, names, given: measure_steps(network, names, given.rounds, given.steps),
    ),
    "alone": (
        "What the quantizer adds by itself, ratio to the first",
        _time_cell,
        lambda network, names, given: measure_alone(network, names, 3 * given.rounds),
    ),
    "memory": (
        "Peak memory above float, in copies of the quantized weights",
        _memory_cell,
        lambda network, names, given: measure_memory(network, names),
    ),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="beside float")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4, help="steps a round")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--measure", nargs="+", choices=MEASURES, default=list(MEASURES))
    return parser.parse_args()


def main() -> None:
    given = _arguments()
    torch.set_num_threads(given.threads)
    console = Console()
    names = {network: variants_for(network, given.variants) for network in given.networks}
    found: dict[str, dict[str, Figures]] = {}
    for measure in given.measure:
        title, cell, run = MEASURES[measure]
        found[measure] = {network: run(network, of, given) for network, of in names.items()}
        console.print(table(title, found[measure], cell))
    if given.out:
        facts: dict[str, Any] = {
            "date": date.today().isoformat(),
            "command": " ".join(["python", "benchmarks/train_step.py", *map(shlex.quote, sys.argv[1:])]),
            "versions": {name: version(name) for name in ("torch", "nni", "timm", *PEERS) if is_installed(name)},
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "threads": given.threads,
        }
        given.out.write_text(json.dumps({**facts, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
