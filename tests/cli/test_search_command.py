from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import dqc_plugin

NET = """\
version: 1
name: digits
model: {name: lenet300, image_size: 8}
data: digits
stages:
  - train: {epochs: 4}
  - {quantizer: dqc, epochs: 2, bits: 4}
  - {coder: huffman, file: net.dqc}
"""
SEARCH = """\
quantizer: dqc
schedule: net.yml
bits: [2, 3, 4]
epochs: 1
trialConcurrency: 2
maxTrialNumber: 6
"""


def dqc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dqc_plugin", *arguments], cwd=folder, text=True, capture_output=True, timeout=300
    )


def write(folder: Path, search: str = SEARCH) -> None:
    (folder / "net.yml").write_text(NET)
    (folder / "search.yml").write_text(search)


def test_a_search_leaves_the_best_file_and_schedule_and_repeats_no_trial(tmp_path: Path) -> None:
    write(tmp_path)
    done = dqc(tmp_path, "search", "search.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "runs" / "search"
    trials = json.loads((folder / "trials.json").read_text())["trials"]
    assert len(trials) == 6 and all(len(trial["epochs"]) == 1 for trial in trials)
    dqc_plugin.verify(folder / "best.dqc")
    assert dqc(tmp_path, "check", str(folder / "best.yml")).returncode == 0
    assert "--resume" in dqc(tmp_path, "search", "search.yml").stderr
    times = sorted((path, path.stat().st_mtime_ns) for path in folder.glob("trials/*/trial.json"))
    again = dqc(tmp_path, "search", "search.yml", "--resume")
    assert again.returncode == 0, again.stderr
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.glob("trials/*/trial.json")) == times


@pytest.mark.parametrize(
    ("search", "text"),
    [
        (SEARCH.replace("bits:", "bit:"), "search.yml:3: bit: unknown key; did you mean 'bits'?"),
        (SEARCH.replace("[2, 3, 4]", "[2, 9]"), "must be whole numbers from 2 to 8, not 9"),
        (SEARCH.replace("maxTrialNumber: 6", ""), "maxTrialNumber is required"),
        (SEARCH + "tuner: {name: TPE}\n", "write classArgs: {optimize_mode: maximize}"),
        (SEARCH.replace("quantizer: dqc", "quantizer: sqc"), "is quantizer: dqc, not sqc"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(search: str, text: str, tmp_path: Path) -> None:
    write(tmp_path, search)
    done = dqc(tmp_path, "search", "search.yml")
    assert done.returncode == 1 and text in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "runs").exists()
