"""The inner loops in C (``native.c``), where the package was installed with a C compiler at hand.

Without them the Python beside gives the same bytes, more slowly.
"""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import decisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dqc_plugin.coding.classes import Classes
    from dqc_plugin.coding.neighbours import Layout

_NAMES = (
    *("dqc_take", "dqc_push", "dqc_to_slots", "dqc_geometric", "dqc_place", "dqc_ascend", "dqc_scatter"),
    *("dqc_encode_values", "dqc_push_decisions", "dqc_decode_values"),
)


def _library() -> ctypes.CDLL | None:
    spec = find_spec("dqc_plugin.coding._native")
    if spec is None or spec.origin is None:
        return None
    try:
        library = ctypes.CDLL(spec.origin)
    except OSError:
        return None
    for name in _NAMES:
        getattr(library, name).restype = ctypes.c_int64
    return library


LIBRARY = _library()


def take(
    states: NDArray[np.uint64],
    segments: Sequence[tuple[int, NDArray[np.int64]]],
    symbols: NDArray[np.uint8],
    words: NDArray[np.uint32],
    next_word: int,
    bare: bool,
) -> int:
    """``rans.Decoder.take``; the place of the next word, -1 where the stream is cut."""
    tables = np.concatenate([np.empty(0, np.int64), *(frequencies for _, frequencies in segments)])
    sizes = np.array([[len(frequencies) for _, frequencies in segments], [count for count, _ in segments]], np.int64)
    of_words = np.ascontiguousarray(words), len(words), next_word, bare
    return _call("dqc_take", states, len(states), tables, *sizes, len(segments), symbols, *of_words)


def push(states: NDArray[np.uint64], entries: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The words of entries (rounds / 2, 2, lanes) put into the states (lanes,), in the order of a stream."""
    words = np.empty(len(entries) * len(states), np.uint32)
    count = _call("dqc_push", states, len(states), np.ascontiguousarray(entries), len(entries), words)
    return words[len(words) - count :]


def to_slots(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """``frequencies.to_slots``; the array itself is changed."""
    _call("dqc_to_slots", weights, len(weights))
    return weights


def geometric(kept: int, size: int, filler: int) -> NDArray[np.int64]:
    """``frequencies.geometric``."""
    frequencies = np.empty(filler + 1, np.int64)
    _call("dqc_geometric", kept, size, filler, frequencies)
    return frequencies


def place(fields: NDArray[np.uint8], contexts: NDArray[np.int64], classes: Classes) -> NDArray[np.int64] | None:
    """The positions (n,) of gap fields by class, in that order; None if they are not such.

    contexts: kept weights, fields and filler of each context, (3, contexts).
    """
    labels = [(np.ascontiguousarray(of_lines), len(of_lines)) for of_lines in (classes.rows, classes.columns)]
    positions = np.empty(int(contexts[0].sum()), np.int64)
    of_rows, of_columns = (*labels[0], classes.row_levels), (*labels[1], classes.column_levels)
    found = _call("dqc_place", np.ascontiguousarray(fields), *contexts, *of_rows, *of_columns, positions)
    return None if found == -1 else positions[: _checked(found)]


def ascend(positions: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The same positions below ``size``, ascending, in a fifth of numpy's time; the array itself is changed."""
    _checked(_call("dqc_ascend", positions, len(positions), size))
    return positions


def scatter(
    fields: NDArray[np.uint8],
    filler: int,
    indices: NDArray[np.uint8],
    table: NDArray[np.signedinteger[Any]],
    weights: NDArray[np.signedinteger[Any]],
) -> None:
    """``weights[positions] = table[indices]`` for the positions of gap fields."""
    whole = np.zeros(256, weights.dtype)
    whole[: len(table)] = table
    gaps = np.ascontiguousarray(fields), len(fields), filler
    values = np.ascontiguousarray(indices), len(indices), whole, weights.itemsize
    _call("dqc_scatter", *gaps, *values, weights, len(weights))


def encode_values(
    positions: NDArray[np.int64], layout: Layout, table: NDArray[np.uint8], indices: NDArray[np.uint8]
) -> bytes:
    """The stream of ``neighbours.py``; table: the index of each level, of sign 0 and then of sign 1."""
    decided = np.empty(len(indices) * layout.levels, np.uint16)
    count = _checked(_call("dqc_encode_values", *_model(positions, layout, table, indices.copy()), decided))
    words, state = np.empty(count // 2 + 1, np.uint32), np.empty(1, np.uint64)
    written = _call("dqc_push_decisions", decided, count, words, state)
    return decisions.join(int(state[0]), words[:written])


def decode_values(
    data: bytes, positions: NDArray[np.int64], layout: Layout, table: NDArray[np.uint8]
) -> NDArray[np.uint8] | None:
    """The indices (n,); None if the stream does not end with them."""
    state, words = decisions.split(data)
    indices = np.zeros(len(positions), np.uint8)
    model = _model(positions, layout, table, indices)
    failed = _checked(_call("dqc_decode_values", *model, ctypes.c_uint64(state), words, len(words)))
    return None if failed else indices


def _model(positions: NDArray[np.int64], layout: Layout, *values: NDArray[np.uint8]) -> tuple[Any, ...]:
    places = np.ascontiguousarray(positions, np.int64)
    sizes = (layout.size, layout.columns, layout.distance, layout.levels)
    return (decisions.SQUASH, places, len(places), *sizes, *values)


def _call(name: str, *arguments: Any) -> int:
    return int(getattr(LIBRARY, name)(*map(_argument, arguments)))


def _argument(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.__array_interface__["data"][0])
    return ctypes.c_int64(value) if isinstance(value, int) else value


def _checked(found: int) -> int:
    if found < 0:
        raise MemoryError
    return found
