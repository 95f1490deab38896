"""Damaged, cut, foreign, hostile and newer files: an ArtifactError with the file's name, and no wrong network."""

from __future__ import annotations

import json
import os
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from artifact_networks import Network
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from dqc_plugin.artifact import container, inspect, load, save, verify
from dqc_plugin.artifact import header as headers
from dqc_plugin.artifact.header import VERSION
from dqc_plugin.artifact.index import Alias, Exact, Index, Quantized, decode, encode
from dqc_plugin.artifact.packed_index import pack, unpack
from dqc_plugin.artifact.reader import open_reader
from dqc_plugin.codebooks import PowerOfTwo
from dqc_plugin.coding import varint
from dqc_plugin.errors import ArtifactError

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A file of a few hundred bytes."""
    network = Network()
    codebook = PowerOfTwo(4, True, torch.tensor(1.0))
    weights = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    network.add("fc", codebook.quantize(weights, (weights.abs() > 0.7).float()), codebook)
    network.tensors["fc.bias"] = torch.randn(3)
    network.tensors["tied.weight"] = network.tensors["fc.weight"]
    return save(tmp_path / "small.dqc", network.tensors, network.calibration, metadata={"a": 1})


@pytest.mark.parametrize("check", [load, verify, inspect])
def test_every_flipped_bit_is_found(small: Path, check: Callable[[Path], object]) -> None:
    sound = small.read_bytes()
    with small.open("r+b", buffering=0) as file:
        for bit in range(0, 8 * len(sound), 1 if check is load else 7):
            os.pwrite(file.fileno(), bytes([sound[bit // 8] ^ 1 << bit % 8]), bit // 8)
            with pytest.raises(ArtifactError, match="small.dqc: "):
                check(small)
            os.pwrite(file.fileno(), sound[bit // 8 : bit // 8 + 1], bit // 8)
    check(small)


@pytest.mark.parametrize("check", [load, verify, inspect])
def test_a_file_cut_anywhere_is_an_error(small: Path, check: Callable[[Path], object]) -> None:
    sound = small.read_bytes()
    for length in reversed(range(len(sound))):
        os.truncate(small, length)
        with pytest.raises(ArtifactError, match="small.dqc: "):
            check(small)


def test_the_damaged_tensor_is_named(small: Path) -> None:
    sound = small.read_bytes()
    small.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=r"small.dqc: fc.bias is damaged \(its checksum differs\)"):
        verify(small)


def test_a_file_that_goes_on_is_an_error(small: Path) -> None:
    size = small.stat().st_size
    small.write_bytes(small.read_bytes() + b"\0")
    with pytest.raises(ArtifactError, match=f"the file has {size + 1} bytes and should have {size}"):
        load(small)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("version: 1\nname: lenet5\n" * 20)


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", b"x" * 1000)


def _safetensors(path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, path, {"format": "pt"})


def _long_header(path: Path) -> None:
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")


def _deep_json(path: Path) -> None:
    path.write_bytes((4000).to_bytes(8, "little") + b"[" * 4000)


def _not_utf8(path: Path) -> None:
    path.write_bytes((8).to_bytes(8, "little") + b"\xff" * 8)


@pytest.mark.parametrize("make", [_empty, _text, _zip, _safetensors, _long_header, _deep_json, _not_utf8])
def test_foreign_files(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "foreign"
    make(path)
    for check in (load, verify, inspect):
        with pytest.raises(ArtifactError, match=r"foreign: this is not a compressed network written by dqc"):
            check(path)


def test_a_folder_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="this is not a file"):
        load(tmp_path)
    with pytest.raises(ArtifactError, match="none.dqc: there is no such file"):
        load(tmp_path / "none.dqc")


def _with_header(path: Path, change: Callable[[dict], object]) -> None:
    """Rewrite the safetensors header of a file."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    fields = json.loads(data[8:end])
    change(fields)
    header = json.dumps(fields, separators=(",", ":")).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[end:])


def test_a_newer_version_says_what_to_do(small: Path) -> None:
    _with_header(small, lambda fields: fields["__metadata__"].update(version="3", more="x"))
    with pytest.raises(ArtifactError, match=r"small.dqc: it is of format version 3 and .* up to 2; install a newer"):
        load(small)


