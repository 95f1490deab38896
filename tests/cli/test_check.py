from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dqc_plugin.cli.check import check
from dqc_plugin.errors import ScheduleError

SCHEDULES = Path(__file__).parents[2] / "schedules"
APP = typer.Typer()
APP.command()(check)


def rows(*arguments: str) -> list[list[str]]:
    result = CliRunner().invoke(APP, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return [line.split() for line in result.stdout.splitlines()]


def test_a_row_for_each_layer_and_the_totals() -> None:
    overrides = (
        "stages.2.bits=5",
        "stages.2.layers={conv1: {bits: 8}}",
        "stages.1.layers={fc2: skip}",
        "stages.1.sparsity=0.5",
    )
    lines = rows(
        str(SCHEDULES / "lenet5-prune-dqc-huffman.yml"), *(part for text in overrides for part in ("--set", text))
    )
    assert lines[0][0] == "lenet5-prune-dqc-huffman:"
    conv1, fc2 = (next(line for line in lines if line and line[0] == name) for name in ("conv1", "fc2"))
    assert conv1[1:8] == ["20x1x5x5", "500", "agp", "50.0", "dqc", "8", "255"]
    assert conv1[-1] == "317"  # (500 * 1 bit + 250 * 8 bits) / 8 + 4, rounded up
    assert fc2[1:8] == ["10x500", "5,000", "-", "-", "dqc", "5", "31"]
    assert ["total", "430,500"] in [line[:2] for line in lines]
    assert lines[-1][:2] == ["expected", lines[-1][1]] and lines[-1][-1].endswith("x")


def test_an_error_is_left_to_the_command() -> None:
    with pytest.raises(ScheduleError, match=r"^--set seed=-1: seed: must be from 0 to 4294967295, not -1$"):
        rows(str(SCHEDULES / "lenet5-prune-dqc-huffman.yml"), "--set", "seed=-1")
