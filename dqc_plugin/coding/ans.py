"""A tensor by ANS: the positions of the kept weights (``ans_positions.py``) and their values (``ans_values.py``).

Both have static tables for each context of a weight, and the weights are in the order of their contexts; or the values
are coded by their neighbours (``neighbours.py``), where that is smaller. The payload of the positions' lanes is the
start of the values: there is no stream before these are coded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import ans_positions, ans_values, native, neighbours
from dqc_plugin.coding.ans_positions import MARK, Found, Order
from dqc_plugin.coding.classes import Classes
from dqc_plugin.coding.coders import Coded, Decoded, KeptByGaps, KeptIndices
from dqc_plugin.coding.gaps import Gaps
from dqc_plugin.errors import ArtifactError

__all__ = ["MARK", "Plan", "decode", "encode"]

_WEIGHTS_PER_BYTE = 8 * 255


@dataclass(frozen=True)
class Plan:
    """What the encoder decides. order: of the weights. signs_apart, span: see ``ans_values.py``."""

    order: Order
    signs_apart: bool
    span: int


def encode(kept: KeptIndices, codebook_size: int, plan: Plan, around: bytes | None = None) -> Coded | None:
    """The bytes of at least one weight; None where these are too few for a reader to believe in so many weights.

    around: the values, if they are coded by their neighbours.
    """
    places, indices, counts = _arrange(kept, plan.order)
    values = around or ans_values.encode(indices, counts, codebook_size, plan.signs_apart, plan.span)
    coded = Coded(*ans_positions.encode(places, counts, plan.order, values))
    return coded if _can_stand_for(coded, kept.size) else None


def decode(coded: Coded, size: int, count: int, codebook_size: int) -> Decoded:
    """The ``count`` kept of ``size`` weights, in the order of their contexts; ArtifactError as every decoder."""
    if not size or not _can_stand_for(coded, size):
        raise ArtifactError(f"{len(coded)} bytes cannot stand for {size} weights")
    found = ans_positions.decode(coded.positions, coded.indices, size, count)
    if neighbours.are_in(found.values):
        return neighbours.decode(found.values, _ascending(found, size), size, codebook_size)
    indices = ans_values.decode(found.values, found.counts, codebook_size)
    if found.positions is None:
        return KeptIndices(size, None, found.order.in_rows(indices))
    if isinstance(found.positions, Gaps):
        return KeptByGaps(size, found.positions, indices)
    return KeptIndices(size, found.positions, indices)


def _arrange(kept: KeptIndices, order: Order) -> tuple[NDArray[np.int64] | None, NDArray[np.uint8], list[int]]:
    """Places (n,) ascending, None if all are kept; the indices there; and how many are of each context."""
    if kept.positions is None:
        return None, order.in_order(kept.indices), order.sizes
    places, indices = order.to_places(kept.positions), kept.indices
    if isinstance(order, Classes):
        by_place = np.argsort(places)
        places, indices = places[by_place], indices[by_place]
    ends = np.searchsorted(places, np.cumsum(order.sizes))
    return places, indices, np.diff(ends, prepend=0).tolist()


def _ascending(found: Found, size: int) -> NDArray[np.int64] | None:
    """The positions of the kept weights from the first to the last; None if all are kept."""
    if found.positions is None:
        return None
    if isinstance(found.positions, Gaps):
        return found.positions.positions()
    return native.ascend(found.positions, size) if native.LIBRARY else np.sort(found.positions)


def _can_stand_for(coded: Coded, size: int) -> bool:
    """As everywhere in a file: a symbol may cost nothing, so only this bounds the memory that a reader takes."""
    return size <= _WEIGHTS_PER_BYTE * len(coded)
