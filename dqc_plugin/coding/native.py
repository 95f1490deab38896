"""The inner loops in C (the ``.c`` files beside), where the package was installed with a C compiler at hand.

Without them the Python beside gives the same bytes, more slowly.
"""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import decisions
from dqc_plugin.coding.decisions import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dqc_plugin.coding.classes import Classes
    from dqc_plugin.coding.kernel_masks import Kernels
    from dqc_plugin.coding.neighbours import Layout
    from dqc_plugin.coding.signs import Matrix

# What the functions take: pointers, and numbers of 64 bits.
_TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int64, "u": ctypes.c_uint64}
_FUNCTIONS = {
    "dqc_take": "pipppppipipiii",
    "dqc_push": "pipip",
    "dqc_to_slots": "pii",
    "dqc_table": "piiip",
    "dqc_geometric": "iiip",
    "dqc_place": "pppppiipiiip",
    "dqc_positions": "piipp",
    "dqc_gap_histogram": "piiipp",
    "dqc_octet_histogram": "piip",
    "dqc_scatter": "piipipipi",
    "dqc_encode_signs": "piiiipp",
    "dqc_push_decisions": "pipp",
    "dqc_decode_signs": "piiiipupi",
    "dqc_decode_values": "piiiiippupi",
    "dqc_encode_floats": "ipip",
    "dqc_decode_floats": "ipiupi",
    "dqc_decode_ans": "pipiiiipp",
    "dqc_decode_ans_values": "piipiip",
    "dqc_push_turns": "pppip",
    "dqc_prepare": "p",
    "dqc_decode_kernels": "pipiiiipp",
    "dqc_decode_in_kernels": "pipiiiiip",
}


def _library() -> ctypes.CDLL | None:
    spec = find_spec("dqc_plugin.coding._native")
    if spec is None or spec.origin is None:
        return None
    try:
        return typed(ctypes.CDLL(spec.origin))
    except OSError:
        return None


def typed(library: ctypes.CDLL) -> ctypes.CDLL:
    """The library, with the types of its functions."""
    for name, types in _FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = [_TYPES[letter] for letter in types], ctypes.c_int64
    library.dqc_prepare(decisions.SQUASH.ctypes.data)
    return library


LIBRARY = _library()
_SLACK = 16  # that C writes beyond what it says
_BLOCK = 1 << 11  # fields of kernels that are decoded at once, before C sees that they are too many
_bytes_at: Callable[[Any], Any] = (ctypes.c_char * 0).from_buffer


def take(
    states: NDArray[np.uint64],
    runs: Sequence[tuple[int, NDArray[np.int64], int]],
    symbols: NDArray[np.uint8],
    words: NDArray[np.uint32],
    next_word: int,
    bare: bool,
) -> tuple[NDArray[np.int64], int]:
    """``rans.Decoder.take_kept`` into symbols: the lengths of the runs, and the place of the next word.

    That is -1 where the stream is cut, or longer than the symbols.
    """
    tables = np.concatenate([frequencies for _, frequencies, _ in runs]) if runs else np.empty(0, np.int64)
    count = len(runs)
    sizes = np.array([len(run[1]) for run in runs] + [run[0] for run in runs] + [run[2] for run in runs], np.int64)
    alphabets, kept, fillers = sizes[:count], sizes[count : 2 * count], sizes[2 * count :]
    lengths = np.zeros(count, np.int64)
    of_runs = (tables, alphabets, kept, fillers, lengths, count, symbols, len(symbols))
    of_words = np.ascontiguousarray(words), len(words), next_word, bare
    return lengths, _call("dqc_take", states, len(states), *of_runs, *of_words)


