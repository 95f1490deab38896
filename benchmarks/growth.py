"""What grows with a network's size, and how fast: one linear layer of 0.1 to 1000 million weights.

    python benchmarks/growth.py [--millions 0.1 1 10 100 1000] [--out DIR]

Seconds, and the memory above that of the float weights, for the codebook (derived anew from the weights, as at every
step), a quantized forward and backward pass, the file written and the file read, each in a process of its own. 90 % of
the weights are pruned, 4 bits, one thread. The memory is the peak of the process less what it held before, in bytes a
weight; reading begins with nothing, so that its own four bytes a weight are in it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from dqc_plugin.artifact import load, save
from dqc_plugin.codebooks.fake_quantize import fake_quantize
from dqc_plugin.codebooks.range_rule import fit_power_of_two

WORK = ("codebook", "forward and backward", "write", "read")


def measure(millions: float, work: str, file: Path) -> dict[str, float]:
    """One kind of work at one size, in this process."""
    torch.set_num_threads(1)
    count = int(millions * 1e6)
    weights = None if work == "read" else _weights(count)
    before, started = _peak(), time.perf_counter()
    _WORK[work](weights, file)
    seconds = time.perf_counter() - started
    size = file.stat().st_size if file.exists() else 0
    return {"seconds": seconds, "memory": (_peak() - before) / count, "bytes": size}


def _weights(count: int) -> Tensor:
    """Normal weights, all but a tenth pruned; in parts, so that making them takes no memory of its own."""
    weights = torch.empty(count)
    generator = torch.Generator().manual_seed(0)
    for part in weights.split(1 << 22):
        part.normal_(generator=generator)
        part[torch.rand(len(part), generator=generator) < 0.9] = 0.0
    return weights


def _derive(weights: Tensor, _: Path) -> None:
    fit_power_of_two(weights, 4, True)


def _train(weights: Tensor, _: Path) -> None:
    codebook = fit_power_of_two(weights, 4, True)
    weights.requires_grad_()
    fake_quantize(weights, codebook, None).sum().backward()


def _write(weights: Tensor, file: Path) -> None:
    codebook = fit_power_of_two(weights, 4, True)
    save(file, {"fc.weight": codebook.quantize(weights)}, {"fc": {"weight": codebook.to_record()}})


def _read(_: Any, file: Path) -> None:
    load(file)


_WORK: dict[str, Callable[..., None]] = dict(zip(WORK, (_derive, _train, _write, _read), strict=True))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _in_processes(sizes: list[float]) -> Iterator[dict[str, Any]]:
    for millions in sizes:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "net.dqc"
            yield {"millions": millions, **{work: _in_a_process(work, millions, file) for work in WORK}}


def _in_a_process(work: str, millions: float, file: Path) -> dict[str, float] | None:
    command = [sys.executable, __file__, "--only", work, "--millions", str(millions), "--file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "MemoryError" not in done.stderr and done.returncode > 0:
        raise SystemExit(f"{work} of {millions:g} million weights: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout) if done.returncode == 0 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, nargs="+", default=[0.1, 1, 10, 100, 1000])
    parser.add_argument("--out", type=Path, help="folder for table.json")
    parser.add_argument("--only", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments.millions[0], arguments.only, arguments.file)))
        return
    rows = list(_in_processes(arguments.millions))
    _show(rows)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        facts = {
            "command": f"python benchmarks/growth.py --out {arguments.out}",
            "date": date.today().isoformat(),
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, 1 thread",
            "rows": rows,
        }
        (arguments.out / "table.json").write_text(json.dumps(facts, indent=2) + "\n")


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="seconds, and bytes of memory a weight above the float weights (- : did not fit)")
    for column in ("million weights", *WORK, "file, bytes a weight"):
        table.add_column(column, justify="right")
    for row in rows:
        size = row["write"]["bytes"] / (row["millions"] * 1e6) if row["write"] else float("nan")
        table.add_row(f"{row['millions']:g}", *(_cell(row[work]) for work in WORK), f"{size:.3f}")
    Console(width=130).print(table)


def _cell(figures: dict[str, float] | None) -> str:
    return "-" if figures is None else f"{figures['seconds']:.2f} s, {figures['memory']:.1f} B"


if __name__ == "__main__":
    main()
