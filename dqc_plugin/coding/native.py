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
    from dqc_plugin.coding.neighbours import Layout

_NAMES = ("dqc_take", "dqc_push", "dqc_scatter", "dqc_encode_values", "dqc_push_decisions", "dqc_decode_values")


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
    at: int,
    frequencies: NDArray[np.int64],
    symbols: NDArray[np.uint8],
    words: NDArray[np.uint32],
    next_word: int,
    bare: bool,
) -> int:
    """``rans.Decoder.take`` for one table, ``at`` symbols after the start of the part; -1 where the stream is cut."""
    words = np.ascontiguousarray(words)
    return _call(
        "dqc_take",
        *(states, len(states), at, np.ascontiguousarray(frequencies), len(frequencies)),
        *(len(symbols), symbols, words, len(words), next_word, bare),
    )


def push(states: NDArray[np.uint64], entries: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The words of entries (rounds / 2, 2, lanes) put into the states (lanes,), in the order of a stream."""
    words = np.empty(len(entries) * len(states), np.uint32)
    count = _call("dqc_push", states, len(states), np.ascontiguousarray(entries), len(entries), words)
    return words[len(words) - count :]


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
    positions: NDArray[np.int64], layout: Layout, signs: NDArray[np.uint8], magnitudes: NDArray[np.uint8]
) -> bytes:
    """The stream of ``neighbours.py``."""
    decided = np.empty(len(signs) * layout.levels, np.uint16)
    count = _checked(_call("dqc_encode_values", *_model(positions, layout, signs, magnitudes), decided))
    words, state = np.empty(count // 2 + 1, np.uint32), np.empty(1, np.uint64)
    written = _call("dqc_push_decisions", decided, count, words, state)
    return decisions.join(int(state[0]), words[:written])


def decode_values(
    data: bytes,
    positions: NDArray[np.int64],
    layout: Layout,
    signs: NDArray[np.uint8],
    magnitudes: NDArray[np.uint8],
) -> bool:
    """Fill in signs and magnitudes (n,); False if the stream does not end with them."""
    state, words = decisions.split(data)
    model = _model(positions, layout, signs, magnitudes)
    return not _checked(_call("dqc_decode_values", *model, ctypes.c_uint64(state), words, len(words)))


def _model(positions: NDArray[np.int64], layout: Layout, *values: NDArray[np.uint8]) -> tuple[Any, ...]:
    places = np.ascontiguousarray(positions, np.int64)
    sizes = (layout.size, layout.columns, layout.distance, layout.levels)
    return (decisions.STRETCH, decisions.SQUASH, places, len(places), *sizes, *values)


def _call(name: str, *arguments: Any) -> int:
    return int(getattr(LIBRARY, name)(*map(_argument, arguments)))


def _argument(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    return ctypes.c_int64(value) if isinstance(value, int) else value


def _checked(found: int) -> int:
    if found < 0:
        raise MemoryError
    return found
