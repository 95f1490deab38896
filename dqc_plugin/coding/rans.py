"""Interleaved asymmetric numeral systems (range variant; Duda 2013, Giesen 2014), many lanes a numpy operation.

Symbol i of a part of a stream belongs to lane i mod N. A lane's state x is a 64-bit number. To decode a symbol of
frequency f that starts at slot s of its table (of 2^14 slots), where x mod 2^14 is a slot of the symbol: x becomes
f * floor(x / 2^14) + x mod 2^14 - s. After every two rounds of the lanes, and at the end of a part, each lane with
x < 2^32, in order of the lanes, takes the stream's next 32-bit word: x becomes x * 2^32 + word. Two symbols take at
most 28 bits, so once is enough. The encoder does the inverse, from the last symbol to the first.

A lane that started empty would cost some bytes. So the encoder starts it at 2^(32 + p) + (32 + p bits of a payload),
0 <= p < 32, and the decoder finds the payload in the last states: of lane 0, 1 .. the low 32 bits, then of lane 0, 1 ..
the p bits above them, where p is known by the highest bit, always 1. p is what fills the first state; the last bits,
which do not fill a byte, are 0. A lane costs about a bit then.

A stream is the low halves of the N states, their high halves, and the words, 4 bytes each, little-endian.

A bare stream has one lane and no payload, and nothing comes after it: its lane starts at 1, and the decoder takes words
as long as there are any. Trimmed, its state has only the bytes that are not zero: 5 to 8, or fewer without words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import native
from dqc_plugin.coding.cursor import Data
from dqc_plugin.errors import ArtifactError

PRECISION = 14
SLOTS = 1 << PRECISION

Symbols = NDArray[np.uint8]
Frequencies = NDArray[np.int64]
Segment = tuple[Symbols, Frequencies]
"""A run of symbols (n,) and the frequencies of their table (alphabet,), 2^14 in all."""
Run = tuple[int, Frequencies, int]
"""How many symbols that are no filler, the frequencies of their table, and the filler."""
States = NDArray[np.uint64]

_U = np.uint64
_WORD_BITS, WORD_BYTES, _STATE_BYTES = 32, 4, 8
_LOWEST = _U(1 << _WORD_BITS)
_OFFSET, _SYMBOL, _FIELD = 16, 32, _U(0xFFFF)  # of an entry of a table; the frequency lies lowest
_RAMP = np.arange(SLOTS, dtype=np.uint64) << _U(_OFFSET)
_FEW_LANES = 8
_NO_FILLER = -1
_MOST_LANES_LOG, _SYMBOLS_PER_LANE, _PAYLOAD_PER_LANE = 13, 192, 8
_FEWEST_SYMBOLS = 1 << 15  # of fewer, more than a few lanes would cost more bytes than they save time
_SYMBOLS_PER_FEW = 8192  # and of those each has so many: a lane costs a bit or two


def lanes_log(symbols: int, payload: int) -> int:
    """The binary logarithm of a number of lanes for so many symbols and bytes of payload: fast, and still full."""
    most = min(symbols // _SYMBOLS_PER_LANE, payload // _PAYLOAD_PER_LANE, 1 << _MOST_LANES_LOG)
    if symbols < _FEWEST_SYMBOLS:
        most = min(most, symbols // _SYMBOLS_PER_FEW)
    return max(most, 1).bit_length() - 1


def encode(parts: Sequence[Sequence[Segment]], lanes: int, payload: bytes | None) -> tuple[bytes, bytes, int]:
    """The low halves of the states, the rest of the stream, and the bytes of payload in it; bare without payload."""
    rounds = [_rounds(part, lanes) for part in parts]
    if payload is None:
        states, used = np.ones(1, np.uint64), 0
    else:
        states, used = _start(sum(map(_bits, rounds), np.zeros(lanes)), payload)
    words: list[NDArray[np.uint32]] = []
    for entries in rounds[::-1]:
        if native.LIBRARY:
            words.append(native.push(states, entries))
            continue
        for first, second in entries[::-1].astype(np.uint64):
            words.append(_push(states, first, second))
    high = (states >> _U(_WORD_BITS)).astype("<u4")
    return states.astype("<u4").tobytes(), np.concatenate([high, *words[::-1]]).astype("<u4").tobytes(), used


def trim(bare: bytes) -> bytes:
    """A bare stream without the zeros of its state."""
    return bare[:_STATE_BYTES].rstrip(b"\0") + bare[_STATE_BYTES:]


def untrim(data: Data) -> bytes:
    """What :func:`trim` was given."""
    state = len(data) if len(data) <= _STATE_BYTES else WORD_BYTES + 1 + (len(data) - 1) % WORD_BYTES
    return bytes(data[:state]).ljust(_STATE_BYTES, b"\0") + data[state:]


class Decoder:
    """Parts of a stream, the first one first; ArtifactError for what no encoder gives."""

    def __init__(self, low: Data, data: Data, lanes: int, bare: bool = False) -> None:
        """low: the low halves of the states. data: the rest of the stream, and what comes after it."""
        if len(low) != WORD_BYTES * lanes or len(data) < len(low):
            raise ArtifactError(f"{len(low) + len(data)} bytes are not an ANS stream of {lanes} lanes")
        self._data = data
        self._words = np.frombuffer(data, "<u4", len(data) // WORD_BYTES)
        halves = np.empty((lanes, 2), "<u4")
        halves[:, 0], halves[:, 1] = np.frombuffer(low, "<u4"), self._words[:lanes]
        self._states = halves.view("<u8").reshape(-1).astype(np.uint64, copy=False)
        self._next = lanes
        self._bare = bare

    def take(self, segments: Sequence[tuple[int, Frequencies]]) -> Symbols:
        """A part: so many symbols of each table, one after another (n,)."""
        runs = [(count, frequencies, _NO_FILLER) for count, frequencies in segments]
        return self.take_kept(runs, sum(count for count, _ in segments))[0]

    def take_kept(self, runs: Sequence[Run], room: int) -> tuple[Symbols, NDArray[np.int64]]:
        """A part whose fillers are not counted: its symbols, at most so many in all, and how many are of each run."""
        if native.LIBRARY:
            return self._take_natively(runs, room)
        take = self._take_singly if len(self._states) <= _FEW_LANES else self._take_by_lanes
        found = take(runs, room)
        return np.concatenate([np.empty(0, np.uint8), *found]), np.array([len(of_run) for of_run in found], np.int64)

    def _take_natively(self, runs: Sequence[Run], room: int) -> tuple[Symbols, NDArray[np.int64]]:
        symbols = np.empty(room, np.uint8)
        of_words = self._words, self._next, self._bare
        lengths, self._next = native.take(self._states, runs, symbols, *of_words)
        if self._next < 0:
            raise ArtifactError("an ANS stream is cut")
        found = int(lengths.sum())
        return (symbols[:found] if found < room else symbols), lengths

    def _take_by_lanes(self, runs: Sequence[Run], room: int) -> list[Symbols]:
        found, at, lanes = [], 0, len(self._states)
        for kept, frequencies, filler in runs:
            slots, of_run = _decoder_slots(frequencies), [np.empty(0, np.uint8)]
            while kept:
                symbols = np.empty(min(kept, lanes - at % lanes), np.uint8)
                self._pop(at % lanes, slots, symbols)
                kept -= int(np.count_nonzero(symbols != filler))
                at += len(symbols)
                of_run.append(symbols)
                if at > room:
                    raise ArtifactError("an ANS stream has too many fillers")
                if not at % (2 * lanes):
                    self._refill()
            found.append(np.concatenate(of_run))
        self._refill()
        return found

    def _pop(self, lane: int, slots: States, symbols: Symbols) -> None:
        """One symbol of each lane from ``lane`` on."""
        states = self._states[lane : lane + len(symbols)]
        found = slots.take((states & _U(SLOTS - 1)).view(np.int64), mode="clip")
        states >>= _U(PRECISION)
        states *= found & _FIELD
        symbols[...] = found >> _U(_SYMBOL)
        found >>= _U(_OFFSET)
        found &= _FIELD
        states += found

    def _take_singly(self, runs: Sequence[Run], room: int) -> list[Symbols]:
        """The same symbol by symbol: an operation on a few lanes takes numpy longer."""
        found, states, at = [], self._states.tolist(), 0
        for kept, frequencies, filler in runs:
            widths, starts, of_run = frequencies.tolist(), (np.cumsum(frequencies) - frequencies).tolist(), bytearray()
            while kept:
                lane, at = at % len(states), at + 1
                slot = states[lane] & (SLOTS - 1)
                symbol = bisect_right(starts, slot) - 1
                states[lane] = widths[symbol] * (states[lane] >> PRECISION) + slot - starts[symbol]
                of_run.append(symbol)
                kept -= symbol != filler
                if at > room:
                    raise ArtifactError("an ANS stream has too many fillers")
                if not at % (2 * len(states)):
                    self._refill_singly(states)
            found.append(np.frombuffer(of_run, np.uint8))
        self._refill_singly(states)
        self._states[:] = states
        return found

    def _refill_singly(self, states: list[int]) -> None:
        for lane, state in enumerate(states):
            if state >> _WORD_BITS == 0 and not (self._bare and self._next == len(self._words)):
                if self._next == len(self._words):
                    raise ArtifactError("an ANS stream is cut")
                states[lane] = state << _WORD_BITS | int(self._words[self._next])
                self._next += 1

    def _refill(self) -> None:
        if self._bare and self._next == len(self._words):
            return
        low = np.flatnonzero(self._states < _LOWEST)
        words = self._words[self._next : self._next + len(low)]
        if len(words) < len(low):
            raise ArtifactError("an ANS stream is cut")
        self._next += len(low)
        self._states[low] = self._states[low] << _U(_WORD_BITS) | words

    def finish(self) -> tuple[bytes, Data]:
        """The payload, and what comes after the stream."""
        rest = self._data[WORD_BYTES * self._next :]
        is_end = not rest and int(self._states[0]) == 1 if self._bare else bool((self._states >= _LOWEST).all())
        if not is_end:
            raise ArtifactError("an ANS stream does not end where it should")
        return (b"" if self._bare else _payload(self._states)), rest


def _rounds(part: Sequence[Segment], lanes: int) -> NDArray[np.uint32]:
    """The symbols' entries of a table, frequency and first slot, (rounds / 2, 2, lanes); idle lanes change nothing."""
    entries = []
    for symbols, frequencies in part:
        table = frequencies | (np.cumsum(frequencies) - frequencies) << _OFFSET
        entries.append(table.astype(np.uint32)[symbols])
    idle = np.full(-sum(map(len, entries)) % (2 * lanes), SLOTS, np.uint32)
    return np.concatenate([*entries, idle]).reshape(-1, 2, lanes)


