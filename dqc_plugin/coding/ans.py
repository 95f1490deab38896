"""A tensor by ANS: the positions of the kept weights (``ans_positions.py``) and their values (``ans_values.py``).

Both have static tables for each context of a weight, and the weights are in the order of their contexts. The payload of
the positions' lanes is the start of the values: there is no stream before these are coded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import ans_heads, ans_positions, ans_values, native, neighbours, older_heads, signs, varint
from dqc_plugin.coding.ans_heads import Order
from dqc_plugin.coding.ans_positions import Found
from dqc_plugin.coding.ans_values import Form, Values
from dqc_plugin.coding.classes import Classes, Whole
from dqc_plugin.coding.coders import Coded, Decoded, KeptByGaps, KeptIndices
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.gaps import Gaps
from dqc_plugin.errors import ArtifactError

__all__ = ["Form", "Plan", "are_in", "decode", "encode", "encode_values"]

_WEIGHTS_PER_BYTE = 8 * 255
MOST_IN_ONE_CALL = 1 << 20
"""Weights of a tensor whose positions take the memory of integers; of larger ones gap fields are kept instead."""


@dataclass(frozen=True)
class Plan:
    """What the encoder decides. order: of the weights. form, span: see ``ans_values.py``.

    signs: what ``signs.py`` writes, if the form is so.
    """

    order: Order
    form: Form
    span: int
    signs: bytes = b""


def encode(kept: KeptIndices, codebook_size: int, plan: Plan) -> Coded | None:
    """The bytes of at least one weight; None where these are too few for a reader to believe in so many weights."""
    places, indices, counts = _arrange(kept, plan.order)
    values = ans_values.encode(indices, counts, codebook_size, plan.form, plan.span, _tail(kept, plan))
    if values is None:
        return None
    return _believable(Coded(*ans_positions.encode(places, counts, plan.order, values)), kept.size)


def encode_values(kept: KeptIndices, codebook_size: int, plan: Plan, positions: bytes) -> Coded | None:
    """The same with positions of ``positions.py``, for weights in their own order."""
    counts, tail = [len(kept.indices)], _tail(kept, replace(plan, order=Whole(kept.size)))
    values = ans_values.encode(kept.indices, counts, codebook_size, plan.form, 1, tail)
    return None if values is None else _believable(Coded(*ans_heads.around_plain(positions, values)), kept.size)


def are_in(positions: bytes) -> bool:
    """True if positions are by ANS."""
    return bool(positions) and bool(positions[0] & (ans_heads.MARK | older_heads.MARK))


def decode(coded: Coded, size: int, count: int, codebook_size: int) -> Decoded:
    """The ``count`` kept of ``size`` weights, in the order of their contexts; ArtifactError as every decoder."""
    if not size or not _can_stand_for(coded, size):
        raise ArtifactError(f"{len(coded)} bytes cannot stand for {size} weights")
    if native.LIBRARY and 0 < count <= size <= MOST_IN_ONE_CALL:
        at_once = native.decode_ans(coded.positions, coded.indices, size, count, codebook_size)
        if at_once:
            return KeptIndices(size, *at_once)
    return _step_by_step(ans_positions.decode(coded.positions, coded.indices, size, count), size, codebook_size)


def _step_by_step(found: Found, size: int, codebook_size: int) -> Decoded:
    if found.is_old and neighbours.are_in(found.values):
        return neighbours.decode(found.values, _ascending(found), size, codebook_size)
    indices = _of_plain_positions(found, size, codebook_size)
    if indices is None:
        values = ans_values.decode(found.values, found.counts, codebook_size, found.is_old)
        indices = _indices(values, found, size, codebook_size)
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


def _tail(kept: KeptIndices, plan: Plan) -> bytes:
    """Signs by their neighbours: the columns of the matrix (varint), 0 for those of the classes, and the signs."""
    columns = 0 if _columns(plan.order) == signs.columns_of(kept.shape) else signs.columns_of(kept.shape)
    return varint.put(columns) + plan.signs if plan.form == Form.BY_NEIGHBOURS else b""


def _columns(order: Order) -> int:
    return len(order.columns) if isinstance(order, Classes) else 0


def _indices(values: Values, found: Found, size: int, codebook_size: int) -> NDArray[np.uint8]:
    """The indices in the order of the positions."""
    numbers = found.order.in_rows(values.numbers) if found.positions is None else values.numbers
    if values.signs is None:
        return numbers
    tail = Cursor(values.signs)
    columns = tail.count() or _columns(found.order)
    of_neighbours = signs.decode(tail.rest(), _positions(found), len(numbers), size, columns)
    return ans_values.to_indices(numbers, of_neighbours, codebook_size)


def _of_plain_positions(found: Found, size: int, codebook_size: int) -> NDArray[np.uint8] | None:
    """The indices in one call, where the positions had no stream; None where they had, and for what is damaged."""
    if native.LIBRARY is None or size > MOST_IN_ONE_CALL or found.is_old or not isinstance(found.order, Whole):
        return None
    return native.decode_ans_values(found.values, size, _positions(found), sum(found.counts), codebook_size)


def _positions(found: Found) -> NDArray[np.int64] | None:
    return found.positions.positions() if isinstance(found.positions, Gaps) else found.positions


def _ascending(found: Found) -> NDArray[np.int64] | None:
    positions = _positions(found)
    return None if positions is None else np.sort(positions)


def _believable(coded: Coded, size: int) -> Coded | None:
    return coded if _can_stand_for(coded, size) else None


def _can_stand_for(coded: Coded, size: int) -> bool:
    """As everywhere in a file: a symbol may cost nothing, so only this bounds the memory that a reader takes."""
    return size <= _WEIGHTS_PER_BYTE * len(coded)
