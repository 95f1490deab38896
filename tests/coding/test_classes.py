from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding.classes import Classes, Whole


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(st.integers(0, 4), min_size=1, max_size=12),
    columns=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    seed=st.integers(0, 999),
)
def test_places_are_in_the_order_of_contexts_rows_and_columns(rows: list[int], columns: list[int], seed: int) -> None:
    classes = Classes(np.array(rows, np.uint8), np.array(columns, np.uint8), 4, 3)
    cells = [
        (row_class + column_class - 2, row_class, row, column)
        for row, row_class in enumerate(rows)
        for column, column_class in enumerate(columns)
        if row_class and column_class
    ]
    order = np.array([row * len(columns) + column for *_, row, column in sorted(cells)], np.int64)
    assert classes.sizes == np.bincount([cell[0] for cell in cells], minlength=6).tolist()
    np.testing.assert_array_equal(classes.to_positions(np.arange(len(order))), order)
    np.testing.assert_array_equal(classes.to_places(order), np.arange(len(order)))
    some = np.flatnonzero(np.random.default_rng(seed).random(len(order)) < 0.5)
    np.testing.assert_array_equal(classes.to_positions(some), order[some])
    if all(rows) and all(columns):
        values = np.random.default_rng(seed).integers(0, 256, len(order)).astype(np.uint8)
        np.testing.assert_array_equal(classes.in_order(values), values[order])
        np.testing.assert_array_equal(classes.in_rows(classes.in_order(values)), values)


def test_a_whole_tensor_has_one_context() -> None:
    whole = Whole(5)
    assert (whole.contexts, whole.sizes) == (1, [5])
    np.testing.assert_array_equal(whole.to_positions(whole.to_places(np.array([1, 4]))), [1, 4])