def _bits(entries: NDArray[np.uint32]) -> NDArray[np.float64]:
    """The bits of each lane's symbols."""
    bits: NDArray[np.float64] = (PRECISION - np.log2((entries & 0xFFFF).astype(np.float32))).sum((0, 1), np.float64)
    return bits


def _push(states: States, first: States, second: States) -> NDArray[np.uint32]:
    """Put two symbols into each state, and take the words out that do not fit any more."""
    limits = (first & _FIELD) * (second & _FIELD)
    full = np.flatnonzero(states >> _U(2 * (_WORD_BITS - PRECISION)) >= limits)
    words = states[full].astype(np.uint32)  # the low halves
    states[full] >>= _U(_WORD_BITS)
    for entries in (second, first):
        frequencies = entries & _FIELD
        # x becomes floor(x / f) * 2^14 + x mod f + start
        states += states // frequencies * (_U(SLOTS) - frequencies) + (entries >> _U(_OFFSET))
    return words


def _start(bits: NDArray[np.float64], payload: bytes) -> tuple[States, int]:
    """The states to start from where so many bits will be put into each, and the bytes of payload in them."""
    lanes = len(bits)
    widths = np.floor(_WORD_BITS - 1.001 - bits % _WORD_BITS).astype(np.int64) % _WORD_BITS
    extra = int(widths.sum()) // 8
    low, above = payload[: WORD_BYTES * lanes], payload[WORD_BYTES * lanes :][:extra]
    is_used = np.arange(_WORD_BITS) < widths[:, None]
    matrix = np.zeros((lanes, _WORD_BITS), np.uint8)
    string = np.unpackbits(np.frombuffer(above.ljust(extra + 1, b"\0"), np.uint8), bitorder="little")
    matrix[is_used] = string[: int(widths.sum())]
    matrix[np.arange(lanes), widths] = 1
    high = np.packbits(matrix, axis=1, bitorder="little").view("<u4").reshape(-1).astype(np.uint64)
    states = high << _U(_WORD_BITS) | np.frombuffer(low.ljust(WORD_BYTES * lanes, b"\0"), "<u4")
    return states, WORD_BYTES * lanes + extra


