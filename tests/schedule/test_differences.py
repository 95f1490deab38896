from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.schedule import differences, load_schedule

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


def schedule(**changes: Any) -> dict[str, Any]:
    stages = [{"train": {"epochs": 2}}, {"quantizer": "dqc", "bits": 5, **changes}]
    return load_schedule({"version": 1, "name": "m", "stages": stages}).canonical()


def test_values_that_differ_are_shown_with_their_keys() -> None:
    assert differences(schedule(), schedule(bits=4, zero=False)) == [
        "stages[1].bits: 5 -> 4",
        "stages[1].zero: true -> false",
    ]
    assert differences(schedule(), schedule(codebook={"freeze_after_steps": 9})) == [
        "stages[1].codebook.freeze_after_steps: null -> 9"
    ]


def test_what_is_only_in_one() -> None:
    lines = differences(schedule(), schedule(layers={"re:fc.*": "skip"}))
    assert lines == ['stages[1].layers["re:fc.*"]: absent -> skip']
    assert differences({"a": [1, 2]}, {"a": [1]}) == ["a[1]: 2 -> absent"]


def test_true_is_not_one() -> None:
    assert differences({"a": True}, {"a": 1}) == ["a: true -> 1"]


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_nothing_differs_from_itself(mapping: dict[str, Any]) -> None:
    assert differences(mapping, mapping) == []


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=4), st.dictionaries(st.text(max_size=3), st.integers())
)
def test_one_line_for_each_key_that_differs(old: dict[str, int], new: dict[str, int]) -> None:
    assert len(differences(old, new)) == sum(old.get(key) != new.get(key) for key in old.keys() | new.keys())
