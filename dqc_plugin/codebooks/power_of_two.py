"""The paper's codebook: signed powers of two below a largest one, with or without zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dqc_plugin.codebooks.codebook import Record, look_up
from dqc_plugin.codebooks.float_bits import FloatFormat, float_format, smallest_positive, working_dtype
from dqc_plugin.errors import ConfigError

MIN_BITS, MAX_BITS = 2, 8


@dataclass(frozen=True)
class PowerOfTwo:
    """Codewords ±2^n1 .. ±2^n2 (and 0), n1 = n2 - L + 1 (Rao et al. 2019, the authors' published formula).

    bits: index width b, 2 to 8.
    zero: with a zero codeword, L = 2^(b-1) - 1 magnitudes and 2^b - 1 codewords; without, 2^(b-1) and 2^b.
    scale: the largest codeword 2^n2 in the dtype of the weights, shape () for a tensor or (C,) for one codebook an
        output channel. 0 stands for a tensor of zeros: all codewords are 0.

    A codeword that the dtype cannot hold is replaced by the least positive number that it can hold.
    """

    bits: int
    zero: bool
    scale: Tensor

    def __post_init__(self) -> None:
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise ConfigError(f"bits must be {MIN_BITS} to {MAX_BITS}, not {self.bits}")
        if self.scale.dim() > 1:
            raise ConfigError(f"scale must have shape () or (channels,), not {tuple(self.scale.shape)}")

    @property
    def levels(self) -> int:
        """Number of magnitudes L."""
        return magnitude_count(self.bits, self.zero)

    @property
    def size(self) -> int:
        """Number of codewords."""
        return 2 * self.levels + self.zero

    @property
    def smallest(self) -> Tensor:
        """The smallest nonzero codeword 2^n1, like ``scale``."""
        return self._held(self._wide_scale * 2.0 ** (1 - self.levels))

    @property
    def codewords(self) -> Tensor:
        """The codewords in ascending order, shape (K,) or (C, K), dtype of ``scale``."""
        factors = [2.0**-step for step in range(self.levels)]
        largest_first = self._held(self._wide_scale.unsqueeze(-1) * self._wide_scale.new_tensor(factors))
        middle = [torch.zeros_like(self.scale).unsqueeze(-1)] if self.zero else []
        return torch.cat([-largest_first, *middle, largest_first.flip(-1)], -1)

    def assign(self, weights: Tensor) -> Tensor:
        """The index of each weight's codeword, uint8, shape of the weights."""
        values, lift = self._lifted(weights, None)
        form = float_format(values.dtype)
        zeros, negative = values == 0, values < 0
        top = (self._per_weight(self.scale, values) * lift).view(form.integer)
        steps = values.view(form.integer)  # below the largest codeword, in place
        steps.bitwise_and_(form.exponent_mask).neg_().add_(top).bitwise_right_shift_(form.mantissa_bits)
        indices = steps.neg().add_(self.size - 1)
        torch.where(negative, steps, indices, out=indices)
        # the only zeros are of the zero codeword, or of a codebook that holds nothing else
        return indices.masked_fill_(zeros, self.levels).to(torch.uint8)

    def decode(self, indices: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """The codeword of each index, in a dtype (that of ``scale`` unless told)."""
        return look_up(self.codewords, indices).to(dtype or self.scale.dtype)

    def quantize(self, weights: Tensor, mask: Tensor | None = None) -> Tensor:
        """The codeword of each weight, shape and dtype of the weights, no gradient; exactly +0.0 where the mask is 0.

        Takes the output and one temporary of the weights' size (and one of booleans).
        """
        weights, ends = weights.detach(), self._ends_on_host()
        if ends is not None:
            return _rounded_on_host(weights, *ends, self.zero, mask)
        values, lift = self._lifted(weights, mask)
        return (values if lift == _UNLIFTED else values.div_(lift)).to(weights.dtype)

    def to_record(self) -> Record:
        """``{"codebook": "power_of_two", "bits", "zero", "scale"}``."""
        return {"codebook": "power_of_two", "bits": self.bits, "zero": self.zero, "scale": self.scale.detach().clone()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> PowerOfTwo:
        return cls(int(record["bits"]), bool(record["zero"]), torch.as_tensor(record["scale"]))

    @property
    def _wide_scale(self) -> Tensor:
        return self.scale.to(working_dtype(self.scale.dtype))

    def _held(self, exact: Tensor) -> Tensor:
        """Magnitudes as the dtype holds them: at least its least positive number, at most the scale."""
        held = exact.clamp(min=smallest_positive(self.scale.dtype)).to(self.scale.dtype)
        return torch.minimum(held, self.scale.reshape(self.scale.shape + (1,) * (held.dim() - self.scale.dim())))

    def _lifted(self, weights: Tensor, mask: Tensor | None) -> tuple[Tensor, float]:
        """The quantized weights times the lift, in the working dtype, in new memory; and the lift."""
        dtype = working_dtype(weights.dtype)
        # + 0.0 makes the copy to work in and turns -0.0 into 0.0
        values = torch.add(weights, 0.0) if weights.dtype == dtype else weights.to(dtype).add_(0.0)
        smallest, largest = self._per_weight(self.smallest, values), self._per_weight(self.scale, values)
        lift = _lift(smallest)
        if lift != _UNLIFTED:
            values.mul_(lift)
            smallest, largest = smallest * lift, largest * lift
        _round_(values, float_format(dtype), smallest, largest, self.zero, mask)
        return values, lift

    def _ends_on_host(self) -> tuple[float, float] | None:
        """The smallest and the largest codeword of a tensor; None where that costs a wait or one is subnormal."""
        if self.scale.dim() or self.scale.device.type != "cpu" or torch.compiler.is_compiling():
            return None
        largest = float(self.scale)
        smallest = max(largest * 2.0 ** (1 - self.levels), smallest_positive(self.scale.dtype))
        least_normal = torch.finfo(working_dtype(self.scale.dtype)).smallest_normal
        return (smallest, largest) if 2 * least_normal <= smallest <= largest < math.inf else None

    def _per_weight(self, of_codebook: Tensor, values: Tensor) -> Tensor:
        """A value of the codebook in the working dtype, shaped to broadcast over the weights."""
        wide = of_codebook.to(values.dtype)
        return wide.reshape(-1, *[1] * (values.dim() - 1)) if wide.dim() else wide


_UNLIFTED = 1.0


def _lift(smallest: Tensor) -> float:
    """What to multiply weights by so that no codeword is subnormal; its bits could not be rounded otherwise.

    Where looking at the codebook would cost a wait for the device or a graph break, they are multiplied in any case.
    """
    on_host = smallest.device.type == "cpu" and not torch.compiler.is_compiling()
    if on_host and bool((smallest >= torch.finfo(smallest.dtype).smallest_normal * 2).all()):
        return _UNLIFTED
    return float_format(smallest.dtype).lift


def magnitude_count(bits: int, zero: bool) -> int:
    """L: the number of magnitudes of a codebook of so many bits."""
    return (1 << (bits - 1)) - int(zero)


def _rounded_on_host(weights: Tensor, smallest: float, largest: float, zero: bool, mask: Tensor | None) -> Tensor:
    """What ``_round_`` gives, in a third of its passes, where the codebook's ends are plain numbers."""
    dtype = working_dtype(weights.dtype)
    form = float_format(dtype)
    if zero:  # for what is below 3/4 of the smallest; signs stay where they are
        next_below = smallest * (0.75 - 0.5 ** (form.mantissa_bits + 1))
        values: Tensor = torch.hardshrink(weights.to(dtype), next_below)
        values.view(form.integer).add_(form.half).bitwise_and_(form.exponent_mask | form.sign_bit)
        values.clamp_(-largest, largest)
    else:
        signed = weights.to(dtype) + 0.0  # -0.0 is positive
        values = (signed.view(form.integer) + form.half).bitwise_and_(form.exponent_mask).view(dtype)
        values.clamp_(smallest, largest).copysign_(signed)
    if mask is not None:
        torch.addcmul(values.new_zeros(()), values, mask, out=values)  # 0.0 + -x times 0.0 is 0.0, in one pass
    return values.to(weights.dtype)


def _round_(
    values: Tensor, form: FloatFormat, smallest: Tensor, largest: Tensor, zero: bool, mask: Tensor | None
) -> None:
    """Round values to ±2^k in place: 3/4 2^k <= |w| < 3/2 2^k goes to 2^k, then the ends of the codebook.

    Adding half a unit to the exponent field carries into it from mantissa 1.5 on, which is that rule. What is dropped
    is cleared on the bits, since -x times 0.0 is -0.0.
    """
    bits = values.view(form.integer)
    signs = bits & form.sign_bit
    bits.add_(form.half).bitwise_and_(form.exponent_mask)
    values.clamp_(max=largest)
    if zero:
        signs.bitwise_or_(bits)
        bits.sub_(smallest.view(form.integer).clamp(min=1))  # 1 stands for a codebook of zeros
        bits.bitwise_right_shift_(form.width - 1).bitwise_not_()  # all ones where |w| reaches the smallest codeword
        bits.bitwise_and_(signs)
    else:
        values.clamp_(min=smallest)
        bits.bitwise_or_(signs)
        values.add_(0.0)  # a codebook of zeros gave -0.0
    if mask is not None:
        bits.bitwise_and_(mask.to(form.integer).neg_())
