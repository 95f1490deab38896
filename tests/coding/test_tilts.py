from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import loglinear, tilts
from dqc_plugin.coding.loglinear import CODE

RANDOM = np.random.default_rng(0)


def _samples(table: list[float], tilt: np.ndarray) -> np.ndarray:
    """A symbol for each tilt."""
    powers = np.array(table) * np.exp(CODE * tilt[:, None] * np.arange(len(table)))
    upto = np.cumsum(powers / powers.sum(1, keepdims=True), 1)
    return (RANDOM.random((len(tilt), 1)) > upto[:, :-1]).sum(1)


@pytest.mark.parametrize("wanted", [[3, -2], [0, 7], [-8, 1]])
def test_tilts_are_found(wanted: list[int]) -> None:
    contexts = RANDOM.integers(-4, 5, (60, 2))
    which = np.repeat(np.arange(60), 2000)
    symbols = _samples([0.1, 0.4, 0.3, 0.2], (contexts @ wanted)[which])
    histogram = np.bincount(which * 4 + symbols, minlength=240).reshape(60, 4)
    assert tilts.fit_tilts(histogram, contexts.astype(float)) == wanted


def test_tilts_are_as_large_as_they_can_be_written() -> None:
    assert tilts.fit_tilts(np.array([[100, 0, 1], [1, 0, 100]]), np.array([[-0.1], [0.1]])) == [7]


def test_no_symbols_tell_no_tilts() -> None:
    assert tilts.fit_tilts(np.zeros((3, 4), np.int64), np.ones((3, 2))) == [0, 0]


def test_a_table_is_found_behind_tilts() -> None:
    table, tilt = [0.2, 0.5, 0.0, 0.3], RANDOM.integers(-10, 11, 50_000)
    found = tilts.fit_table(_samples(table, tilt), tilt, 6)
    assert found[2] == found[4] == found[5] == 0
    np.testing.assert_allclose(found[:4] / found.sum(), table, atol=0.01)


def test_every_symbol_that_occurs_has_a_count() -> None:
    symbols = np.array([0] * 5000 + [3])
    assert (tilts.fit_table(symbols, np.zeros(5001, np.int64), 4) > 0).tolist() == [True, False, False, True]


def test_weights_are_those_of_the_likeliest_model() -> None:
    """Of one context and a feature for each symbol but the first, these are the logarithms of the shares."""
    counts = np.array([[500, 250, 1000]])
    features = np.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    np.testing.assert_allclose(loglinear.fit(counts, features), np.log([0.5, 2.0]), atol=1e-3)


def test_what_never_occurs_with_a_feature_leaves_its_weight_finite() -> None:
    found = loglinear.fit(np.array([[10, 0]]), np.array([[[0.0], [1.0]]]))
    assert -20 < found[0] < -2


def test_a_histogram_has_the_contexts_that_occur() -> None:
    contexts, symbols = np.array([[-1, 300], [1, 0], [-1, 300], [1, 0], [0, 0]]), np.array([2, 0, 2, 1, 1])
    found, counts = loglinear.histogram(contexts, symbols, 3)
    assert found.tolist() == [[-1, 300], [0, 0], [1, 0]]
    assert counts.tolist() == [[0, 0, 2], [0, 1, 0], [1, 1, 0]]


def test_outcomes_that_cannot_be_do_not_count() -> None:
    counts, features = np.array([[300, 100, 0]]), np.array([[[0.0], [1.0], [5.0]]])
    found = loglinear.fit(counts, features, np.array([[0.0, 0.0, -np.inf]]))
    np.testing.assert_allclose(found, np.log([1 / 3]), atol=1e-3)


def test_a_histogram_that_is_empty_tells_nothing() -> None:
    np.testing.assert_array_equal(loglinear.fit(np.zeros((3, 2), np.int64), np.ones((3, 2, 4))), np.zeros(4))


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 2**32 - 1), contexts=st.integers(1, 6), most=st.sampled_from([1, 3, 10**6]))
def test_any_histogram_has_tilts_that_can_be_written(seed: int, contexts: int, most: int) -> None:
    random = np.random.default_rng(seed)
    histogram, drives = random.integers(0, most + 1, (contexts, 5)), random.normal(0, 30, (contexts, 2))
    histogram[random.random((contexts, 5)) < 0.5] = 0
    assert all(-8 <= tilt <= 7 for tilt in tilts.fit_tilts(histogram, drives))


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 300), alphabet=st.sampled_from([1, 2, 10, 60]))
def test_a_table_has_what_occurs_and_nothing_else(seed: int, count: int, alphabet: int) -> None:
    """However tables are tilted: a symbol without slots could not be written."""
    random = np.random.default_rng(seed)
    symbols, tilt = random.integers(0, alphabet, count), random.integers(-32, 32, count)
    found = tilts.fit_table(symbols, tilt, alphabet)
    np.testing.assert_array_equal(found > 0, np.bincount(symbols, minlength=alphabet) > 0)
