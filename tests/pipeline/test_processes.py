"""Two processes by torchrun (gloo, on the CPU) against one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import dqc_plugin
from dqc_plugin.pipeline.processes import ALONE, Processes

ROOT = Path(__file__).parent.parent.parent
RANKS = """\
import os
import sys

import torch

import dqc_plugin

result = dqc_plugin.run(sys.argv[1], out=sys.argv[2])
torch.save(result.model.state_dict(), f"rank{os.environ['RANK']}.pt")
"""


def torchrun(script: Path, *arguments: str | Path, cwd: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr


def test_two_processes_end_like_one(schedule: dict[str, Any], tmp_path: Path) -> None:
    schedule["stages"][2]["distill"] = {"weight": 0.5}
    schedule["train"]["accumulate_batches"] = 2
    (tmp_path / "tiny.yml").write_text(json.dumps(schedule))
    (tmp_path / "ranks.py").write_text(RANKS)
    torchrun(tmp_path / "ranks.py", "tiny.yml", "both", cwd=tmp_path)
    alone = dqc_plugin.run(schedule, tmp_path / "one")

    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    together = dqc_plugin.load(tmp_path / "both" / "tiny.dqc")
    assert all(torch.equal(together[name], first[name]) for name in first)
    assert alone.file is not None
    wanted = dqc_plugin.load(alone.file)
    for name, weights in wanted.items():
        same = torch.isclose(together[name], weights, rtol=1e-3, atol=1e-4).float().mean()
        assert same > 0.98, (name, float(same))  # a weight on the border of two codewords may fall to either side
    records = [json.loads(line) for line in (tmp_path / "both" / "records.jsonl").read_text().splitlines()]
    assert [(r["event"], r["stage"]) for r in records] == [(r["event"], r["stage"]) for r in alone.records]
    for ours, theirs in zip(records, alone.records, strict=True):
        assert ours["metric"] == pytest.approx(theirs["metric"], abs=0.02)
        assert ours.get("loss", 0) == pytest.approx(theirs.get("loss", 0), rel=0.02)


def test_a_batch_is_shared_out_so_that_the_weighted_mean_is_its_mean() -> None:
    batch = torch.arange(7.0), torch.arange(7)
    parts = [Processes(rank, 3).part(batch) for rank in range(3)]
    assert sorted(torch.cat([inputs for (inputs, _), _ in parts]).tolist()) == batch[0].tolist()
    assert sum(float(inputs.mean()) * weight / 3 for (inputs, _), weight in parts) == pytest.approx(3.0)


def test_a_batch_that_is_too_small_goes_whole_to_each() -> None:
    batch = torch.arange(2.0), torch.arange(2)
    assert all(Processes(rank, 3).part(batch) == (batch, 1.0) for rank in range(3))
    assert ALONE.part(batch) == (batch, 1.0)
