"""The power-of-two codebook against the published formula, worked out in exact arithmetic."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dqc_plugin.codebooks import PowerOfTwo, fit_power_of_two, from_record, require_finite
from dqc_plugin.errors import ConfigError, WeightError

DTYPES = {torch.float16: 16, torch.bfloat16: 16, torch.float32: 32, torch.float64: 64}
INTEGERS = {16: torch.int16, 32: torch.int32, 64: torch.int64}
LEAST = {torch.float16: -24, torch.bfloat16: -133, torch.float32: -149, torch.float64: -1074}


def power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


def floor_log2(value: Fraction) -> int:
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return exponent if power(exponent) <= value else exponent - 1


def formula(weight: float, top: int, bits: int, zero: bool, least: int) -> Fraction:
    """The authors' formula, a weight at a time; exponents that the dtype lacks count as its least."""
    levels = 2 ** (bits - 1) - int(zero)
    bottom = max(top - levels + 1, least)
    magnitude, sign = Fraction(abs(weight)), -1 if weight < 0 else 1
    if magnitude >= Fraction(3, 2) * power(top):
        return sign * power(top)
    if magnitude < Fraction(3, 4) * power(bottom):
        return Fraction(0) if zero else sign * power(bottom)
    return sign * power(floor_log2(magnitude * Fraction(4, 3)))


@st.composite
def weights(draw: st.DrawFn) -> Tensor:
    """Tensors of any float bits but NaN and infinity, often near the midpoints 3/4 2^k, of a few exponents."""
    dtype = draw(st.sampled_from(list(DTYPES)))
    width, info = DTYPES[dtype], torch.finfo(dtype)
    any_bits = st.integers(-(2 ** (width - 1)), 2 ** (width - 1) - 1)
    patterns = draw(st.lists(any_bits, min_size=1, max_size=6))
    values = torch.tensor(patterns, dtype=INTEGERS[width]).view(dtype)
    top = draw(st.integers(LEAST[dtype], math.frexp(info.max)[1] - 2))
    near = [2.0 ** (top - draw(st.integers(0, 12))) * draw(st.sampled_from([0.75, 1.0, 1.5])) for _ in range(4)]
    midpoints = torch.tensor(near, dtype=torch.float64).to(dtype)
    if draw(st.booleans()):
        values = torch.cat([midpoints, -midpoints, torch.nextafter(midpoints, torch.zeros_like(midpoints))])
    return values[torch.isfinite(values)]


@settings(deadline=None, max_examples=400)
@given(weights(), st.integers(2, 8), st.booleans())
def test_equals_the_formula(tensor: Tensor, bits: int, zero: bool) -> None:
    codebook = fit_power_of_two(tensor, bits, zero)
    largest = max((Fraction(abs(w)) for w in tensor.double().tolist()), default=Fraction(0))
    if largest == 0:
        assert codebook.scale == 0 and (codebook.quantize(tensor) == 0).all()
        return
    top = floor_log2(largest)
    assert Fraction(codebook.scale.double().item()) == power(top)
    expected = [formula(w, top, bits, zero, LEAST[tensor.dtype]) for w in tensor.double().tolist()]
    quantized = codebook.quantize(tensor)
    assert [Fraction(q) for q in quantized.double().tolist()] == expected
    assert quantized.dtype == tensor.dtype
    indices = codebook.assign(tensor)
    assert torch.equal(codebook.decode(indices), quantized)
    assert torch.equal(codebook.decode(codebook.assign(quantized)), quantized)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 8), st.booleans(), st.integers(0, 2**32), st.booleans())
def test_per_channel_is_a_codebook_a_channel(bits: int, zero: bool, seed: int, by_error: bool) -> None:
    rule = "mse" if by_error else "max"
    tensor = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(seed)) * torch.tensor([1, 9, 0, 1e-6]).view(
        4, 1, 1
    )
    whole = fit_power_of_two(tensor, bits, zero, per_channel=True, range_rule=rule)
    rows = [fit_power_of_two(row, bits, zero, range_rule=rule) for row in tensor]
    assert torch.equal(
        whole.quantize(tensor), torch.stack([c.quantize(row) for c, row in zip(rows, tensor, strict=True)])
    )
    assert torch.equal(whole.codewords, torch.stack([codebook.codewords for codebook in rows]))
    assert torch.equal(whole.decode(whole.assign(tensor)), whole.quantize(tensor))


