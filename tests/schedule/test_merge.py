from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.schedule.merge import depth, locator, overlay

SECTIONS = st.dictionaries(st.sampled_from(["lr", "momentum", "betas"]), st.integers(), max_size=3)
TRAIN = st.dictionaries(
    st.sampled_from(["epochs", "optimizer", "loss"]), st.one_of(st.integers(), SECTIONS), max_size=3
)


@settings(deadline=None, max_examples=100)
@given(TRAIN, TRAIN)
def test_the_top_wins_and_nothing_is_lost(base: dict[str, object], top: dict[str, object]) -> None:
    merged = overlay(base, top)
    assert merged.keys() == base.keys() | top.keys()
    for key, value in top.items():
        below = base.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        assert merged[key] == ({**below, **value} if both else value)


@settings(deadline=None, max_examples=100)
@given(TRAIN, TRAIN)
def test_every_value_is_found_where_it_was_given(base: dict[str, object], top: dict[str, object]) -> None:
    where = {"base": base, "top": top}
    locate = locator((("base",), base), (("top",), top))
    for key, value in overlay(base, top).items():
        for keys in [(key,), *((key, inner) for inner in (value if isinstance(value, dict) else ()))]:
            assert depth(where, locate(keys)) == 1 + len(keys)


def test_another_name_starts_afresh() -> None:
    base = {"optimizer": {"name": "sgd", "lr": 1, "momentum": 2}}
    assert overlay(base, {"optimizer": {"name": "adam"}}) == {"optimizer": {"name": "adam"}}
    assert overlay(base, {"optimizer": {"name": "sgd", "lr": 3}})["optimizer"] == {
        "name": "sgd",
        "lr": 3,
        "momentum": 2,
    }


def test_the_default_name_is_not_another_name() -> None:
    assert overlay({"optimizer": {"lr": 1}}, {"optimizer": {"name": "sgd"}}) == {"optimizer": {"name": "sgd", "lr": 1}}
    assert overlay({"optimizer": {"lr": 1}}, {"optimizer": {"name": "adam"}}) == {"optimizer": {"name": "adam"}}


def test_what_neither_has_is_missing_in_the_top_or_in_the_section_that_the_base_began() -> None:
    locate = locator((("train",), {"lr_schedule": {"name": "step"}}), (("stages", 0), {}))
    assert locate(("epochs",)) == ("stages", 0, "epochs")
    assert locate(("lr_schedule", "step_epochs")) == ("train", "lr_schedule", "step_epochs")
