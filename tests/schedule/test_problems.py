from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule.overrides import _parse
from dqc_plugin.schedule.problems import Origin, Position, Problems, show_keys


def lines(problems: Problems) -> list[str]:
    with pytest.raises(ScheduleError) as caught:
        problems.raise_if_any()
    return str(caught.value).splitlines()


def test_problems_come_in_the_order_of_the_file_and_once() -> None:
    problems = Problems(Origin("f", {("b",): Position(9, 1), ("a",): Position(10, 3), ("c",): Position(10, 1)}))
    for key in ("a", "c", "b", "a"):
        problems.add((key,), "is wrong")
    assert lines(problems) == ["f:9: b: is wrong", "f:10: c: is wrong", "f:10: a: is wrong"]


def test_a_key_that_is_nowhere_has_the_line_of_what_is_around_it() -> None:
    problems = Problems(Origin("f", {(): Position(1, 1), ("a",): Position(4, 1)}))
    problems.add(("a", 3, "b"), "is required")
    problems.add(("z",), "is required")
    assert lines(problems) == ["f:1: z: is required", "f:4: a[3].b: is required"]


def test_overrides_come_after_the_file_and_hide_what_they_replace() -> None:
    origin = Origin("f", {("a",): Position(2, 1), ("a", "b"): Position(2, 4), ("c",): Position(1, 1)})
    problems = Problems(origin.with_override(("a",), "a={b: 1}"))
    problems.add(("a", "b"), "is wrong")
    problems.add(("c",), "is wrong")
    assert lines(problems) == ["f:1: c: is wrong", "--set a={b: 1}: a.b: is wrong"]


def test_no_problem_raises_nothing() -> None:
    Problems(Origin("f")).raise_if_any()


def test_origins_do_not_make_schedules_differ() -> None:
    assert Origin("f", {("a",): Position(1, 1)}) == Origin()


def test_show_keys() -> None:
    assert show_keys(("stages", 1, "layers", "re:conv.*", "bits")) == 'stages[1].layers["re:conv.*"].bits'


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_set_reads_what_messages_show(keys: list[str]) -> None:
    assert _parse(f"{show_keys(tuple(keys))}=1") == (keys, 1)