@pytest.mark.parametrize(
    ("bits", "zero", "expected"),
    [
        (3, False, [-1, -0.5, -0.25, -0.125, 0.125, 0.25, 0.5, 1]),
        (3, True, [-1, -0.5, -0.25, 0, 0.25, 0.5, 1]),
        (2, True, [-1, 0, 1]),
    ],
)
def test_codewords(bits: int, zero: bool, expected: list[float]) -> None:
    codebook = PowerOfTwo(bits, zero, torch.tensor(1.0))
    assert codebook.codewords.tolist() == expected
    assert codebook.size == len(expected) == 2**bits - int(zero)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 8), st.booleans(), st.integers(0, 2**32), st.sampled_from([0.0, 0.5, 1.0]))
def test_masked_weights_are_zero_and_do_not_count(bits: int, zero: bool, seed: int, kept: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(50, generator=generator) < kept).float()
    tensor = torch.randn(50, generator=generator) * (100 - 99 * mask)
    codebook = fit_power_of_two(tensor, bits, zero, mask=mask)
    remaining = tensor[mask == 1]
    assert codebook.scale == fit_power_of_two(remaining, bits, zero).scale
    quantized = codebook.quantize(tensor, mask)
    pruned = quantized[mask == 0]
    assert (pruned == 0).all() and not torch.signbit(pruned).any()
    assert torch.equal(quantized[mask == 1], codebook.quantize(remaining))


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 5), st.booleans(), st.integers(0, 2**32))
def test_mse_takes_the_best_of_four(bits: int, zero: bool, seed: int) -> None:
    tensor = torch.randn(200, generator=torch.Generator().manual_seed(seed)).double()
    largest = fit_power_of_two(tensor, bits, zero).scale
    errors = {
        step: float((PowerOfTwo(bits, zero, largest * 0.5**step).quantize(tensor) - tensor).square().sum())
        for step in range(4)
    }
    chosen = fit_power_of_two(tensor, bits, zero, range_rule="mse")
    step = round(math.log2(float(largest / chosen.scale)))
    assert errors[step] <= min(errors.values()) * (1 + 1e-12)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 5), st.booleans(), st.booleans(), st.integers(0, 2**32), st.integers(-1, 4))
def test_mse_leaves_the_present_scale_for_an_error_five_percent_less(
    bits: int, zero: bool, per_channel: bool, seed: int, step: int
) -> None:
    tensor = torch.randn(6, 50, generator=torch.Generator().manual_seed(seed)).double()

    def fit(present: torch.Tensor | None = None, rule: str = "mse") -> torch.Tensor:
        return fit_power_of_two(
            tensor, bits, zero, per_channel=per_channel, range_rule=rule, present_scale=present
        ).scale

    def error(scale: torch.Tensor) -> torch.Tensor:
        difference = PowerOfTwo(bits, zero, scale).quantize(tensor) - tensor
        return difference.norm(dim=1) if per_channel else difference.norm()

    present, best = fit(rule="max") * 0.5**step, fit()
    stays = (error(present) * 0.95 < error(best)) & (0 <= step <= 3)
    assert torch.equal(fit(present), torch.where(stays, present, best))


def test_mse_does_not_swing_between_two_scales_that_are_as_good() -> None:
    tensor = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    low, high = 1.0, 2.0
    start = fit_power_of_two(tensor, 3, True, range_rule="mse").scale
    for _ in range(20):
        middle = (low + high) / 2
        same = fit_power_of_two(tensor * middle, 3, True, range_rule="mse").scale == start
        low, high = (middle, high) if same else (low, middle)
    swinging, scale, scales = set(), start, set()
    for factor in [low * 0.999, high * 1.001] * 5:
        swinging.add(float(fit_power_of_two(tensor * factor, 3, True, range_rule="mse").scale))
        scale = fit_power_of_two(tensor * factor, 3, True, range_rule="mse", present_scale=scale).scale
        scales.add(float(scale))
    assert len(swinging) == 2 and scales == {float(start)}


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 3, 4, 5)])
@pytest.mark.parametrize("per_channel", [False, True])
def test_any_shape(shape: tuple[int, ...], per_channel: bool) -> None:
    tensor = torch.full(shape, -0.3)
    codebook = fit_power_of_two(tensor, 4, True, per_channel=per_channel, range_rule="mse")
    assert torch.equal(codebook.quantize(tensor), torch.full(shape, -0.25))
    assert codebook.assign(tensor).shape == shape


