from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dqc_plugin.search.aim import Aim

accuracies = st.floats(0, 1)
sizes = st.integers(1, 10**7)
AIMS = (Aim(max_bytes=5000), Aim(min_accuracy_percent=90.0))


@given(accuracies, sizes, accuracies, sizes)
def test_what_keeps_the_limit_beats_what_does_not(a: float, s: int, b: float, t: int) -> None:
    for aim in AIMS:
        if aim.keeps(a, s) and not aim.keeps(b, t):
            assert aim.score(a, s, 10**6) >= aim.score(b, t, 10**6)


@given(accuracies, accuracies, sizes, sizes)
def test_more_accuracy_or_fewer_bytes_never_score_less(a: float, b: float, s: int, t: int) -> None:
    for aim in (*AIMS, Aim()):
        assert aim.score(max(a, b), min(s, t), 10**6) >= aim.score(min(a, b), max(s, t), 10**6)


def test_without_a_limit_half_the_bytes_are_worth_so_many_points() -> None:
    aim = Aim(points_per_halving=2.0)
    assert aim.score(0.90, 500, 10**6) == pytest.approx(aim.score(0.92, 1000, 10**6))
    assert aim.keeps(0.0, 10**9)


def test_two_limits_are_refused() -> None:
    with pytest.raises(ValidationError, match="not both"):
        Aim(max_bytes=1, min_accuracy_percent=1.0)
