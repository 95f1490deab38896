"""Load mutated files: each must give an error of the package or a sound network, within seconds and bounded memory.

    python benchmarks/fuzz_files.py --files 1000000 --out results/fuzz

Three kinds of mutation, of small files by every coder. ``damage`` changes bytes of the file: the load must fail or give
the very same network. ``forged blob`` and ``forged index`` change what the checksums protect and write these anew, as
somebody with bad intent would: a load that succeeds gives tensors of no more than 2,040 elements for each byte.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor

from dqc_plugin.artifact import container, load, save
from dqc_plugin.artifact.header import VERSION
from dqc_plugin.artifact.index import Alias, Exact, Index, Quantized, encode
from dqc_plugin.artifact.packed_index import pack, unpack
from dqc_plugin.artifact.reader import open_reader
from dqc_plugin.codebooks import PowerOfTwo, SharedValues
from dqc_plugin.coding import varint
from dqc_plugin.errors import ArtifactError

GOLDEN = Path(__file__).parents[1] / "tests" / "artifact" / "golden"
CODERS = ("best", "huffman", "packed", "deep_compression")
SECONDS_PER_FILE = 5
BYTES_OF_MEMORY = 512 << 20
"""What may be taken besides what the process has before the first file."""
ELEMENTS_PER_BYTE = 2040
EXTREMES = (0, 1, 127, 128, 255, 256, 1 << 16, (1 << 31) - 1, 1 << 32, 1 << 40, (1 << 63) - 1)


@dataclass(frozen=True)
class Seed:
    """A sound file and what is in it."""

    data: bytes
    index: Index
    blobs: list[bytes]
    tensors: dict[str, Tensor]


def seeds(folder: Path) -> list[Seed]:
    """Small files: by every coder, tensors sparse and dense, with and without classes of rows and columns.

    Also the golden files of forms that are read and not written any more, and of kernels.
    """
    files = [*sorted(GOLDEN.glob("v1-best-small-*.dqc")), GOLDEN / "v2-kernels.dqc"]
    for coder in CODERS:
        for number, (tensors, calibration) in enumerate(_networks()):
            files.append(save(folder / f"{coder}{number}.dqc", tensors, calibration, coder=coder, metadata={"a": [1]}))
    return [_seed(file) for file in files]


def _seed(file: Path) -> Seed:
    with open_reader(file) as reader:
        return Seed(file.read_bytes(), reader.index, [blob for _, blob in reader.blobs()], load(file))


def _networks() -> Iterator[tuple[dict[str, Tensor], dict[str, dict[str, dict[str, object]]]]]:
    generator = torch.Generator().manual_seed(0)
    for shape, kept, per_row in (((20, 30), 0.2, False), ((24, 4, 3, 3), 0.3, True), ((8, 9), 1.0, False)):
        rows = torch.randn(shape[0], *[1] * (len(shape) - 1), generator=generator)
        weights = torch.randn(shape, generator=generator) * (1.5 * rows).exp()
        mask = (weights.abs() >= weights.abs().quantile(1 - kept)).float()
        scale = torch.full((shape[0],), 1.0) if per_row else torch.tensor(1.0)
        codebook = PowerOfTwo(4, kept < 1, scale)
        tensors = {
            "a.weight": codebook.quantize(weights, mask),
            "a.bias": torch.randn(shape[0], generator=generator).bfloat16().float(),
        }
        tensors["tied"] = tensors["a.weight"]
        yield tensors, {"a": {"weight": codebook.to_record()}}
    smooth = torch.where(torch.arange(600) // 25 % 3 > 0, 0.5, -0.5) / 2 ** torch.randint(
        0, 4, (600,), generator=generator
    )
    few = torch.where(torch.rand(600, generator=generator) < 0.5, smooth, 0.0).reshape(8, 3, 5, 5)
    record = PowerOfTwo(4, True, torch.tensor(0.5)).to_record()
    yield {"some": few, "all": smooth.reshape(8, 75)}, {"": {"some": record, "all": record}}
    values = torch.tensor([-1.0, 0.5, 0.75])
    shared = SharedValues(values)
    mixed = torch.where(torch.rand(400, generator=generator) < 0.1, values[1], 0.0)
    yield {"w": mixed, "n": torch.arange(9), "b": torch.ones(3, 3).bool()}, {"": {"w": shared.to_record()}}


def damage(seed: Seed, rng: random.Random) -> bytes:
    return mutated(seed.data, rng)


def forged_blob(seed: Seed, rng: random.Random) -> bytes:
    number = rng.choice([n for n, blob in enumerate(seed.blobs) if blob])
    blobs = list(seed.blobs)
    entries = list(seed.index.entries)
    blobs[number] = blob = mutated(blobs[number], rng)
    entries[number] = _fitted(entries[number], blob, rng)
    return _file(encode(replace(seed.index, entries=tuple(entries))), blobs)


def _fitted(entry: Exact | Quantized | Alias, blob: bytes, rng: random.Random) -> Exact | Quantized | Alias:
    """The entry with its blob's checksum and, mostly, length; sometimes it claims another size."""
    if isinstance(entry, Alias):
        return entry
    entry = replace(entry, checksum=zlib.crc32(blob))
    if rng.random() < 0.2:
        shape = tuple(rng.choice((size, size + 1, rng.choice(EXTREMES[:9]))) for size in entry.shape)
        entry = replace(entry, shape=shape)
    if isinstance(entry, Exact):
        return replace(entry, length=len(blob))
    if rng.random() < 0.2:
        entry = replace(entry, kept=rng.choice((entry.kept + 1, max(entry.kept - 1, 0), rng.choice(EXTREMES[:9]))))
    return replace(entry, indices_length=max(len(blob) - entry.codebook_length - entry.positions_length, 0))