def test_a_strided_tensor_gives_what_its_copy_gives() -> None:
    tensor = torch.randn(6, 8, 3, 3).to(memory_format=torch.channels_last)[::2, :, 1:]
    copy = tensor.contiguous()
    for per_channel in (False, True):
        codebook = fit_power_of_two(tensor, 5, False, per_channel=per_channel)
        assert torch.equal(codebook.quantize(tensor), codebook.quantize(copy))
        assert torch.equal(codebook.assign(tensor), codebook.assign(copy))


def test_weights_are_left_alone() -> None:
    tensor = torch.randn(10)
    before = tensor.clone()
    fit_power_of_two(tensor, 3, False, mask=torch.ones(10), range_rule="mse").quantize(tensor, torch.ones(10))
    assert torch.equal(tensor, before)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("per_channel", [False, True])
def test_not_a_number_names_the_layer(bad: float, per_channel: bool) -> None:
    codebook = fit_power_of_two(torch.tensor([[1.0, 2.0], [bad, 0.0]]), 4, True, per_channel=per_channel)
    with pytest.raises(WeightError, match="conv1.weight holds NaN or infinity"):
        require_finite(codebook, "conv1.weight")


class PeakMemory(TorchDispatchMode):
    """The most bytes that tensors made under it held at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: weakref.WeakKeyDictionary[torch.UntypedStorage, int] = weakref.WeakKeyDictionary()
        self.peak = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.untyped_storage().data_ptr() not in given:
                self.alive[tensor.untyped_storage()] = tensor.untyped_storage().nbytes()
        self.peak = max(self.peak, sum(self.alive.values()))
        return result


@pytest.mark.parametrize("zero", [True, False])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("task", ["fit", "fit by mse", "quantize", "assign", "decode"])
def test_memory_stays_below_two_temporaries(task: str, masked: bool, zero: bool) -> None:
    """Beside the result: the weights' size twice, and booleans (a quarter each)."""
    tensor, mask = torch.randn(100_000), torch.ones(100_000) if masked else None
    codebook = fit_power_of_two(tensor, 5, zero)
    indices = codebook.assign(tensor)
    tasks: dict[str, Callable[[], Any]] = {
        "fit": lambda: fit_power_of_two(tensor, 5, zero, mask=mask),
        "fit by mse": lambda: fit_power_of_two(tensor, 5, zero, mask=mask, range_rule="mse"),
        "quantize": lambda: codebook.quantize(tensor, mask),
        "assign": lambda: codebook.assign(tensor),
        "decode": lambda: codebook.decode(indices),
    }
    with PeakMemory() as memory:
        tasks[task]()
    assert 0 < memory.peak <= 4 * tensor.numel() * 3.1


def test_negative_zero_counts_as_positive() -> None:
    codebook = PowerOfTwo(3, False, torch.tensor(1.0))
    assert codebook.quantize(torch.tensor([-0.0, 0.0])).tolist() == [0.125, 0.125]


def test_a_frozen_codebook_of_zeros_gives_plain_zeros() -> None:
    for zero in (False, True):
        quantized = PowerOfTwo(3, zero, torch.tensor(0.0)).quantize(torch.tensor([-1.0, 1.0, 0.0]))
        assert quantized.tolist() == [0.0, 0.0, 0.0] and not torch.signbit(quantized).any()


@pytest.mark.parametrize("bits", [1, 9])
def test_bits_have_bounds(bits: int) -> None:
    with pytest.raises(ConfigError, match="bits must be 2 to 8"):
        PowerOfTwo(bits, True, torch.tensor(1.0))


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(ConfigError, match="int32 cannot be quantized"):
        fit_power_of_two(torch.tensor([1, 2], dtype=torch.int32), 3, True)


def test_record_round_trip() -> None:
    codebook = fit_power_of_two(torch.randn(4, 5), 6, False, per_channel=True)
    again = from_record({**codebook.to_record(), "step": 3})
    assert torch.equal(again.codewords, codebook.codewords) and again.size == 64


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_bits() -> None:
    for dtype in DTYPES:
        tensor = torch.randn(1000).to(dtype)
        for bits in (3, 8):
            codebook = fit_power_of_two(tensor.cuda(), bits, False)
            assert torch.equal(
                codebook.quantize(tensor.cuda()).cpu(), fit_power_of_two(tensor, bits, False).quantize(tensor)
            )
