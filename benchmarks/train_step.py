"""The cost of a training step with each quantizer, as a ratio to the float step of the same round; and its memory.

    python benchmarks/train_step.py [--networks lenet5 resnet20 ...] [--variants dqc ...] [--rounds 7] [--steps 4]
                                    [--out FILE.json]

Weights of Conv2d and Linear layers only. Quantizers of this project and of NNI run as NNI runs them, through
``compress`` and an evaluator; the others (torchao, brevitas, where they are installed) replace layers. The variants
take turns within a round, in a new order each time, so that a slow spell of the machine meets all of them. A round's
figure is the median of its steps; the table gives the median ratio over the rounds and their spread (least to largest).

On a large network the differences drown in the noise of the step itself. The second table therefore times what a
quantizer adds by itself: the quantized weights of all layers, the gradient back through them, and what is done after
an optimizer step. The third gives what it adds to the peak memory of two steps in a process of its own, in copies of
the quantized weights.
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
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from step_networks import NETWORKS
from step_variants import VARIANTS, quantized_layers

Figures = dict[str, dict[str, float]]
FLOAT = next(iter(VARIANTS))


def variants_for(network: str, wanted: Collection[str]) -> list[str]:
    """Those that are installed and quantize all the layers that the others do; float first."""
    with torch.device("meta"):
        model = NETWORKS[network].build()
    here = [name for name in ("torchao", "brevitas") if importlib.util.find_spec(name) is not None]
    left_out = {"torchao", "brevitas"} - set(here)
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


def measure_memory(network: str, names: Sequence[str], threads: int) -> Figures:
    """Megabytes at the peak, and what is above float in copies of the quantized weights."""
    megabytes = {name: _peak_in_a_process(network, name, threads) for name in names}
    with torch.device("meta"):
        copy = sum(4 * layer.weight.numel() for layer in quantized_layers(NETWORKS[network].build())) / 1e6
    return {name: {"megabytes": mb, "copies": (mb - megabytes[FLOAT]) / copy} for name, mb in megabytes.items()}


def _peak_in_a_process(network: str, name: str, threads: int) -> float:
    command = [sys.executable, __file__, "--peak-of", network, name, "--threads", str(threads)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return float(lines[-1])


def _peak_megabytes() -> float:
    """Of this process alone: what getrusage tells starts from the peak of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="beside float")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4, help="steps a round")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--peak-of", nargs=2, metavar=("NETWORK", "VARIANT"), help="only print the peak, in megabytes")
    return parser.parse_args()


def main() -> None:
    given = _arguments()
    torch.set_num_threads(given.threads)
    console = Console()
    if given.peak_of:
        VARIANTS[given.peak_of[1]].steps(NETWORKS[given.peak_of[0]], 1)
        print(_peak_megabytes())
        return
    names = {network: variants_for(network, given.variants) for network in given.networks}
    steps = {network: measure_steps(network, of, given.rounds, given.steps) for network, of in names.items()}
    console.print(table("A training step, ratio to float (least to largest of the rounds)", steps, _time_cell))
    alone = {network: measure_alone(network, of, 3 * given.rounds) for network, of in names.items()}
    console.print(table("What the quantizer adds by itself, ratio to the first", alone, _time_cell))
    memory = {network: measure_memory(network, of, given.threads) for network, of in names.items()}
    console.print(table("Peak memory above float, in copies of the quantized weights", memory, _memory_cell))
    if given.out:
        facts: dict[str, Any] = {
            "date": date.today().isoformat(),
            "command": " ".join(["python", "benchmarks/train_step.py", *map(shlex.quote, sys.argv[1:])]),
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "threads": given.threads,
        }
        given.out.write_text(json.dumps({**facts, "step": steps, "alone": alone, "memory": memory}, indent=2) + "\n")


if __name__ == "__main__":
    main()
