from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule import load_family, load_schedule

FAMILIES = sorted((Path(__file__).parents[2] / "schedules" / "families").glob("*.yml"))
Write = Callable[[str], Path]
MATRIX = """\
matrix:
  loss:
    softmax: {}
    l1: {train.loss: {l1: 1.0e-5}}
  bits: {stages.2.bits: [3, 4]}
  seed: {seed: [0, 1]}
reference:
  - {loss: l1, bits: 4, accuracy_percent: 99.5, source: Table 2}
"""


def complaints(write: Write, text: str, *overrides: str) -> list[str]:
    with pytest.raises(ScheduleError) as caught:
        load_family(write(text), overrides)
    return str(caught.value).splitlines()


def test_each_combination_is_a_schedule_of_its_own(write: Write, good: str) -> None:
    family = load_family(write(good + MATRIX))
    assert family.axes == {"loss": ("softmax", "l1"), "bits": ("3", "4"), "seed": ("0", "1")}
    assert len(family.cells) == 8
    last = family.cells[-1]
    assert last.schedule.name == "small-l1-4-seed1" and last.labels == {"loss": "l1", "bits": "4", "seed": "1"}
    alone = ["train.loss={l1: 1.0e-5}", "stages.2.bits=4", "seed=1", "name=small-l1-4-seed1"]
    assert last.schedule == load_schedule(write(good), alone)
    assert [cell.reference is not None for cell in family.cells] == [False] * 6 + [True] * 2


def test_overrides_reach_every_cell_and_shorten_axes(write: Write, good: str) -> None:
    family = load_family(write(good + MATRIX), ["stages.0.train.epochs=2", "matrix.seed.seed=[5]"])
    assert [cell.schedule.seed for cell in family.cells] == [5] * 4
    assert {cell.schedule.stages[0].canonical()["train"]["epochs"] for cell in family.cells} == {2}


def test_figures_of_choices_that_an_override_takes_out_are_left_out(write: Write, good: str) -> None:
    family = load_family(write(good + MATRIX), ["matrix.bits={stages.2.bits: [3]}"])
    assert len(family.cells) == 4 and not any(cell.reference for cell in family.cells)
    told = complaints(write, (good + MATRIX).replace("[3, 4]", "[3, 5]"))
    assert any("reference[0].bits" in line for line in told)


def test_a_file_without_a_matrix_is_a_family_of_one(write: Write, good: str) -> None:
    [cell] = load_family(write(good)).cells
    assert cell.schedule == load_schedule(write(good)) and cell.labels == {}


def test_a_matrix_is_no_schedule(write: Write, good: str) -> None:
    with pytest.raises(ScheduleError, match=r"^x.yml:19: matrix: .*dqc compare .*load_family"):
        load_schedule(write(good + MATRIX))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[3, 4]", "[3, 4, 9]", "x.yml:23: stages[2].bits: must be from 2 to 8, not 9"),
        ("{l1: 1.0e-5}", "{l1: -1}", "x.yml:22: train.loss.l1: must be at least 0, not -1"),
        ("sparsity: 0.9", "sparsty: 0.9", "x.yml:11: stages[1].sparsty: unknown key; did you mean 'sparsity'?"),
        (
            "stages.2.bits",
            "stages.7.bits",
            "x.yml:23: matrix.bits[\"stages.7.bits\"][0]: stages has the numbers 0 to 3, not '7'",
        ),
        ("[3, 4]", "[3, 3]", 'x.yml:23: matrix.bits["stages.2.bits"][1]: 3 is given twice'),
        ("softmax: {}", "softmax:", "x.yml:21: matrix.loss.softmax: must be a mapping of key paths"),
        ("{seed: [0, 1]}", "{name: [a, b]}", "x.yml:24: matrix.seed.name[0]: a matrix cannot set 'name'"),
        ("{seed: [0, 1]}", "3", "x.yml:24: matrix.seed: must be a mapping of choices, or one key with a list"),
        ("bits: 4, acc", "bits: 7, acc", "x.yml:26: reference[0].bits: must be one of 3, 4, not 7"),
        ("bits: 4, acc", "bit: 4, acc", "x.yml:26: reference[0].bit: unknown key; did you mean 'bits'?"),
        ("99.5,", "995,", "x.yml:26: reference[0].accuracy_percent: must be from 0"),
        (
            "{seed: [0, 1]}",
            "{train: [a]}",
            "x.yml:24: matrix.seed.train[0]: would undo what matrix.loss gives to train",
        ),
    ],
)
def test_what_is_wrong_is_told_once_with_its_line(write: Write, good: str, old: str, new: str, expected: str) -> None:
    told = complaints(write, (good + MATRIX).replace(old, new))
    assert len([line for line in told if line.startswith(expected)]) == 1
    assert len(told) == len(set(told))


