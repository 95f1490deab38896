"""Binary decisions by ANS, each with a chance that is learnt in its contexts: logistic regression, in integers.

A context has a weight, at first 0, in 2^16ths of a natural logit, and a certainty, in 2^8ths: the Fisher information of
what was seen in it. With x = floor(sum of the weights of a decision's contexts / 2^8), the chance of a one is
q = squash(x) of 4096. When the bit b is known, each weight grows by floor((4096 b - q) * rate / 2^8), where
rate = floor(2^16 / (2 floor(certainty / 32) + r)), and then each certainty by 1 + floor(q (4096 - q) / 2^16), up to
65535: a step of Newton's method for one weight. The reserve r says how little a new context is believed.

The stream is one ANS lane (``rans.py``) with 2^12 slots and a word taken after each decision, where the lane is below
2^32 and there is one: 1 owns the first ``chance`` slots, 0 the others. The lane starts at 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding.cursor import Data
from dqc_plugin.errors import ArtifactError

CHANCES = 4096
_CHANCE_LOG, _WORD_BITS, _WORD_BYTES, _STATE_BYTES = 12, 32, 4, 8
_LINE_CERTAINTY = 1024  # of a row or column at first: it tells less than what is around
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


Stream = tuple[int, NDArray[np.uint32]]
"""The state of the lane, and the words, the first one first."""


class Code(Protocol):
    """Decides: an encoder writes the bit that it is given, a decoder gives its own."""

    def __call__(self, chance: int, bit: int) -> int: ...


def decide(contexts: Sequence[list[int]], rates: Sequence[int], code: Code, bit: int) -> int:
    """The bit; contexts: [weight, certainty] of each, which learn it; rates: by :func:`rates_of`."""
    logit = sum(weight for weight, _ in contexts) >> 8
    chance = _SQUASHED[min(max(logit, -_FARTHEST), _FARTHEST) + _FARTHEST]
    bit = code(chance, bit)
    error, information = (bit << _CHANCE_LOG) - chance, 1 + (chance * (CHANCES - chance) >> 16)
    for context in contexts:
        context[0] += error * rates[context[1] >> 5] >> 8
        context[1] = min(context[1] + information, _MOST_CERTAIN)
    return bit


_SQUASHED = SQUASH.tolist()


@cache
def rates_of(reserve: int) -> Sequence[int]:
    """The rate by floor(certainty / 32)."""
    return [(1 << 16) // (2 * level + reserve) for level in range(1 << 11)]


class Question:
    """Decisions of one kind, in contexts of a row, of a column, and of kinds of what is around."""

    def __init__(self, reserve: int) -> None:
        self._rates = rates_of(reserve)
        self._contexts: dict[tuple[int, object], list[int]] = {}

    def decide(self, lines: tuple[int, int], around: tuple[tuple[int, ...], ...], code: Code, bit: int) -> int:
        of_lines = [self._context(kind, line, _LINE_CERTAINTY) for kind, line in enumerate(lines)]
        of_around = [self._context(kind, what, 0) for kind, what in enumerate(around, len(lines))]
        return decide([*of_lines, *of_around], self._rates, code, bit)

    def _context(self, kind: int, value: object, certainty: int) -> list[int]:
        return self._contexts.setdefault((kind, value), [0, certainty])


class Writer:
    """The decisions of an encoder, which are pushed from the last to the first."""

    def __init__(self) -> None:
        self.decisions: list[int] = []

    def __call__(self, chance: int, bit: int) -> int:
        self.decisions.append(chance | bit << 15)
        return bit


class Reader:
    """The decisions in a stream."""

    def __init__(self, state: int, words: NDArray[np.uint32]) -> None:
        self.state = state
        self._queue = iter(words.tolist())

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


def push(decisions: Sequence[int]) -> Stream:
    """The stream of an encoder's decisions."""
    state, words = 1, []
    for decision in reversed(decisions):
        chance, bit = decision & 0x7FFF, decision >> 15
        width = chance if bit else CHANCES - chance
        if state >= width << 64 - _CHANCE_LOG:
            words.append(state & 0xFFFFFFFF)
            state >>= _WORD_BITS
        state = (state // width << _CHANCE_LOG) + state % width + (0 if bit else chance)
    return state, np.array(words[::-1], np.uint32)


def join(state: int, words: NDArray[np.uint32]) -> bytes:
    """The bytes of a stream."""
    return state.to_bytes(_STATE_BYTES, "little") + words.astype("<u4").tobytes()


def split(data: Data) -> Stream:
    """What :func:`join` was given."""
    if len(data) < _STATE_BYTES or len(data) % _WORD_BYTES:
        raise ArtifactError(f"{len(data)} bytes are not a stream of decisions")
    return int.from_bytes(data[:_STATE_BYTES], "little"), np.frombuffer(data[_STATE_BYTES:], "<u4")
