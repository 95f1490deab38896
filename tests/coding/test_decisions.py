from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqc_plugin.coding import decisions
from dqc_plugin.errors import ArtifactError


@given(st.lists(st.tuples(st.integers(1, 4095), st.integers(0, 1)), max_size=300))
def test_decisions_come_back(wanted: list[tuple[int, int]]) -> None:
    data = decisions.join(*decisions.push([chance | bit << 15 for chance, bit in wanted]))
    reader = decisions.Reader(*decisions.split(data))
    assert [reader(chance, 0) for chance, _ in wanted] == [bit for _, bit in wanted]
    assert reader.ends()


def test_a_stream_takes_the_bits_of_its_chances() -> None:
    random = np.random.default_rng(0)
    chances = random.integers(1, 4096, 10_000)
    bits = random.random(10_000) < chances / 4096
    ideal = -np.log2(np.where(bits, chances, 4096 - chances) / 4096).sum() / 8
    data = decisions.join(*decisions.push((chances | bits.astype(int) << 15).tolist()))
    assert ideal <= len(data) <= ideal + 8


def test_squash_is_the_logistic_function() -> None:
    """Of 2^8ths of a natural logit, 4096 its one."""
    logits = np.arange(-2047, 2048) / 256
    assert np.abs(decisions.SQUASH - 4096 / (1 + np.exp(-logits))).max() < 20
    assert decisions.SQUASH.min() == 1
    assert decisions.SQUASH.max() < decisions.CHANCES
    assert (np.diff(decisions.SQUASH) >= 0).all()


def test_contexts_learn_a_rule() -> None:
    """A bit that is its context's number, and a context that says nothing."""
    writer = decisions.Writer()
    told, untold = [[0, 0], [0, 0]], [0, 0]
    for bit in np.random.default_rng(0).integers(0, 2, 400).tolist():
        decisions.decide([told[bit], untold], decisions.rates_of(25), writer, bit)
    assert len(decisions.join(*decisions.push(writer.decisions))) < 20


@pytest.mark.parametrize("length", [0, 7, 9, 11])
def test_no_stream_has_such_a_length(length: int) -> None:
    with pytest.raises(ArtifactError, match="not a stream of decisions"):
        decisions.split(bytes(length))
