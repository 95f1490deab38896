"""Whatever stands at a key, the answer is a schedule or a ScheduleError, never another exception."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule import load_schedule

BASE = YAML(typ="safe").load("""
version: 1
name: any
seed: 0
device: cpu
threads: 1
model: {name: lenet5, classes: 10}
data: {name: digits, validation: 10, evaluate_on: validation, augment: none}
train:
  batch_size: 8
  optimizer: {name: sgd, lr: 0.1, momentum: 0.9, nesterov: true}
  lr_schedule: {name: multistep, milestones_epochs: [1], gamma: 0.5}
  loss: {name: cross_entropy, l1: 0.0}
stages:
  - train: {epochs: 2, gradient_clip_norm: 1.0}
  - {pruner: agp, sparsity: 0.5, epochs: 2, using: level, layers: {conv1: {sparsity: 0.1}, fc2: skip}}
  - {quantizer: dqc, bits: 4, epochs: 2, codebook: {freeze_after_steps: 3}, layers: {"re:fc.*": {bits: 3}}}
  - {coder: huffman, file: a.dqc}
""")


def places(data: Any, keys: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [keys, *(place for key, value in items for place in places(value, (*keys, key)))]


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(["skip", "re:(", "json:dumps", "math:pi", "a.npz", "dqc", "adam", "step", "train", "name"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["name", "train", "pruner", "skip", "bits", "lr", "x"]), inner, max_size=3),
    ),
    max_leaves=4,
)


def test_the_base_is_a_schedule() -> None:
    assert len(load_schedule(BASE).stages) == 4


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(places(BASE)[1:]), VALUES)
def test_any_value_at_any_key(place: tuple[Any, ...], value: Any) -> None:
    mapping = copy.deepcopy(BASE)
    inner = mapping
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    try:
        schedule = load_schedule(mapping)
    except ScheduleError as error:
        assert str(error)
    else:
        assert load_schedule(schedule.canonical()) == schedule


@pytest.mark.parametrize("place", places(BASE)[1:], ids=str)
def test_without_any_one_key(place: tuple[Any, ...]) -> None:
    mapping = copy.deepcopy(BASE)
    inner = mapping
    for key in place[:-1]:
        inner = inner[key]
    del inner[place[-1]]
    try:
        load_schedule(mapping)
    except ScheduleError as error:
        assert str(error)
