"""Bytes and speed of coders on the same indices: this package's, and other people's where they are installed.

    python benchmarks/coders.py results/coders/networks/*.dqc --out results/coders

Networks are given as compressed files: the indices are those of their quantized tensors. They are also written again,
as whole files. The other tables need none:
random weights of 10 million, 90 % of them dropped; loading these straight into weights of three dtypes; and bytes over
the order-0 entropy by sparsity. Times are of one thread's processor, the least of some rounds, so
that a busy machine changes them little. Every decoder's result is compared with what was encoded.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import platform
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from coder_peers import Layer, Own, Peer, peers

from dqc_plugin.artifact import inspect, load, save
from dqc_plugin.artifact.index import Quantized
from dqc_plugin.artifact.reader import decode_kept, open_reader, split
from dqc_plugin.codebooks import PowerOfTwo, Record
from dqc_plugin.coding import KeptIndices, entropy

Result = TypeVar("Result")
Row = dict[str, Any]
SLOW = ("bitarray Huffman", "dahuffman", "zstandard 19")
PACKAGES = ("numpy", "torch", "bitarray", "dahuffman", "constriction", "zstandard", "nncodec")


def network_rows(file: Path, rounds: int) -> tuple[str, list[Row]]:
    """A caption and a row for each coder, and for the network as float32 by torch.save."""
    layers = _layers(file)
    weights, kept = (sum(sizes) for sizes in zip(*((x.kept.size, len(x.kept.indices)) for x in layers), strict=True))
    rows = [_row(peer, layers, rounds) for peer in peers()]
    rows.append({"coder": "torch.save, float32", "bytes": _torch_save_bytes(file)})
    return f"{file.stem}: {weights:,} weights, {1 - kept / weights:.1%} zeros", _with_ratios(rows)


def random_rows(size: int, rounds: int) -> tuple[str, list[Row]]:
    layers = [_random_layer((size // 1000, 1000), 0.9, 31)]
    rows = [_row(peer, layers, rounds if peer.name not in SLOW else 1) for peer in peers()]
    rows.append({"coder": "float32", "bytes": 4 * size})
    return f"random weights: {size:,}, 90 % zeros, 31 codewords", _with_ratios(rows)


def load_rows(size: int, rounds: int) -> list[Row]:
    """Whole files of one tensor, saved from and loaded into weights."""
    rows = []
    layer = _random_layer((size // 1000, 1000), 0.9, 31)
    codebook = PowerOfTwo(5, True, torch.tensor(1.0))
    values = torch.zeros(size)
    values[torch.from_numpy(layer.kept.positions)] = codebook.decode(torch.from_numpy(layer.kept.indices))
    with tempfile.TemporaryDirectory() as folder:
        for coder in ("huffman", "best"):
            for dtype in (torch.float32, torch.float16, torch.bfloat16):
                tensors = {"w": values.to(dtype).reshape(-1, 1000)}
                path = Path(folder) / "x.dqc"
                records = {"": {"w": codebook.to_record()}}
                saving, _ = _least_seconds(lambda: save(path, tensors, records, coder), rounds)  # noqa: B023
                loading, found = _least_seconds(lambda: load(path), rounds)  # noqa: B023
                assert torch.equal(found["w"], tensors["w"])
                row = {"coder": coder, "dtype": str(dtype).removeprefix("torch."), "bytes": path.stat().st_size}
                rows.append(row | {"save": size / saving / 1e6, "load": size / loading / 1e6})
    return rows


def file_rows(files: list[Path]) -> list[Row]:
    """The networks written again: their whole files, and what in these is no tensor, over what is."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            tensors, records = load(file), _records(file)
            for coder in ("huffman", "best"):
                report = inspect(save(Path(folder) / "x.dqc", tensors, records, coder))
                row = {"network": file.stem, "coder": coder, "bytes": report.file_bytes, "ratio": report.ratio}
                overhead = report.bytes_overhead
                rows.append(row | {"overhead": overhead, "share": overhead / (report.file_bytes - overhead)})
    return rows