def _payload(states: States) -> bytes:
    """What :func:`_start` was given, as far as it was used."""
    if len(states) <= _FEW_LANES:
        return _payload_of_few(states.tolist())
    high = (states >> _U(_WORD_BITS)).astype("<u4")
    widths = np.frexp(high.astype(np.float64))[1] - 1
    matrix = np.unpackbits(high.view(np.uint8).reshape(-1, WORD_BYTES), axis=1, bitorder="little")
    string = np.packbits(matrix[np.arange(_WORD_BITS) < widths[:, None]], bitorder="little")
    return states.astype("<u4").tobytes() + string[: int(widths.sum()) // 8].tobytes()


def _payload_of_few(states: list[int]) -> bytes:
    """The same lane by lane: for few numpy takes longer."""
    string = width = 0
    for state in states:
        bits = (state >> _WORD_BITS).bit_length() - 1
        string |= (state >> _WORD_BITS ^ 1 << bits) << width
        width += bits
    low = b"".join((state & 0xFFFFFFFF).to_bytes(WORD_BYTES, "little") for state in states)
    return low + (string & (1 << width // 8 * 8) - 1).to_bytes(width // 8, "little")


def _decoder_slots(frequencies: Frequencies) -> States:
    """Frequency, place among the symbol's slots, and symbol, of each slot (2^14,)."""
    first = np.cumsum(frequencies) - frequencies
    entries = (np.arange(len(frequencies)) << _SYMBOL) + frequencies - (first << _OFFSET)
    slots: States = np.repeat(entries, frequencies).view(np.uint64) + _RAMP
    return slots