CONTRADICTIONS: list[Callable[[dict], object]] = [
    lambda fields: fields["__metadata__"].update(version="0"),
    lambda fields: fields["__metadata__"].update(version="one"),
    lambda fields: fields["payload"].update(shape=[]),
    lambda fields: fields["payload"].update(shape=[1e400]),
    lambda fields: fields["payload"].update(shape=[-1]),
    lambda fields: fields["payload"].update(data_offsets=[0, 3]),
    lambda fields: fields.update(more={"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}),
]


@pytest.mark.parametrize("change", [*CONTRADICTIONS, lambda fields: fields["__metadata__"].update(version="1")])
def test_a_header_that_contradicts_itself(small: Path, change: Callable[[dict], object]) -> None:
    _with_header(small, change)
    with pytest.raises(ArtifactError, match="the header is damaged"):
        load(small)


@pytest.mark.parametrize(
    "change",
    [
        *CONTRADICTIONS,
        lambda fields: fields["__metadata__"].update(version="2"),
        lambda fields: fields["__metadata__"].update(index="-1"),
        lambda fields: fields["__metadata__"].update(index="99999"),
        lambda fields: fields["__metadata__"].pop("crc32"),
    ],
)
def test_a_header_of_version_1_that_contradicts_itself(tmp_path: Path, change: Callable[[dict], object]) -> None:
    file = tmp_path / "x.dqc"
    file.write_bytes((GOLDEN / "v1.dqc").read_bytes())
    _with_header(file, change)
    with pytest.raises(ArtifactError, match="the header is damaged"):
        load(file)


def test_every_flipped_bit_of_an_older_file_is_found(tmp_path: Path) -> None:
    sound = (GOLDEN / "v1-best-small-2.dqc").read_bytes()
    file = tmp_path / "x.dqc"
    for bit in range(8 * len(sound)):
        file.write_bytes(sound[: bit // 8] + bytes([sound[bit // 8] ^ 1 << bit % 8]) + sound[bit // 8 + 1 :])
        with pytest.raises(ArtifactError, match="x.dqc: "):
            load(file)


@pytest.mark.parametrize("seal", [b"", b"\xff" * 9, b"\x7f" + bytes(4), b"\x00" + bytes(4), b"\x03" + bytes(7)])
def test_a_forged_seal(small: Path, seal: bytes) -> None:
    small.write_bytes(headers.encode(len(seal)) + seal)
    with pytest.raises(ArtifactError, match="small.dqc: "):
        load(small)


def _contents(path: Path) -> tuple[Index, list[bytes]]:
    with open_reader(path) as reader:
        return reader.index, [blob for _, blob in reader.blobs()]


def _rewrite(path: Path, index: Index, blobs: list[bytes]) -> None:
    """Write entries and blobs with right checksums, as a forger would."""
    container.write(path, encode(index), blobs, sum(map(len, blobs)))


def _sealed(entry: Exact | Quantized | Alias, blob: bytes) -> Exact | Quantized | Alias:
    return entry if isinstance(entry, Alias) else replace(entry, checksum=zlib.crc32(blob))


HUGE = 1 << 40


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": (HUGE,)},
        {"shape": (HUGE,), "kept": HUGE},
        {"kept": 3},
        {"shape": (6, 9)},
        {"shape": (6, 7)},
        {"coder": "zip"},
        {"dtype": torch.int32},
        {"codebook_length": 2},
        {"codebook_length": 0},
    ],
)
def test_a_forged_quantized_entry_takes_no_memory(small: Path, changes: dict) -> None:
    index, blobs = _contents(small)
    assert isinstance(index.entries[0], Quantized)
    forged = replace(index.entries[0], **changes)
    shift = index.entries[0].length - forged.length
    forged = replace(forged, indices_length=forged.indices_length + shift)
    _rewrite(small, replace(index, entries=(forged, *index.entries[1:])), blobs)
    tracemalloc.start()
    with pytest.raises(ArtifactError, match=r"small.dqc: fc.weight: "):
        load(small)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "blob", [b"", b"\x00", b"\x01\x03\x00", b"\x02\x01\x00", b"\x02" + b"\xff" * 9, b"\x07" + bytes(32)]
)
def test_a_forged_exact_blob(small: Path, blob: bytes) -> None:
    index, blobs = _contents(small)
    entry = replace(index.entries[1], length=len(blob), checksum=zlib.crc32(blob), shape=(HUGE,))
    _rewrite(small, replace(index, entries=(index.entries[0], entry, index.entries[2])), [blobs[0], blob])
    with pytest.raises(ArtifactError, match="small.dqc: fc.bias: "):
        load(small)


def test_an_index_that_does_not_fit_the_payload(small: Path) -> None:
    index, blobs = _contents(small)
    _rewrite(small, index, [*blobs, b"x"])
    with pytest.raises(ArtifactError, match="the index does not fit the payload"):
        load(small)


forging = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@forging
@given(data=st.data())
def test_forged_blobs_give_an_error_or_a_sound_network(file: Path, network: Network, data: st.DataObject) -> None:
    index, blobs = _contents(file)
    number = data.draw(st.integers(0, len(blobs) - 1))
    forged = bytearray(blobs[number])
    if not forged:
        return
    for _ in range(data.draw(st.integers(1, 3))):
        forged[data.draw(st.integers(0, len(forged) - 1))] = data.draw(st.integers(0, 255))
    entries = list(index.entries)
    entries[number] = _sealed(entries[number], bytes(forged))
    other = file.with_name("forged.dqc")
    _rewrite(other, replace(index, entries=tuple(entries)), [*blobs[:number], bytes(forged), *blobs[number + 1 :]])
    _assert_error_or_tensors(other, network)


@forging
@given(data=st.data())
def test_a_forged_index_gives_an_error_or_a_sound_network(file: Path, network: Network, data: st.DataObject) -> None:
    index, blobs = _contents(file)
    raw = bytearray(unpack(encode(index), VERSION))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    other = file.with_name("forged.dqc")
    container.write(other, pack(bytes(raw)), blobs, sum(map(len, blobs)))
    _assert_error_or_tensors(other, network)


def _assert_error_or_tensors(path: Path, network: Network) -> None:
    try:
        tensors = load(path)
    except ArtifactError as error:
        assert str(path) in str(error)
        return
    assert len(tensors) == len(network.tensors)
    assert all(tensor.numel() <= 2040 * path.stat().st_size for tensor in tensors.values())


def test_hostile_indexes() -> None:
    deep = b"[" * 100_000
    for raw, message in [
        (b"\x03[1]\x00", "metadata is not a mapping"),
        (b"\x01{\x00", "metadata is not JSON"),
        (b"\xa0\x8d\x06" + deep + b"\x00", "metadata is not JSON"),
        (b'\x0b{"a":1e999}\x00', "metadata is not JSON"),
        (b'\x09{"a":NaN}\x00', "metadata is not JSON"),
        (b"\x00\x01\x01a\x02\x00", "does not come before it"),
        (b"\x00\x01\x01a\x05", "unknown kind"),
        (b"\x00\x01\x01a\x00\x63\x00\x00", "unknown dtype"),
        (b"\x00\x01\x01a\x00\x00\x41", "65 dimensions"),
        (b"\x00\x01\x01a\x00\x00\x02" + b"\xff\xff\xff\xff\x0f" * 2, "a tensor of shape"),
        (b"\x00\x01\x01\xff\x00", "not UTF-8"),
        (b"\x00\x01\x01\x1b\x00", "printable"),
        (b"\x00\xff\xff\xff\xff\x0f", "cut"),
        (b"\x00\x00\x00", "1 bytes are left over"),
        (b"\x00\x02" + b"\x01a\x00\x00\x01\x00\x01\x00\x00\x00\x00" * 2, "a name is there twice"),
        (b"\x00\x01\x01a\x01\x00\x01\x02\x01h\x03\x00\x00\x00" + bytes(4), "keeps 3 of 2 weights"),
    ]:
        with pytest.raises(ArtifactError, match=message):
            decode(pack(raw))


def test_names_are_keys_and_never_paths(tmp_path: Path) -> None:
    names = ["../../outside", "/etc/passwd", "a/../b", "C:\\\\x", "__class__", "~", ""]
    folder = tmp_path / "in"
    folder.mkdir()
    file = save(folder / "x.dqc", {name: torch.ones(2) for name in names}, {})
    assert list(load(file)) == names
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "x.dqc"]


def test_a_million_tensors_in_a_few_bytes_take_no_memory(tmp_path: Path) -> None:
    entry = b"\x01a\x00\x00\x01\x00\x01" + bytes(4)
    index = pack(b"\x00" + varint.put(1_000_000) + entry * 1_000_000)
    container.write(tmp_path / "x.dqc", index, [], 0)
    tracemalloc.start()
    with pytest.raises(ArtifactError, match="a name is there twice"):
        load(tmp_path / "x.dqc")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 255 * len(index)  # the unpacked index, twice, and little else


def test_many_small_tensors(tmp_path: Path) -> None:
    tensors = {f"layer{number}": torch.tensor(float(number)) for number in range(2000)}
    found = load(save(tmp_path / "x.dqc", tensors, {}))
    assert list(found) == list(tensors) and float(found["layer1999"]) == 1999.0
