"""Save and load a billion weights of random indices, and the memory that takes.

    python benchmarks/billion_weights.py network --out results/billion-weights
    python benchmarks/billion_weights.py tensor --out results/billion-weights

The network is made and saved tensor by tensor, and read back in the same way and compared: neither takes the memory of
more than a few tensors. The second table is the memory that loading one tensor takes, over the tensor itself.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from dqc_plugin.artifact import load, save
from dqc_plugin.artifact.reader import open_reader
from dqc_plugin.codebooks import PowerOfTwo

TITLES = {
    "network": "A network saved and loaded",
    "tensor": "Loading one tensor: the most memory at once, over its bytes",
}


class RandomTensors(Mapping[str, Tensor]):
    """Tensors that are made when they are asked for, the same ones each time: 4 bits, some zero."""

    def __init__(self, count: int, size: int, zeros: float) -> None:
        self._names = [f"layer{number}.weight" for number in range(count)]
        self._size, self._zeros = size, zeros
        self.codebook = PowerOfTwo(4, zeros > 0, torch.tensor(1.0))

    def __getitem__(self, name: str) -> Tensor:
        generator = torch.Generator().manual_seed(self._names.index(name))
        indices = torch.randint(self.codebook.size, (self._size,), generator=generator, dtype=torch.uint8)
        weights = self.codebook.decode(indices)
        if self._zeros:
            weights[torch.rand(self._size, generator=generator) < self._zeros] = 0.0
        return weights.reshape(-1, 1000)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def whole_network(count: int, size: int, zeros: float, coder: str) -> dict[str, object]:
    """Seconds, and how far the process grew; a tensor has 4 bytes a weight."""
    before = _peak()
    tensors = RandomTensors(count, size, zeros)
    records = {name.removesuffix(".weight"): {"weight": tensors.codebook.to_record()} for name in tensors}
    with tempfile.TemporaryDirectory() as folder:
        path, start = Path(folder) / "billion.dqc", time.perf_counter()
        save(path, tensors, records, coder)
        saved = time.perf_counter()
        with open_reader(path) as reader:
            for name, tensor in reader.tensors():
                assert torch.equal(tensor, tensors[name]), name
        return {
            "coder": coder,
            "zeros": zeros,
            "weights": count * size,
            "tensors": count,
            "file_bytes": path.stat().st_size,
            "make_and_save_s": round(saved - start),
            "load_and_compare_s": round(time.perf_counter() - saved),
            "grown_bytes": _peak() - before,
        }


def one_tensor(size: int, zeros: float, coder: str) -> dict[str, object]:
    """The most memory that a load holds at once, with the file's bytes and the tensor, over the tensor's bytes."""
    tensors = RandomTensors(1, size, zeros)
    row: dict[str, object] = {"coder": coder, "zeros": zeros, "weights": size}
    with tempfile.TemporaryDirectory() as folder:
        for dtype in (torch.float32, torch.bfloat16):
            weights = {"w": tensors["layer0.weight"].to(dtype)}
            path = save(Path(folder) / "one.dqc", weights, {"": {"w": tensors.codebook.to_record()}}, coder)
            tracemalloc.start()
            found = load(path)
            row[f"peak_{str(dtype).removeprefix('torch.')}"] = tracemalloc.get_traced_memory()[1] / found["w"].nbytes
            tracemalloc.stop()
            assert torch.equal(found["w"], weights["w"])
    return row


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _table(rows: list[dict[str, object]]) -> str:
    def cell(value: object) -> str:
        return f"{value:,.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)

    head = [" | ".join(rows[0]), " | ".join(["---"] * len(rows[0]))]
    return "".join(f"| {line} |\n" for line in [*head, *(" | ".join(map(cell, row.values())) for row in rows)])


def _command(arguments: argparse.Namespace) -> str:
    sizes = f"--weights {arguments.weights} --tensors {arguments.tensors}"
    return f"python benchmarks/billion_weights.py {arguments.table} {sizes}"


def _measured(arguments: argparse.Namespace) -> list[dict[str, object]]:
    size = arguments.weights // arguments.tensors
    if arguments.table == "network":
        return [whole_network(arguments.tensors, size, zeros, "best") for zeros in (0.0, 0.9)]
    return [one_tensor(size, zeros, coder) for coder in ("huffman", "best") for zeros in (0.0, 0.9)]


def _write(folder: Path, name: str, text: str, rows: list[dict[str, object]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")
    (folder / f"{name}.md").write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TITLES, help="a network saved and loaded, or one of its tensors loaded")
    parser.add_argument("--weights", type=int, default=1_000_000_000)
    parser.add_argument("--tensors", type=int, default=50)
    parser.add_argument("--out", type=Path, help="folder for the table, .json and .md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = _measured(arguments)
    text = f"# {TITLES[arguments.table]}\n\n`{_command(arguments)}`\n\n{_table(rows)}"
    print(text)
    if arguments.out:
        _write(arguments.out, arguments.table, text, rows)


if __name__ == "__main__":
    main()