def forged_index(seed: Seed, rng: random.Random) -> bytes:
    packed = pack(mutated(unpack(encode(seed.index), VERSION), rng))
    length, start = varint.take(packed)
    claimed = rng.choice((length, length, length, rng.choice(EXTREMES)))
    return _file(varint.put(claimed) + packed[start:], seed.blobs)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one to four changes: bits, bytes, extreme counts, parts cut, doubled, put in, moved or filled."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, length = rng.randrange(len(changed) + 1), rng.choice((1, 1, 2, 4, 16, 64))
        rng.choice((_flip, _flip, _set, _count, _cut, _double, _insert, _move, _fill))(changed, at, length, rng)
    return bytes(changed)


def _flip(data: bytearray, at: int, length: int, rng: random.Random) -> None:
    if at < len(data):
        data[at] ^= 1 << rng.randrange(8)


def _set(data: bytearray, at: int, length: int, rng: random.Random) -> None:
    data[at : at + 1] = bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))])


def _count(data: bytearray, at: int, length: int, rng: random.Random) -> None:
    data[at : at + 1] = varint.put(rng.choice(EXTREMES))


def _cut(data: bytearray, at: int, length: int, rng: random.Random) -> None:
    del data[at : at + length]


def _double(data: bytearray, at: int, length: int, rng: random.Random) -> None:
    data[at:at] = data[at : at + length] * rng.choice((1, 8))


def _insert(data: bytearray, at: int, length: int, rng: random.Random) -> None:
    data[at:at] = rng.randbytes(length)


def _move(data: bytearray, at: int, length: int, rng: random.Random) -> None:
    source = rng.randrange(len(data) + 1)
    data[at : at + length] = data[source : source + length]


def _fill(data: bytearray, at: int, length: int, rng: random.Random) -> None:
    length = min(rng.choice((length, 256)), len(data) - at)
    data[at : at + length] = bytes([rng.choice((0, 0xFF))]) * length


def _file(index: bytes, blobs: list[bytes]) -> bytes:
    return container.head(index, sum(map(len, blobs))) + b"".join(blobs)


KINDS: dict[str, Callable[[Seed, random.Random], bytes]] = {
    "damage": damage,
    "forged blob": forged_blob,
    "forged index": forged_index,
}


def outcome(kind: str, seed: Seed, path: Path) -> str:
    """ "error", "same" or "sound"; AssertionError, or whatever else is raised, for a load that must not be."""
    try:
        tensors = load(path)
    except ArtifactError as error:
        assert str(error).startswith(str(path)), f"an error that does not name the file: {error}"
        return "error"
    limit = ELEMENTS_PER_BYTE * path.stat().st_size
    assert all(tensor.numel() <= limit for tensor in tensors.values()), "a tensor larger than its bytes allow"
    if tensors.keys() == seed.tensors.keys() and all(_same(tensors[name], seed.tensors[name]) for name in tensors):
        return "same"
    assert kind != "damage", "other weights, and no error"
    return "sound"


def _same(one: Tensor, other: Tensor) -> bool:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return bool(torch.equal(one.reshape(-1).view(torch.uint8), other.reshape(-1).view(torch.uint8)))


def fuzz(files: int, seed: int, report: Path | None = None) -> dict[str, Counter[str]]:
    """What became of so many files of each kind in turn; raises at the first that does what it must not."""
    signal.signal(signal.SIGALRM, _too_slow)
    rng, counts = random.Random(seed), {kind: Counter[str]() for kind in KINDS}
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        sound, path = seeds(Path(folder)), Path(folder) / "mutated.dqc"
        for number in range(files):
            kind = list(KINDS)[number % len(KINDS)]
            origin = rng.choice(sound)
            path.write_bytes(KINDS[kind](origin, rng))
            signal.alarm(SECONDS_PER_FILE)
            try:
                counts[kind][outcome(kind, origin, path)] += 1
            except BaseException:
                (report or Path.cwd() / "fuzz-failure.dqc").write_bytes(path.read_bytes())
                raise
            signal.alarm(0)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for fuzz.json and fuzz.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    _limit_memory()
    before, start = _most_memory(), time.perf_counter()
    counts = fuzz(arguments.files, arguments.seed)
    record = {
        "command": f"python benchmarks/fuzz_files.py --files {arguments.files} --seed {arguments.seed}",
        "files": arguments.files,
        "seconds": round(time.perf_counter() - start),
        "memory_grown_bytes": _most_memory() - before,
        "memory_limit_bytes": BYTES_OF_MEMORY,
        "seconds_limit_per_file": SECONDS_PER_FILE,
        "outcomes": {kind: dict(found) for kind, found in counts.items()},
    }
    text = _markdown(record, counts)
    print(text)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "fuzz.json").write_text(json.dumps(record, indent=2) + "\n")
        (arguments.out / "fuzz.md").write_text(text)


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"a file takes more than {SECONDS_PER_FILE} s")


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + BYTES_OF_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _markdown(record: dict[str, object], counts: dict[str, Counter[str]]) -> str:
    rows = [
        f"| {kind} | {sum(found.values()):,} | {found['error']:,} | {found['same']:,} | {found['sound']:,} |"
        for kind, found in counts.items()
    ]
    return "\n".join(
        [
            f"`{record['command']}`: {record['files']:,} mutated files in {record['seconds']} s. No crash, no load of"
            f" more than {SECONDS_PER_FILE} s, no exception but ArtifactError, no other weights of a damaged file.",
            f"The process grew by {int(str(record['memory_grown_bytes'])) >> 20} MiB at most; it was limited to"
            f" {BYTES_OF_MEMORY >> 20} MiB.",
            "",
            "| mutation | files | refused | the same network | another sound network |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
