"""ANS whose tables change from one symbol to the next, in a few lanes that take turns.

The lanes are states of 32 bits, from 2^16 on. Tables have 2^14 slots as in ``rans.py``. The stream is the states, then
words of 16 bits. A symbol is of a lane x; with d = x mod 2^14 it is the owner of slot d, and with its f slots, the
first of them a, x becomes f floor(x / 2^14) + d - a; then, if that is below 2^16, 2^16 x + the next word. At the end
each x is 2^16, and no words are left.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import native
from dqc_plugin.coding.cursor import Data
from dqc_plugin.coding.rans import PRECISION, SLOTS
from dqc_plugin.errors import ArtifactError

_STATE_BYTES, _WORD_BITS = 4, 16
_LOWEST = 1 << _WORD_BITS
Entries = NDArray[np.uint32]
Lanes = NDArray[np.uint8]
Words = NDArray[np.uint16]


def entries_of(frequencies: NDArray[np.int64]) -> Entries:
    """Of each symbol (alphabet,) of a table its frequency and, 2^16 times, its first slot."""
    entries: Entries = (frequencies | (np.cumsum(frequencies) - frequencies) << _WORD_BITS).astype(np.uint32)
    return entries


def starts_of(frequencies: NDArray[np.int64]) -> list[int]:
    """The first slots of the symbols of a table, and 2^14: what :meth:`Reader.take` wants."""
    return [0, *np.cumsum(frequencies).tolist()]


def encode(entries: Entries, lanes: Lanes, count: int) -> bytes:
    """The stream of symbols, by their entries (n,) and lanes (n,), so many in all."""
    states = np.full(count, _LOWEST, np.uint32)
    words = (native.push_turns if native.LIBRARY else _push)(states, entries, lanes)
    return states.astype("<u4").tobytes() + words.astype("<u2").tobytes()


def _push(states: NDArray[np.uint32], entries: Entries, lanes: Lanes) -> Words:
    words, by_lane = [], states.tolist()
    for entry, lane in zip(entries.tolist()[::-1], lanes.tolist()[::-1], strict=True):
        state, frequency = by_lane[lane], entry & 0xFFFF
        if state >= frequency << 2 * _WORD_BITS - PRECISION:
            words.append(state & 0xFFFF)
            state >>= _WORD_BITS
        by_lane[lane] = (state // frequency << PRECISION) + state % frequency + (entry >> _WORD_BITS)
    states[:] = by_lane
    return np.array(words[::-1], np.uint16)


class Reader:
    """The symbols of a stream of so many lanes, one by one."""

    def __init__(self, data: Data, lanes: int) -> None:
        states = _STATE_BYTES * lanes
        if len(data) < states or len(data) % 2:
            raise ArtifactError(f"{len(data)} bytes are not an ANS stream of {lanes} lanes")
        self._states = np.frombuffer(data[:states], "<u4").tolist()
        self._words = np.frombuffer(data[states:], "<u2").tolist()[::-1]

    def take(self, lane: int, starts: Sequence[int]) -> int:
        """A symbol; starts: the first slot of each, and 2^14."""
        slot, rest = self._states[lane] % SLOTS, self._states[lane] >> PRECISION
        symbol = bisect_right(starts, slot) - 1
        state = (starts[symbol + 1] - starts[symbol]) * rest + slot - starts[symbol]
        if state < _LOWEST:
            if not self._words:
                raise ArtifactError("an ANS stream is cut")
            state = state << _WORD_BITS | self._words.pop()
        self._states[lane] = state
        return symbol

    def end(self) -> None:
        """ArtifactError unless this is where an encoder began."""
        if self._words or any(state != _LOWEST for state in self._states):
            raise ArtifactError("an ANS stream does not end where it should")
