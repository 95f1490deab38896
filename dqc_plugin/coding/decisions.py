"""Binary decisions by ANS, each with a chance that is learnt in its contexts: logistic regression, in integers.

A context has a weight, at first 0, in 2^16ths of a natural logit, and a certainty, in 2^8ths: the Fisher information of
what was seen in it. With x = floor(sum of the weights of a decision's contexts / 2^8), the chance of a one is
q = squash(x) of 4096. When the bit b is known, each weight grows by floor((4096 b - q) * rate / 2^8), where
rate = floor(2^16 / (2 floor(certainty / 32) + 65)), and then each certainty by 1 + floor(q (4096 - q) / 2^16), up to
65535: a step of Newton's method for one weight.

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
_RATES = [(1 << 16) // (2 * level + 65) for level in range(1 << 11)]  # by floor(certainty / 32)
_CHANCE_LOG, _WORD_BITS, _STATE_BYTES = 12, 32, 8
_MOST_CERTAIN, _FARTHEST = 65535, 2047
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


class Code(Protocol):
    """Decides: an encoder writes the bit that it is given, a decoder gives its own."""

    def __call__(self, chance: int, bit: int) -> int: ...


def decide(contexts: Sequence[list[int]], code: Code, bit: int) -> int:
    """The bit; contexts: [weight, certainty] of each, which learn it."""
    logit = sum(weight for weight, _ in contexts) >> 8
    chance = _SQUASHED[min(max(logit, -_FARTHEST), _FARTHEST) + _FARTHEST]
    bit = code(chance, bit)
    error, information = (bit << _CHANCE_LOG) - chance, 1 + (chance * (CHANCES - chance) >> 16)
    for context in contexts:
        context[0] += error * _RATES[context[1] >> 5] >> 8
        context[1] = min(context[1] + information, _MOST_CERTAIN)
    return bit


_SQUASHED = SQUASH.tolist()


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
