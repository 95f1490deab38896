"""Powers of two by integer operations on the bits of IEEE floats: exact, and no logarithm."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dqc_plugin.errors import ConfigError


@dataclass(frozen=True)
class FloatFormat:
    """Where sign, exponent and mantissa of a float dtype lie.

    integer: the integer dtype of the same width.
    mantissa_bits: width of the stored mantissa.
    lift: a power of two that brings every subnormal into the normal range.
    """

    integer: torch.dtype
    mantissa_bits: int
    lift: float

    @property
    def width(self) -> int:
        return torch.iinfo(self.integer).bits

    @property
    def half(self) -> int:
        """Half a unit of the exponent: added to a float's bits it carries from mantissa 1.5 on."""
        return 1 << (self.mantissa_bits - 1)

    @property
    def sign_bit(self) -> int:
        return torch.iinfo(self.integer).min

    @property
    def exponent_mask(self) -> int:
        return torch.iinfo(self.integer).max - (1 << self.mantissa_bits) + 1


_FORMATS = {
    torch.float32: FloatFormat(torch.int32, 23, 2.0**100),
    torch.float64: FloatFormat(torch.int64, 52, 2.0**200),
}


def float_format(dtype: torch.dtype) -> FloatFormat:
    """The format of a dtype that bits are worked on in (see :func:`working_dtype`)."""
    return _FORMATS[dtype]


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype whose bits stand for a weight's: float64 for itself, float32 for it and for the half precisions.

    Raises ConfigError for anything but float16, bfloat16, float32 and float64.
    """
    if dtype in _FORMATS:
        return dtype
    if dtype in (torch.float16, torch.bfloat16):
        return torch.float32
    raise ConfigError(f"weights of dtype {dtype} cannot be quantized; use float16, bfloat16, float32 or float64")


def smallest_positive(dtype: torch.dtype) -> float:
    """The least positive (subnormal) number of a float dtype."""
    info = torch.finfo(dtype)
    return float(info.smallest_normal) * float(info.eps)


def floor_power_of_two(magnitudes: Tensor) -> Tensor:
    """2^floor(log2(x)) of each x >= 0, same shape and dtype; 0 of 0, infinity of infinity and NaN."""
    dtype = working_dtype(magnitudes.dtype)
    if magnitudes.dim() == 0 and magnitudes.device.type == "cpu" and not torch.compiler.is_compiling():
        return magnitudes.new_tensor(_floor_of_number(float(magnitudes)))
    wide = magnitudes.to(dtype)
    form = float_format(wide.dtype)
    subnormal = wide < torch.finfo(wide.dtype).smallest_normal
    lift = torch.where(subnormal, wide.new_full((), form.lift), wide.new_ones(()))
    powers = ((wide * lift).view(form.integer) & form.exponent_mask).view(wide.dtype)
    return (powers / lift).to(magnitudes.dtype)


def _floor_of_number(magnitude: float) -> float:
    """What takes ten operations on tensors, of one number."""
    if not math.isfinite(magnitude):
        return math.inf
    return math.ldexp(0.5, math.frexp(magnitude)[1]) if magnitude else 0.0