def test_an_override_that_the_matrix_would_undo_is_an_error(write: Write, good: str) -> None:
    told = complaints(write, good + MATRIX, "seed=7")
    assert "would undo what --set seed=7 gives to seed" in told[0]


def test_labels_that_join_alike_are_an_error(write: Write, good: str) -> None:
    matrix = "matrix:\n  a: {x: {}, x-y: {}}\n  b: {y-z: {}, z: {}}\n"
    assert "two cells would be called small-x-y-z" in complaints(write, good + matrix)[0]


def test_a_checkpoint_names_the_choices_of_its_cell() -> None:
    family = {
        "version": 1,
        "name": "x",
        "model": "lenet5",
        "data": "digits",
        "stages": [{"train": {"checkpoint": "nets/{size}-seed{seed}.pt"}}],
        "matrix": {"size": {"stages.0.train.epochs": [1, 2]}, "seed": {"seed": [0, 1]}},
    }
    starts = [cell.schedule.stages[0].canonical()["train"]["checkpoint"] for cell in load_family(family).cells]
    assert starts == ["nets/1-seed0.pt", "nets/1-seed1.pt", "nets/2-seed0.pt", "nets/2-seed1.pt"]
    family["stages"] = [{"train": {"checkpoint": "nets/{sead}.pt"}}]
    with pytest.raises(ScheduleError, match=r"\{sead\} names no axis of the matrix; did you mean 'seed'"):
        load_family(family)
    teacher = {"model": "lenet5", "checkpoint": "nets/{size}.pt"}
    family["stages"] = [{"train": {"epochs": 1, "distill": {"teacher": teacher}}}]
    stages = [cell.schedule.stages[0].canonical()["train"] for cell in load_family(family).cells]
    assert [s["distill"]["teacher"]["checkpoint"] for s in stages] == ["nets/1.pt"] * 2 + ["nets/2.pt"] * 2


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: path.stem)
def test_ready_families_load_and_are_named_after_their_file(path: Path) -> None:
    assert load_family(path).name == path.stem


def test_the_paper_s_tables_have_all_cells_and_figures() -> None:
    cells = load_family(next(path for path in FAMILIES if path.stem == "mnist-tables-1-2-3")).cells
    published = [cell for cell in cells if cell.reference]
    assert (len(cells), len(published)) == (108, 54)
    assert {cell.labels["quantizer"] for cell in published} == {"dqc"}


def test_other_methods_stand_beside_the_family(write: Write, good: str) -> None:
    family = load_family(write(good + MATRIX + "others:\n- {name: A, accuracy_percent: 99.3, bytes: 3030}\n"))
    assert [(other.name, other.accuracy_percent, other.bytes) for other in family.others] == [("A", 99.3, 3030)]
    told = complaints(write, good + MATRIX + "others:\n- {name: A, accuracy: 99.3}\n")
    assert "x.yml:28: others[0].accuracy: unknown key; did you mean 'accuracy_percent'?" in told


@pytest.mark.parametrize(
    ("name", "cells", "published", "starts"),
    [
        ("cifar10-tables", 96, 48, 8),
        ("cifar10-inq", 32, 24, 8),
        ("cifar10-resnet20-ablation", 16, 0, 1),
        ("cifar10-resnet20-two-bits", 10, 0, 1),
    ],
)
def test_the_cifar10_families_share_their_float_networks(name: str, cells: int, published: int, starts: int) -> None:
    found = load_family(next(path for path in FAMILIES if path.stem == name)).cells
    assert (len(found), sum(cell.reference is not None for cell in found)) == (cells, published)
    assert len({str(cell.schedule.stages[0].canonical()) for cell in found}) == starts
