"""Small networks to save, and the comparison of what comes back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dqc_plugin.codebooks import PowerOfTwo, Record, SharedValues


class Network:
    """A state dict and the calibration config of its quantized tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.calibration: dict[str, dict[str, Record]] = {}

    def add(self, layer: str, weights: Tensor, codebook: PowerOfTwo | SharedValues) -> None:
        self.tensors[f"{layer}.weight"] = weights
        self.calibration[layer] = {"weight": codebook.to_record()}


def every_kind() -> Network:
    """One small tensor of every kind that a file can hold. A golden file holds it too: leave it as it is."""
    network = Network()
    scale = torch.tensor(0.5)
    network.add("pruned", torch.tensor([[[0.5, 0.0, -0.25], [0.0, 0.0, 0.125]]]), PowerOfTwo(3, True, scale))
    network.add("no_zero", torch.tensor([-0.0625, 0.0, 0.5, 0.0, 0.0]), PowerOfTwo(3, False, scale))
    network.add(
        "channels",
        torch.tensor([[1.0, -0.5], [0.0, 0.0], [0.25, 0.25]]),
        PowerOfTwo(2, True, torch.tensor([1.0, 0.0, 0.25])),
    )
    network.tensors["channels.weight"][0, 1] = -1.0
    network.add("shared", torch.tensor([0.3, -1.5, 0.0, 0.3]), SharedValues(torch.tensor([-1.5, 0.3, 2.0])))
    network.add("empty", torch.zeros(0, 3), PowerOfTwo(5, True, scale))
    network.add("scalar", torch.tensor(0.25, dtype=torch.float64), PowerOfTwo(5, True, scale.double()))
    network.tensors |= {
        "pruned.bias": torch.tensor([0.1, -0.2]),
        "half": torch.tensor([1.5, float("inf")], dtype=torch.float16),
        "brain": torch.tensor([[0.1], [float("nan")]], dtype=torch.bfloat16),
        "double": torch.tensor([1e-310, -0.0], dtype=torch.float64),
        "steps": torch.tensor(1 << 40),
        "bytes": torch.arange(256).to(torch.uint8),
        "flags": torch.tensor([True, False, True]),
        "nothing": torch.empty(2, 0, dtype=torch.int16),
        "still": torch.zeros(300),
    }
    network.tensors["tied.weight"] = network.tensors["pruned.weight"]
    return network


def every_context() -> Network:
    """A tensor for every form that ``best`` has, without random numbers. Golden files hold it: leave it as it is."""
    network = Network()
    scale = torch.tensor(0.5)
    rows, columns = torch.arange(96).reshape(-1, 1), torch.arange(160)
    noise = (rows * 7919 + columns * 104729 + rows * columns * 31) % 1009
    kept = noise < (rows % 12) * (columns % 16)
    magnitudes = 0.5 / 2 ** ((noise // 7 + rows % 3) % 5).float()
    signed = torch.where(noise * (columns + 1) % 13 < 6, magnitudes, -magnitudes)
    network.add("classes", torch.where(kept, signed, 0.0).reshape(96, 10, 4, 4), PowerOfTwo(4, True, scale))
    network.add(
        "dense", torch.where(noise % 2 == 0, 1, -1) * 0.5 / 2 ** (rows % 8).float(), PowerOfTwo(4, False, scale)
    )
    network.add("skewed", torch.where(kept, magnitudes, 0.0), PowerOfTwo(4, True, scale))
    network.add("half", torch.where(noise < 90, signed, 0.0).to(torch.bfloat16), PowerOfTwo(5, True, scale.bfloat16()))
    steady = torch.where((columns + rows * 3) % 20 < 1 + rows % 2, signed, 0.0)
    network.add("steady", steady, PowerOfTwo(4, True, scale))
    network.add("shared", torch.tensor([-1.5, 0.25, 0.375])[noise % 3], SharedValues(torch.tensor([-1.5, 0.25, 0.375])))
    network.add("tiny", torch.tensor([0.5, 0.0, -0.25]), PowerOfTwo(3, True, scale))
    network.tensors["tiny.bias"] = torch.linspace(-1, 1, 40)
    return network


def every_neighbour() -> Network:
    """Smooth filters, whose values ``best`` codes by their neighbours, with every form of positions. A golden file
    holds it: leave it as it is."""
    network = Network()
    scale = torch.tensor(0.5)
    rows, columns = torch.arange(120).reshape(-1, 1), torch.arange(200)
    hashed = rows * 7919 + columns * 104729 + 1
    noise = (hashed * hashed * 40503 + hashed * 77 >> 7) % 1009
    magnitudes = 0.5 / 2 ** ((noise // 7 + rows % 3) % 5).float()
    smooth = torch.where((columns // 25 + rows * 5) % 7 < 3, magnitudes, -magnitudes)
    kept = {
        "gaps": noise < 400,
        "classes": noise < (rows % 12) * (columns % 16) * 3,
        "runs": columns // 25 % 3 == rows % 3,
    }
    for name, places in kept.items():
        network.add(name, torch.where(places, smooth, 0.0).reshape(120, 8, 5, 5), PowerOfTwo(4, True, scale))
    network.add("dense", smooth.to(torch.float16), PowerOfTwo(4, False, scale.half()))
    return network


def every_left_out() -> Network:
    """Tensors whose positions say how their values begin, of every form. A golden file holds it: leave it as it is."""
    network = Network()
    scale, codebook = torch.tensor(0.5), PowerOfTwo(4, True, torch.tensor(0.5))
    steps = torch.arange(1, 4801)
    noise = (steps * steps * 40503 + steps * 7919 >> 7) % 1009
    magnitudes = 0.5 / 2 ** torch.log2(1 + noise % 60).floor()
    signed = torch.where((steps * steps * 16807 >> 5) % 127 < 63, magnitudes, -magnitudes)
    runs = steps // 600 % 2 == 0
    some = (steps * (steps * steps * 31 + 1013904223) >> 7) % 997 < 240
    for name, values in {"apart": signed, "joint": torch.where(noise % 16 > 0, magnitudes, -magnitudes)}.items():
        network.add(f"{name}.gaps", torch.where(some, values, 0.0), codebook)
        network.add(f"{name}.all", values.clamp(-0.5, 0.5), PowerOfTwo(4, False, scale))
        network.add(f"{name}.runs", torch.where(runs, values, 0.0), codebook)
    rows, columns = torch.arange(60).reshape(-1, 1), torch.arange(80)
    kept = noise.reshape(60, 80) < (rows % 12) * (columns % 16) * 4
    network.add("classes", torch.where(kept, signed.reshape(60, 80), 0.0), codebook)
    return network


def every_float() -> Network:
    """Few floats of each dtype, as they come to the form of their own. A golden file holds it: leave it as it is."""
    network = Network()
    steps = torch.arange(1, 61, dtype=torch.float64)
    values = (steps * 7919 % 1009 - 500.5) / 137
    values = (values * values * values + values).float().double()
    some = torch.where(steps % 4 > 0, values, 0.0)
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        network.tensors[f"{dtype}.all".removeprefix("torch.")] = values.to(dtype)
        network.tensors[f"{dtype}.some".removeprefix("torch.")] = some.to(dtype)
    network.tensors |= {"rounded": some.bfloat16().float(), "none": torch.zeros(40), "ones": torch.ones(40)}
    return network


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """The same keys in the same order, and every tensor bit for bit."""
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape, name
        assert raw(found[name]) == raw(tensor), name


def raw(tensor: Tensor) -> bytes:
    """The bytes of a tensor's elements."""
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)
        self.norm = nn.BatchNorm2d(3)
