from __future__ import annotations

from pathlib import Path

import pytest
import torch
from artifact_networks import Network, assert_same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqc_plugin.artifact import load, save
from dqc_plugin.codebooks import PowerOfTwo, SharedValues, fit_power_of_two

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
SHAPES = st.one_of(
    st.lists(st.integers(0, 7), max_size=4),
    st.just([1]),
    st.just([3]),
    st.just([]),
    st.just([5, 3, 3, 3]),
    st.just([20, 50]),
)
anything = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


@anything
@given(
    shape=SHAPES,
    bits=st.integers(2, 8),
    zero=st.booleans(),
    per_channel=st.booleans(),
    sparsity=st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]),
    spread=st.sampled_from([0.0, 1.0, 30.0]),
    dtype=st.sampled_from(DTYPES),
    coder=st.sampled_from(["best", "huffman", "packed", "deep_compression"]),
    seed=st.integers(0, 2**31),
)
def test_power_of_two_weights_come_back_bit_for_bit(
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
    """spread: 0 puts all weights on one codeword, 30 over many more exponents than a codebook has."""
    generator = torch.Generator().manual_seed(seed)
    exponents = torch.randn(shape, generator=generator) * spread
    weights = (exponents.clamp(-20, 15).exp2() * torch.where(exponents > 0, 1, -1)).to(dtype)
    mask = (torch.rand(shape, generator=generator) >= sparsity).to(dtype)
    codebook = fit_power_of_two(weights, bits, zero, mask=mask, per_channel=per_channel)
    network = Network()
    network.add("layer", codebook.quantize(weights, mask), codebook)
    file = save(tmp_path / "x.dqc", network.tensors, network.calibration, coder=coder)
    assert_same(load(file), network.tensors)


@anything
@given(
    shape=SHAPES,
    values=st.integers(1, 256),
    dtype=st.sampled_from(DTYPES),
    sparsity=st.sampled_from([0.0, 0.6, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_shared_values_come_back_bit_for_bit(
    tmp_path: Path, shape: list[int], values: int, dtype: torch.dtype, sparsity: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    codebook = SharedValues(torch.randn(values, generator=generator).sort().values)
    mask = torch.rand(shape, generator=generator) >= sparsity
    network = Network()
    network.add("layer", codebook.quantize(torch.randn(shape, generator=generator).to(dtype), mask), codebook)
    assert_same(load(save(tmp_path / "x.dqc", network.tensors, network.calibration)), network.tensors)


def test_every_kind_of_tensor_comes_back_bit_for_bit(file: Path, network: Network) -> None:
    loaded = load(file)
    assert_same(loaded, network.tensors)
    assert loaded["tied.weight"] is loaded["pruned.weight"]


@pytest.mark.parametrize(
    "dtype",
    [
        torch.int8,
        torch.uint16,
        torch.uint32,
        torch.uint64,
        torch.complex64,
        torch.complex128,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
    ],
)
def test_rare_dtypes_are_kept_exactly(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = {"x": torch.arange(48, dtype=torch.uint8).view(dtype)}
    assert_same(load(save(tmp_path / "x.dqc", tensors, {})), tensors)


def test_minus_zero_on_a_codebook_comes_back_as_zero(tmp_path: Path) -> None:
    network = Network()
    network.add("layer", torch.tensor([0.5, -0.0]), PowerOfTwo(3, True, torch.tensor(0.5)))
    loaded = load(save(tmp_path / "x.dqc", network.tensors, network.calibration))["layer.weight"]
    assert loaded.tolist() == [0.5, 0.0] and not torch.signbit(loaded[1])


def test_views_transposes_and_gradients_are_no_matter(tmp_path: Path) -> None:
    base = torch.tensor([[0.5, 0.25], [0.0, -0.5]], requires_grad=True)
    network = Network()
    network.add("turned", base.T, PowerOfTwo(3, True, torch.tensor(0.5)))
    network.tensors["row"] = base[1:]
    assert_same(
        load(save(tmp_path / "x.dqc", network.tensors, network.calibration)),
        {name: tensor.detach() for name, tensor in network.tensors.items()},
    )


def test_a_network_without_quantized_tensors_and_an_empty_one(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3)}
    assert_same(load(save(tmp_path / "a.dqc", tensors, {})), tensors)
    assert load(save(tmp_path / "b.dqc", {}, {})) == {}
