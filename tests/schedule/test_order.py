from __future__ import annotations

import pytest

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule.order import check_order
from dqc_plugin.schedule.problems import Origin, Problems


def complaints(kinds: str, has_model: bool = True) -> list[str]:
    problems = Problems(Origin())
    check_order([None if kind == "?" else kind for kind in kinds.split()], has_model, problems)
    try:
        problems.raise_if_any()
    except ScheduleError as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize(
    "kinds",
    [
        "train",
        "train train pruner pruner quantizer quantizer coder",
        "train quantizer",
        "train pruner",
        "? pruner quantizer coder",
        "train ? coder",
    ],
)
def test_possible_orders(kinds: str) -> None:
    assert complaints(kinds) == []


@pytest.mark.parametrize(
    ("kinds", "place", "start"),
    [
        ("pruner quantizer", 0, "a pruner needs a network"),
        ("quantizer", 0, "a quantizer needs a network"),
        ("coder", 0, "a coder needs a network"),
        ("train coder", 1, "a coder needs codebooks: put a quantizer stage before it"),
        ("train pruner coder", 2, "a coder needs codebooks: put a quantizer stage before it"),
        ("train quantizer pruner", 2, "a pruner after a quantizer would undo it"),
        ("train pruner train", 2, "train stages come before pruners and quantizers"),
        ("train quantizer train", 2, "train stages come before pruners and quantizers"),
        ("train quantizer coder quantizer", 3, "a coder ends the schedule"),
        ("train quantizer coder train", 3, "a coder ends the schedule"),
        ("train quantizer coder coder", 3, "there is a coder already"),
    ],
)
def test_impossible_orders(kinds: str, place: int, start: str) -> None:
    (only,) = complaints(kinds)
    assert only.startswith(f"stages[{place}]: {start}")


def test_a_network_that_the_caller_brings_may_be_trained_already() -> None:
    assert complaints("pruner quantizer coder", has_model=False) == []
    assert complaints("coder", has_model=False)[0].startswith("stages[0]: a coder needs codebooks")
