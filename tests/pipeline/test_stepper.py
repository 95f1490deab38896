from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import dqc_plugin


def final_weights(schedule: dict[str, Any], folder: Path) -> dict[str, torch.Tensor]:
    return dqc_plugin.run(schedule, folder).model.state_dict()


def test_two_accumulated_batches_are_one_of_twice_the_size(schedule: dict[str, Any], tmp_path: Path) -> None:
    schedule["stages"] = [{"train": {"epochs": 2}}]
    whole = final_weights(schedule, tmp_path / "whole")
    schedule["train"] |= {"batch_size": 64, "accumulate_batches": 2}
    parts = final_weights(schedule, tmp_path / "parts")
    apart = max(float((whole[name] - parts[name]).abs().max()) for name in whole)
    assert 0 < apart < 1e-4


def test_pruners_and_codebooks_count_optimizer_steps(schedule: dict[str, Any], tmp_path: Path) -> None:
    schedule["train"] |= {"batch_size": 32, "accumulate_batches": 4}
    result = dqc_plugin.run(schedule, tmp_path)
    assert result.stages[1]["sparsity"] == pytest.approx(0.8, abs=0.01)
    assert result.stages[-1]["metric"] > 0.8


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains(schedule: dict[str, Any], tmp_path: Path, precision: str) -> None:
    result = dqc_plugin.run({**schedule, "precision": precision}, tmp_path)
    assert result.stages[-1]["metric"] > 0.85


def test_a_stage_may_have_its_own_precision(schedule: dict[str, Any], tmp_path: Path) -> None:
    def trained(name: str, of_all: str, **of_the_stage: str) -> dict[str, torch.Tensor]:
        stages = [{"train": {"epochs": 1, **of_the_stage}}]
        return final_weights({**schedule, "precision": of_all, "stages": stages}, tmp_path / name)

    half = trained("half", "bfloat16")
    overridden = trained("overridden", "float32", precision="bfloat16")
    whole = trained("whole", "bfloat16", precision="float32")
    assert all(torch.equal(half[name], overridden[name]) for name in half)
    assert not all(torch.equal(half[name], whole[name]) for name in half)