def push(states: NDArray[np.uint64], entries: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The words of entries (rounds / 2, 2, lanes) put into the states (lanes,), in the order of a stream."""
    words = np.empty(len(entries) * len(states), np.uint32)
    count = _call("dqc_push", states, len(states), np.ascontiguousarray(entries), len(entries), words)
    return words[len(words) - count :]


def to_slots(weights: NDArray[np.int64], slots: int) -> NDArray[np.int64]:
    """``frequencies.to_slots``; the array itself is changed."""
    _call("dqc_to_slots", weights, len(weights), slots)
    return weights


def table(codes: bytes, used: int, width: int, alphabet: int) -> NDArray[np.int64] | None:
    """The frequencies (alphabet,) of a table of ``frequencies.py`` with so many codes, or steps; None if it is none."""
    frequencies = np.empty(alphabet, np.int64)
    failed = _call("dqc_table", codes, used, width, alphabet, frequencies)
    return None if failed else frequencies


def geometric(kept: int, size: int, filler: int) -> NDArray[np.int64]:
    """``frequencies.geometric``."""
    frequencies = np.empty(filler + 1, np.int64)
    _call("dqc_geometric", kept, size, filler, frequencies)
    return frequencies


def place(
    fields: NDArray[np.uint8], contexts: NDArray[np.int64], classes: Classes, is_open: bool
) -> NDArray[np.int64] | None:
    """The positions (n,) of gap fields by class, in that order; None if they are not such.

    contexts: kept weights, fields and filler of each context, (3, contexts). is_open: see ``gaps.Gaps``.
    """
    labels = [(np.ascontiguousarray(of_lines), len(of_lines)) for of_lines in (classes.rows, classes.columns)]
    positions = np.empty(int(contexts[0].sum()), np.int64)
    of_rows, of_columns = (*labels[0], classes.row_levels), (*labels[1], classes.column_levels)
    found = _call("dqc_place", np.ascontiguousarray(fields), *contexts, *of_rows, *of_columns, is_open, positions)
    return None if found == -1 else positions[: _checked(found)]


def positions(fields: NDArray[np.uint8], filler: int, reached: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions (n,) that gap fields keep, from reached (1,) on, which moves on."""
    found = np.empty(len(fields), np.int64)
    return found[: _call("dqc_positions", np.ascontiguousarray(fields), len(fields), filler, reached, found)]


def gap_histogram(positions: NDArray[np.int64], size: int, longest: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many gaps are of each length below longest (longest,), and the others (n,): ``gaps.Histogram``."""
    short, long = np.zeros(longest, np.int64), np.empty(size // longest + 1, np.int64)
    places = np.ascontiguousarray(positions, np.int64)
    return short, long[: _call("dqc_gap_histogram", places, len(places), size, longest, short, long)]


def octet_histogram(positions: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """How often each octet (256,) occurs in a mask of ``size`` weights."""
    octets, places = np.zeros(256, np.int64), np.ascontiguousarray(positions, np.int64)
    _call("dqc_octet_histogram", places, len(places), size, octets)
    return octets


def scatter(
    fields: NDArray[np.uint8],
    filler: int,
    indices: NDArray[np.uint8],
    table: NDArray[np.signedinteger[Any]],
    weights: NDArray[np.signedinteger[Any]],
) -> None:
    """``weights[positions] = table[indices]`` for the positions of gap fields."""
    whole = np.ascontiguousarray(table)
    if len(table) < 256:
        whole = np.zeros(256, weights.dtype)
        whole[: len(table)] = table
    gaps = np.ascontiguousarray(fields), len(fields), filler
    values = np.ascontiguousarray(indices), len(indices), whole, weights.itemsize
    _call("dqc_scatter", *gaps, *values, weights, len(weights))


def encode_signs(positions: NDArray[np.int64], matrix: Matrix, signs: NDArray[np.uint8]) -> Stream:
    """The stream of ``signs.py``."""
    decided = np.empty(len(signs), np.uint16)
    return _pushed(decided, _checked(_call("dqc_encode_signs", *_of_signs(positions, matrix, signs.copy()), decided)))


def decode_signs(stream: Stream, positions: NDArray[np.int64], matrix: Matrix, signs: NDArray[np.uint8]) -> bool:
    """Into signs (n,), zeros before; False if the stream does not end with them."""
    return not _checked(_call("dqc_decode_signs", *_of_signs(positions, matrix, signs), *_of_stream(stream)))


def decode_values(
    stream: Stream, positions: NDArray[np.int64], layout: Layout, table: NDArray[np.uint8]
) -> NDArray[np.uint8] | None:
    """The indices (n,) of ``neighbours.py``; None if the stream does not end with them.

    table: the index of each level, of sign 0 and then of sign 1.
    """
    indices, places = np.zeros(len(positions), np.uint8), np.ascontiguousarray(positions, np.int64)
    sizes = (layout.size, layout.columns, layout.distance, layout.levels)
    values = (places, len(places), *sizes, table, indices)
    return None if _checked(_call("dqc_decode_values", *values, *_of_stream(stream))) else indices


def encode_floats(codes: NDArray[np.uint16], kept: int) -> Stream:
    """The stream of ``floats.py``."""
    decided = np.empty(int((codes // 2 + 3).sum()), np.uint16)
    return _pushed(decided, _call("dqc_encode_floats", kept, codes.copy(), len(codes), decided))


def decode_floats(stream: Stream, kept: int, codes: NDArray[np.uint16]) -> bool:
    """Into codes (n,), zeros before; False if the stream does not end with them."""
    return not _call("dqc_decode_floats", kept, codes, len(codes), *_of_stream(stream))


def decode_ans(
    positions: bytes, values: bytes, size: int, count: int, codebook_size: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.uint8]] | None:
    """The positions (count,) of the kept weights, None for all, and their indices (count,), by ``ans.py``.

    None where it is for that to say what is wrong, or to read a rare form.
    """
    places, indices = np.empty(count, np.int64), np.empty(count, np.uint8)
    data = positions, len(positions), values, len(values)
    found = _call("dqc_decode_ans", *data, size, count, codebook_size, places, indices)
    return None if found < 0 else (None if found else places, indices)


def decode_ans_values(
    values: bytes, size: int, places: NDArray[np.int64] | None, count: int, codebook_size: int
) -> NDArray[np.uint8] | None:
    """The indices (count,) of the weights at ascending positions (count,), None for all, by ``ans_values.py``.

    None where it is for that to say what is wrong.
    """
    indices = np.empty(count, np.uint8)
    found = _call("dqc_decode_ans_values", values, len(values), size, places, count, codebook_size, indices)
    return None if found < 0 else indices


def push_turns(states: NDArray[np.uint32], entries: NDArray[np.uint32], lanes: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """The words of entries (n,) put into the states of their lanes (n,), in the order of a stream of ``turns.py``."""
    words = np.empty(len(entries), np.uint16)
    of_entries = np.ascontiguousarray(entries), np.ascontiguousarray(lanes), len(entries)
    return words[len(words) - _call("dqc_push_turns", states, *of_entries, words) :]


def decode_kernels(
    positions: bytes, values: bytes, size: int, count: int, codebook_size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """The gap fields (n,) of the ``count`` kept of ``size`` weights, filler 255, and their indices (count,).

    None if ``kernels.py`` does not write such bytes, with masks.
    """
    fields, indices = np.empty(count + size // 255 + _BLOCK + _SLACK, np.uint8), np.empty(count + _SLACK, np.uint8)
    data = positions, len(positions), values, len(values)
    found = _call("dqc_decode_kernels", *data, size, count, codebook_size, fields, indices)
    return None if found == -2 else (fields[: _checked(found)], indices[:count])


def decode_in_kernels(
    values: bytes, fields: NDArray[np.uint8], filler: int, count: int, codebook_size: int, kernels: Kernels
) -> NDArray[np.uint8] | None:
    """The indices (count,) of the weights that gap fields keep; None if the bytes do not say them."""
    indices, of_fields = np.empty(count + _SLACK, np.uint8), (np.ascontiguousarray(fields), len(fields), filler)
    sizes = codebook_size, kernels.height, kernels.width
    failed = _call("dqc_decode_in_kernels", values, len(values), *of_fields, *sizes, indices)
    return None if _checked(failed) else indices[:count]


def _pushed(decided: NDArray[np.uint16], count: int) -> Stream:
    """The stream of so many decisions."""
    words, state = np.empty(count, np.uint32), np.empty(1, np.uint64)
    written = _call("dqc_push_decisions", decided, count, words, state)
    return int(state[0]), words[count - written :]


def _of_signs(positions: NDArray[np.int64], matrix: Matrix, signs: NDArray[np.uint8]) -> tuple[Any, ...]:
    places = np.ascontiguousarray(positions, np.int64)
    return (places, len(places), matrix.size, matrix.columns, matrix.distance, signs)


def _of_stream(stream: Stream) -> tuple[Any, ...]:
    state, words = stream
    return state, np.ascontiguousarray(words), len(words)


def _call(name: str, *arguments: Any) -> int:
    function = getattr(LIBRARY, name)
    try:  # numpy's own ways to an address take five times as long
        return int(function(*[_bytes_at(value) if type(value) is np.ndarray else value for value in arguments]))
    except TypeError:  # an array is read only
        return int(function(*[getattr(value, "ctypes", value) for value in arguments]))


def _checked(found: int) -> int:
    if found < 0:
        raise MemoryError
    return found
