"""How much of a layer INQ has quantized by when: plain data, without torch."""

from __future__ import annotations

from typing import Literal

Portions = tuple[float, ...]
Partition = Literal["paper", "dqc_authors"]

# INQ (arXiv 1702.03044), by bits; the 5-bit ones are its ImageNet setting and hold for all other widths
_BY_BITS: dict[int, Portions] = {3: (0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0), 4: (0.3, 0.5, 0.8, 0.9, 0.95, 1.0)}
_USUAL: Portions = (0.5, 0.75, 0.875, 1.0)
_DQC_AUTHORS: Portions = (0.5, 0.75, 0.85, 1.0)


def portions_of(partition: Partition, bits: int) -> Portions:
    """The fractions of the weights that are quantized after each portion; the last is 1."""
    return _DQC_AUTHORS if partition == "dqc_authors" else _BY_BITS.get(bits, _USUAL)


def check_portions(portions: Portions) -> Portions:
    """Raise ValueError unless the fractions rise within (0, 1] and end at 1."""
    if not portions or portions[0] <= 0 or portions[-1] != 1 or list(portions) != sorted(set(portions)):
        raise ValueError("must rise from above 0 and end at 1, such as [0.5, 0.75, 0.875, 1]")
    return portions
