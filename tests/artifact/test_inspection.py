from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from artifact_networks import Network, assert_same
from torch import Tensor

from dqc_plugin.artifact import inspect, load, save
from dqc_plugin.artifact.report import Sizes
from dqc_plugin.codebooks import PowerOfTwo, fit_power_of_two

LENET5 = {"conv1": (20, 1, 5, 5), "conv2": (50, 20, 5, 5), "fc1": (500, 800), "fc2": (10, 500)}


def _pruned_lenet5() -> Network:
    """LeNet-5 with Deep Compression's sparsities and a five-bit codebook a layer."""
    generator = torch.Generator().manual_seed(0)
    network = Network()
    for (layer, shape), kept in zip(LENET5.items(), (0.66, 0.12, 0.08, 0.19), strict=True):
        weights = torch.randn(shape, generator=generator) * 0.05
        mask = (torch.rand(shape, generator=generator) < kept).float()
        codebook = fit_power_of_two(weights, 5, True, mask=mask)
        network.add(layer, codebook.quantize(weights, mask), codebook)
        network.tensors[f"{layer}.bias"] = torch.randn(shape[0], generator=generator) * 0.01
    return network


def _order_0_bytes(weights: Tensor) -> float:
    """Entropy of the gaps and of the values of the nonzeros, counted by torch."""
    flat = weights.reshape(-1)
    positions = flat.nonzero().reshape(-1)
    gaps = positions.diff(prepend=torch.tensor([-1]))
    return sum(_bits(symbols) for symbols in (gaps, flat[positions])) / 8


def _bits(symbols: Tensor) -> float:
    counts = symbols.unique(return_counts=True)[1].double()
    return float(-(counts * (counts / counts.sum()).log2()).sum())


def test_lenet5_is_near_its_entropy_and_its_headers_are_small(tmp_path: Path) -> None:
    network = _pruned_lenet5()
    file = save(tmp_path / "lenet5.dqc", network.tensors, network.calibration, metadata={"schedule": "0a1b2c3d"})
    report = inspect(file)
    ideal = sum(_order_0_bytes(network.tensors[f"{layer}.weight"]) for layer in LENET5)
    assert 30_000 < report.total.kept < 40_000
    assert report.total.bytes_coded <= 1.015 * ideal
    assert report.bytes_overhead <= 0.015 * report.file_bytes


def test_the_parts_add_up_to_the_true_size(file: Path) -> None:
    report = inspect(file)
    parts = [row.sizes.bytes_coded for row in report.layers] + [row.bytes_stored for row in report.others]
    assert sum(parts) + report.bytes_overhead == report.file_bytes == file.stat().st_size
    tensors = load(file)
    del tensors["tied.weight"]
    dense = sum(t.numel() * (4 if t.is_floating_point() else t.element_size()) for t in tensors.values())
    assert report.bytes_dense == dense
    assert report.ratio == pytest.approx(dense / file.stat().st_size)


def test_the_row_of_a_layer(tmp_path: Path) -> None:
    weights = torch.zeros(4, 100)
    weights[:, ::10] = torch.tensor([0.5, -0.5, 0.25, 0.125]).reshape(4, 1)
    network = Network()
    network.add("fc", weights, PowerOfTwo(5, True, torch.tensor(0.5)))
    (row,) = inspect(save(tmp_path / "x.dqc", network.tensors, network.calibration, coder="packed")).layers
    assert (row.name, row.shape, row.dtype, row.coder) == ("fc.weight", (4, 100), "float32", "packed")
    assert (row.codebook, row.granularity, row.bits, row.codebook_size) == ("power_of_two", "per_tensor", 5, 31)
    sizes = row.sizes
    assert (sizes.weights, sizes.kept, sizes.kept_share) == (400, 40, 0.1)
    assert sizes.entropy == pytest.approx(2.0)
    assert sizes.index_bits_quantized == 5
    # width, fillers, form; a bitmap of the gaps in use (0 and 9 out of 16), a bit a gap
    assert sizes.position_bits_quantized == sizes.position_bits_coded == pytest.approx((3 + 2 + 5) * 8 / 40)
    # form, a bitmap of the codewords in use (4 of 31), two bits an index
    assert sizes.index_bits_coded == pytest.approx((1 + 4 + 10) * 8 / 40)
    codebook_bytes = sizes.bytes_coded - 10 - 15
    assert (sizes.bytes_dense, sizes.bytes_pruned) == (1600, 160 + 10)
    assert sizes.bytes_quantized == codebook_bytes + 10 + 25
    assert sizes.rate_coded == sizes.bytes_coded / 1600 == 1 / sizes.ratio
    assert sizes.effective_bits_per_weight == 8 * sizes.bytes_coded / 400


def test_deep_compression_has_the_paper_s_columns(tmp_path: Path) -> None:
    """Table 4's fc1: 5 -> 4.5 index bits, 5 bits a weight, and 2.7 % of the bytes at 8 % kept, fillers counted."""
    network = _pruned_lenet5()
    file = save(tmp_path / "x.dqc", network.tensors, network.calibration, coder="deep_compression")
    assert_same(load(file), network.tensors)
    report = inspect(file)
    sizes = {row.name: row.sizes for row in report.layers}["fc1.weight"]
    assert sizes.entries == pytest.approx(1.075 * sizes.kept, rel=0.01)
    assert sizes.index_bits_quantized == 5
    assert sizes.position_bits_quantized == pytest.approx(5, abs=0.001)
    assert 4.4 < sizes.position_bits_coded < 4.75
    assert sizes.rate_quantized == pytest.approx(0.027, abs=0.0005) and sizes.rate_coded < sizes.rate_quantized
    assert report.total.position_bits_quantized == pytest.approx(5, abs=0.01)


def test_totals_are_sums_and_means_over_kept_weights(file: Path) -> None:
    report = inspect(file)
    rows = [row.sizes for row in report.layers]
    assert report.total.weights == sum(row.weights for row in rows)
    assert report.total.bytes_quantized == sum(row.bytes_quantized for row in rows)
    mean = sum(row.entropy * row.kept for row in rows) / sum(row.kept for row in rows)
    assert report.total.entropy == pytest.approx(mean)


def test_kinds_of_tensors(file: Path) -> None:
    report = inspect(file)
    assert {row.name: row.granularity for row in report.layers}["channels.weight"] == "per_channel"
    assert {row.name: (row.codebook, row.codebook_size, row.bits) for row in report.layers}["shared.weight"] == (
        "shared_values",
        3,
        2,
    )
    assert {row.name: row.same_as for row in report.others}["tied.weight"] == "pruned.weight"
    assert report.metadata == {"schedule": "0a1b", "n": 1}


def test_as_dict_goes_through_json(file: Path) -> None:
    report = inspect(file)
    found = json.loads(json.dumps(report.as_dict()))
    assert found["file_bytes"] == file.stat().st_size
    assert found["layers"][0]["name"] == "pruned.weight" and found["layers"][0]["kept"] == 3
    assert found["total"]["weights"] == report.total.weights


def test_nothing_quantized_gives_zeros(tmp_path: Path) -> None:
    report = inspect(save(tmp_path / "x.dqc", {"a": torch.zeros(3)}, {}))
    assert report.total == Sizes(0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0)
    assert report.total.ratio == 0.0
