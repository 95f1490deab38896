"""The reader in examples/, written from docs/file-format.md, finds what the package's own finds."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqc_plugin import load, save
from dqc_plugin.codebooks import fit_power_of_two

ROOT = Path(__file__).parent.parent
READER = ROOT / "examples" / "plain_reader.py"


@pytest.fixture(scope="module")
def plain_reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plain_reader", READER)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _assert_same(reader: ModuleType, file: Path) -> None:
    found, expected = reader.read(file), load(file)
    assert list(found) == list(expected)
    for name, (dtype, shape, values) in found.items():
        tensor = expected[name]
        assert (f"torch.{dtype}", shape) == (str(tensor.dtype), list(tensor.shape)), name
        wide = tensor.double() if tensor.is_floating_point() else tensor
        assert repr(values) == repr(wide.reshape(-1).tolist()), name  # as text NaN is itself, and -0.0 is not 0.0


@pytest.mark.parametrize("file", sorted((ROOT / "tests/artifact/golden").glob("*.dqc")), ids=lambda file: file.stem)
def test_golden_files(plain_reader: ModuleType, file: Path) -> None:
    _assert_same(plain_reader, file)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.sampled_from([[0], [5], [], [40, 50], [12, 6, 3, 3], [3, 700]]),
    bits=st.integers(2, 8),
    zero=st.booleans(),
    per_channel=st.booleans(),
    sparsity=st.sampled_from([0.0, 0.3, 0.9, 0.99]),
    spread=st.sampled_from([0.0, 2.0]),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
    coder=st.sampled_from(["best", "huffman", "packed"]),
    seed=st.integers(0, 2**31),
)
def test_any_network(
    plain_reader: ModuleType,
    tmp_path: Path,
    shape: list[int],
    bits: int,
    zero: bool,
    per_channel: bool,
    sparsity: float,
    spread: float,
    dtype: torch.dtype,
    coder: str,
    seed: int,
) -> None:
    """spread: how much rows and columns differ in size and in what is pruned."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(shape, generator=generator)
    for axis in range(min(len(shape), 2)):
        scale = torch.randn([n if dim == axis else 1 for dim, n in enumerate(shape)], generator=generator)
        weights = weights * (spread * scale).exp()
    weights = weights.clamp(-60000, 60000).to(dtype)
    mask = torch.ones(shape)
    if weights.numel():
        mask = (weights.float().abs() >= weights.float().abs().quantile(sparsity)).float()
    codebook = fit_power_of_two(weights, bits, zero, mask=mask, per_channel=per_channel)
    tensors = {"layer.weight": codebook.quantize(weights, mask), "layer.bias": torch.randn(7, generator=generator)}
    file = save(tmp_path / "x.dqc", tensors, {"layer": {"weight": codebook.to_record()}}, coder=coder)
    _assert_same(plain_reader, file)


def test_it_needs_neither_numpy_nor_torch() -> None:
    code = f"import sys; sys.modules['numpy'] = sys.modules['torch'] = None; sys.argv[0] = {str(READER)!r}\n"
    code += "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    file = ROOT / "tests/artifact/golden/v1-best.dqc"
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True)
    assert "classes.weight: float32 [96, 10, 4, 4]" in done.stdout


@pytest.mark.parametrize("golden", ["v1", "v2"])
def test_damaged_files_are_refused(plain_reader: ModuleType, tmp_path: Path, golden: str) -> None:
    data = (ROOT / f"tests/artifact/golden/{golden}.dqc").read_bytes()
    file = tmp_path / "damaged.dqc"
    for at in range(8 + int.from_bytes(data[:8], "little"), len(data)):
        file.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        with pytest.raises(ValueError, match="is damaged|file is cut"):
            plain_reader.read(file)
    for length in range(len(data)):
        file.write_bytes(data[:length])
        with pytest.raises(ValueError):
            plain_reader.read(file)
    file.write_bytes(data + b"x")
    with pytest.raises(ValueError, match="more in the file"):
        plain_reader.read(file)


def test_other_files_are_refused(plain_reader: ModuleType, tmp_path: Path) -> None:
    data = (ROOT / "tests/artifact/golden/v2.dqc").read_bytes()
    (tmp_path / "newer.dqc").write_bytes(data.replace(b'"version":"2"', b'"version":"3"'))
    with pytest.raises(ValueError, match="not a compressed network of format version 1 or 2"):
        plain_reader.read(tmp_path / "newer.dqc")
    tensors = {"w": torch.tensor([0.5, 0.0])}
    record = fit_power_of_two(tensors["w"], 3, True).to_record()
    file = save(tmp_path / "x.dqc", tensors, {"": {"w": record}}, coder="deep_compression")
    with pytest.raises(ValueError, match="unknown coder deep_compression"):
        plain_reader.read(file)
    file = save(tmp_path / "x.dqc", {"w": torch.tensor([1j])}, {})
    with pytest.raises(ValueError, match="complex numbers .* not read here"):
        plain_reader.read(file)
