"""Binary decisions by ANS, each with a chance that is mixed from what was seen in its contexts.

A context counts with 16 bits: of n ones and zeros seen, the chance c of a one moves by floor((65535 b - c) *
floor(2^17 / (2 n + 3)) / 2^16), n up to 255. The chances of a decision's contexts are mixed in the logistic domain
(Mahoney 2005, PAQ), in integers: with x = stretch(c / 16) of each and weights w, the chance of a one is
squash(floor(sum(w x) / 2^16)) of 4096; then w grows by floor((x * 14 * (4096 b - chance) + 2^15) / 2^16).

The stream is one ANS lane (``rans.py``) with 2^12 slots and a word taken after each decision, where the lane is below
2^32 and there is one: 1 owns the first ``chance`` slots, 0 the others. The lane starts at 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.errors import ArtifactError

CHANCES = 4096
FIRST_CHANCE, FIRST_WEIGHT = 32768, 19661
_CHANCE_LOG, _WORD_BITS, _STATE_BYTES = 12, 32, 8
_MOST_SEEN, _STEP, _FARTHEST = 255, 14, 2047
_KNOTS_BELOW = [1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546]
_KNOTS_ABOVE = [2047, 2549, 2994, 3348, 3607, 3785, 3901, 3975, 4024, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094]
_KNOTS = np.array([*_KNOTS_BELOW, *_KNOTS_ABOVE])


def _squash() -> NDArray[np.int16]:
    """4096 / (1 + e^(-x / 256)) for x of -2047 .. 2047, linear between every 128."""
    knot, weight = np.divmod(np.arange(-_FARTHEST, _FARTHEST + 1), 128)
    mixed: NDArray[np.int64] = _KNOTS[knot + 16] * (128 - weight) + _KNOTS[knot + 17] * weight + 64 >> 7
    return mixed.astype(np.int16)


SQUASH = _squash()
"""The chance (1 .. 4094) of x + 2047."""
STRETCH = (np.searchsorted(SQUASH, np.arange(CHANCES)) - _FARTHEST).clip(max=_FARTHEST).astype(np.int16)
"""Its inverse: of each chance of 4096 the least x with a squash as large, 2047 if none has."""


class Code(Protocol):
    """Decides: an encoder writes the bit that it is given, a decoder gives its own."""

    def __call__(self, chance: int, bit: int) -> int: ...


class Mixer:
    """Decisions of one kind: a weight for each of its contexts."""

    def __init__(self, contexts: int) -> None:
        self._weights = [FIRST_WEIGHT] * contexts

    def decide(self, counters: Sequence[list[int]], code: Code, bit: int) -> int:
        """The bit; counters: [chance, seen] of each context, which learn it."""
        inputs = [_STRETCH[chance >> 4] for chance, _ in counters]
        place = sum(weight * x for weight, x in zip(self._weights, inputs, strict=True)) >> 16
        chance = _SQUASHED[min(max(place, -_FARTHEST), _FARTHEST) + _FARTHEST]
        bit = code(chance, bit)
        error = ((bit << _CHANCE_LOG) - chance) * _STEP
        for k, (x, counter) in enumerate(zip(inputs, counters, strict=True)):
            self._weights[k] += (x * error + 32768) >> 16
            counter[0] += (65535 * bit - counter[0]) * (131072 // (2 * counter[1] + 3)) >> 16
            counter[1] += counter[1] < _MOST_SEEN
        return bit


_STRETCH, _SQUASHED = STRETCH.tolist(), SQUASH.tolist()


class Writer:
    """The decisions of an encoder, which are pushed from the last to the first."""

    def __init__(self) -> None:
        self.decisions: list[int] = []

    def __call__(self, chance: int, bit: int) -> int:
        self.decisions.append(chance | bit << 15)
        return bit


class Reader:
    """The decisions in a stream; ArtifactError if it is not one."""

    def __init__(self, data: bytes) -> None:
        self.state, self.words = split(data)
        self._queue = iter(self.words.tolist())

    def __call__(self, chance: int, bit: int) -> int:
        slot, rest = self.state & (CHANCES - 1), self.state >> _CHANCE_LOG
        bit = int(slot < chance)
        self.state = chance * rest + slot if bit else (CHANCES - chance) * rest + slot - chance
        if self.state >> _WORD_BITS == 0:
            word = next(self._queue, None)
            self.state = self.state if word is None else self.state << _WORD_BITS | word
        return bit

    def ends(self) -> bool:
        """True if this is where an encoder began."""
        return self.state == 1 and next(self._queue, None) is None


def push(decisions: Sequence[int]) -> bytes:
    """The stream of an encoder's decisions."""
    state, words = 1, []
    for decision in reversed(decisions):
        chance, bit = decision & 0x7FFF, decision >> 15
        width = chance if bit else CHANCES - chance
        if state >= width << 64 - _CHANCE_LOG:
            words.append(state & 0xFFFFFFFF)
            state >>= _WORD_BITS
        state = (state // width << _CHANCE_LOG) + state % width + (0 if bit else chance)
    return join(state, np.array(words, np.uint32))


def join(state: int, words: NDArray[np.uint32]) -> bytes:
    """A stream of its state and its words, the last one first."""
    return state.to_bytes(_STATE_BYTES, "little") + words[::-1].astype("<u4").tobytes()


def split(data: bytes) -> tuple[int, NDArray[np.uint32]]:
    """The state and the words of a stream, the first one first."""
    if len(data) < _STATE_BYTES or len(data) % (_WORD_BITS // 8):
        raise ArtifactError(f"{len(data)} bytes are not a stream of decisions")
    return int.from_bytes(data[:_STATE_BYTES], "little"), np.frombuffer(data, "<u4", offset=_STATE_BYTES)