def entropy_rows() -> dict[str, list[Row]]:
    """Bytes of random tensors over those of ideal coders, the mean and the most of some seeds."""
    tables: dict[str, list[Row]] = {caption: [] for caption in IDEALS}
    for size, seeds in ((400_000, range(10)), (4_000_000, range(1))):
        for zeros in (0.5, 0.8, 0.9, 0.95, 0.98):
            for codewords in (7, 31):
                layers = [_random_layer((size // 800, 800), zeros, codewords, seed) for seed in seeds]
                sizes = {own.name: [own.size(own.encode(layer)) for layer in layers] for own in OWN}
                settings: Row = {"weights": size, "zeros": zeros, "codewords": codewords, "seeds": len(seeds)}
                for caption, ideal in IDEALS.items():
                    tables[caption].append(settings | _ratios(sizes, [ideal(layer) for layer in layers]))
    return tables


def _ratios(sizes: dict[str, list[int]], ideals: list[float]) -> Row:
    row: Row = {}
    for name, found in sizes.items():
        ratios = [size / ideal for size, ideal in zip(found, ideals, strict=True)]
        row |= {name: sum(ratios) / len(ratios), f"{name}, most": max(ratios)}
    return row


def _of_indices(layer: Layer) -> float:
    """The order-0 entropy of all indices, dropped weights as one more symbol."""
    return layer.kept.size * entropy(layer.symbols) / 8


def _of_gaps_and_values(layer: Layer) -> float:
    """Less where gaps are few: a histogram of hundreds of lengths says part of where the weights are."""
    gaps = np.diff(np.asarray(layer.kept.positions), prepend=-1) - 1
    return len(gaps) * (entropy(gaps) + entropy(layer.kept.indices)) / 8


OWN = (Own("huffman"), Own("best"))
IDEALS = {
    "Bytes over the order-0 entropy of the indices": _of_indices,
    "Bytes over the order-0 entropy of gaps and values": _of_gaps_and_values,
}


def _random_layer(shape: tuple[int, int], zeros: float, codewords: int, seed: int = 0) -> Layer:
    """Signs as likely as each other, magnitudes fewer the smaller they are, as of power-of-two codebooks."""
    random = np.random.default_rng(seed)
    positions = np.flatnonzero(random.random(math.prod(shape)) >= zeros)
    magnitudes = np.minimum(random.geometric(0.45, len(positions)) - 1, (codewords - 1) // 2 - 1)
    signs = random.integers(0, 2, len(positions))
    indices = np.where(signs == 1, codewords - 1 - magnitudes, magnitudes).astype(np.uint8)
    return Layer(KeptIndices(math.prod(shape), positions, indices, shape), codewords)


def _layers(file: Path) -> list[Layer]:
    layers = []
    with open_reader(file) as reader:
        for entry, blob in reader.blobs():
            if isinstance(entry, Quantized):
                codebook, coded = split(entry, blob)
                kept = decode_kept(entry, codebook, coded).ascending()
                kept = KeptIndices(kept.size, kept.positions, kept.indices, entry.shape)
                layers.append(Layer(kept, codebook.size))
    return layers


def _records(file: Path) -> dict[str, dict[str, Record]]:
    with open_reader(file) as reader:
        quantized = [(entry, blob) for entry, blob in reader.blobs() if isinstance(entry, Quantized)]
    return {"": {entry.name: split(entry, blob)[0].to_record() for entry, blob in quantized}}


def _row(peer: Peer, layers: list[Layer], rounds: int) -> Row:
    coded = [peer.encode(layer) for layer in layers]  # also lets a peer choose its settings before it is timed
    encoding, _ = _least_seconds(lambda: [peer.encode(layer) for layer in layers], rounds)
    pairs = list(zip(coded, layers, strict=True))
    decoding, found = _least_seconds(lambda: [peer.decode(*pair) for pair in pairs], rounds)
    for symbols, layer in zip(found, layers, strict=True):
        np.testing.assert_array_equal(symbols, layer.symbols, err_msg=peer.name)
    weights = sum(layer.kept.size for layer in layers) / 1e6
    size = sum(map(peer.size, coded))
    return {"coder": peer.name, "bytes": size, "encode": weights / encoding, "decode": weights / decoding}


def _with_ratios(rows: list[Row]) -> list[Row]:
    """Bytes and decoding speed over those of DeepCABAC in the same run."""
    cabac = next((row for row in rows if row["coder"] == "nncodec DeepCABAC"), None)
    for row in rows if cabac else []:
        row["bytes_to_cabac"] = row["bytes"] / cabac["bytes"]
        if "decode" in row:
            row["decode_to_cabac"] = row["decode"] / cabac["decode"]
    return rows


def _torch_save_bytes(file: Path) -> int:
    buffer = io.BytesIO()
    torch.save({name: tensor.float() for name, tensor in load(file).items()}, buffer)
    return buffer.tell()


def _least_seconds(call: Callable[[], Result], rounds: int) -> tuple[float, Result]:
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
    return min(seconds), result


COLUMNS = {
    "network": ("network", "{}"),
    "coder": ("coder", "{}"),
    "dtype": ("dtype", "{}"),
    "weights": ("weights", "{:,}"),
    "zeros": ("zeros", "{:.0%}"),
    "codewords": ("codewords", "{}"),
    "seeds": ("seeds", "{}"),
    "bytes": ("bytes", "{:,}"),
    "ratio": ("ratio", "{:.1f}x"),
    "overhead": ("no tensor, bytes", "{}"),
    "share": ("over the tensors", "{:.1%}"),
    "bytes_to_cabac": ("bytes / DeepCABAC", "{:.3f}"),
    "encode": ("encode, M weights/s", "{:.3g}"),
    "decode": ("decode, M weights/s", "{:.3g}"),
    "decode_to_cabac": ("decode / DeepCABAC", "{:.2f}"),
    "save": ("save, M weights/s", "{:.3g}"),
    "load": ("load, M weights/s", "{:.3g}"),
    "dqc huffman": ("huffman / entropy", "{:.4f}"),
    "dqc huffman, most": ("most", "{:.4f}"),
    "dqc best": ("best / entropy", "{:.4f}"),
    "dqc best, most": ("most", "{:.4f}"),
}


def _markdown(caption: str, rows: list[Row]) -> str:
    used = [key for key in COLUMNS if any(key in row for row in rows)]
    lines = [f"## {caption}", "", "| " + " | ".join(COLUMNS[key][0] for key in used) + " |", "|---" * len(used) + "|"]
    for row in rows:
        cells = [COLUMNS[key][1].format(row[key]) if key in row else "" for key in used]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--size", type=int, default=10_000_000, help="random weights")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, help="folder for coders.json and coders.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tables = dict(network_rows(file, arguments.rounds) for file in arguments.files)
    tables["Whole files of these networks, and their bytes that are no tensor"] = file_rows(arguments.files)
    tables |= dict([random_rows(arguments.size, arguments.rounds)])
    tables["Whole files of the random weights, into dense tensors"] = load_rows(arguments.size, arguments.rounds)
    tables |= entropy_rows()
    versions = _versions()
    command = f"python benchmarks/coders.py {' '.join(map(str, arguments.files))} --rounds {arguments.rounds}"
    text = (
        f"# Coders\n\n`{command}`\n\nOne thread's processor time. "
        + ", ".join(f"{k} {v}" for k, v in versions.items())
        + ".\n\n"
    )
    text += "\n".join(_markdown(caption, rows) for caption, rows in tables.items())
    print(text)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "coders.json").write_text(
            json.dumps({"command": command, "versions": versions, "tables": tables}, indent=1) + "\n"
        )
        (arguments.out / "coders.md").write_text(text)


if __name__ == "__main__":
    main()
