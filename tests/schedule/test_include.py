from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dqc_plugin.schedule import load_family, load_schedule

Write = Callable[[str], Path]
Complaint = Callable[..., list[str]]
TOP = "include: base.yml\nname: other\nmodel: {name: lenet5, image_size: 8}\ntrain:\n  optimizer: {lr: 0.1}\n"


def test_keys_of_the_including_file_override_those_below(write: Write, good: str) -> None:
    write(good).rename("base.yml")
    expected = load_schedule(
        "base.yml", ["name=other", "model={name: lenet5, image_size: 8}", "train.optimizer.lr=0.1"]
    )
    assert load_schedule(write(TOP)) == expected


def test_another_kind_of_optimizer_replaces_the_one_below(write: Write, good: str) -> None:
    write(good.replace("lr: 0.05", "lr: 0.05, momentum: 0.5")).rename("base.yml")
    schedule = load_schedule(write(TOP.replace("lr: 0.1", "name: adam")))
    assert schedule.stages[0].canonical()["train"]["optimizer"]["name"] == "adam"


def test_a_family_may_include_the_schedule_it_varies(write: Write, good: str) -> None:
    write(good).rename("base.yml")
    family = load_family(write("include: base.yml\nmatrix:\n  bits: {stages.2.bits: [3, 4]}\n"))
    assert [cell.schedule.name for cell in family.cells] == ["small-3", "small-4"]


def test_problems_are_told_with_the_file_they_stand_in(write: Write, complaint: Complaint, good: str) -> None:
    write(good.replace("bits: 5", "bits: 50")).rename("base.yml")
    told = complaint(TOP.replace("lr: 0.1", "lr: -1"))
    assert told == [
        "base.yml:15: stages[2].bits: must be from 2 to 8, not 50",
        "x.yml:5: train.optimizer.lr: must be above 0, not -1",
    ]


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("none.yml", "x.yml:1: include: no such file: none.yml (paths start beside the file that includes)"),
        ("3", "x.yml:1: include: must be the name of a file, such as base.yml, not 3"),
        ("x.yml", "x.yml:1: include: files include each other: x.yml -> x.yml"),
    ],
)
def test_an_include_that_cannot_be(complaint: Complaint, include: str, expected: str) -> None:
    assert complaint(f"include: {include}\n") == [expected]
