"""The command line on real data: the embedded digits, and MNIST where DQC_DATA points to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SCHEDULE = """\
version: 1
name: tiny
model: {name: lenet300, image_size: 8}
data: digits
stages:
- train: {epochs: 3}
- {pruner: level, sparsity: 0.8, epochs: 2}
- {quantizer: dqc, bits: 4, epochs: 2}
- {coder: huffman, file: tiny.dqc}
"""


def dqc(*arguments: str | Path, cwd: Path, code: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "dqc_plugin", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    (folder / "tiny.yml").write_text(SCHEDULE)
    output, _ = dqc("run", "tiny.yml", cwd=folder)
    assert "tiny.dqc" in output and "verified" in output
    return folder


def test_check_prints_every_layer(finished: Path) -> None:
    output, _ = dqc("check", "tiny.yml", cwd=finished)
    for word in ("fc1", "fc2", "fc3", "level", "dqc", "15"):
        assert word in output


def test_inspect_and_verify(finished: Path) -> None:
    file = finished / "runs" / "tiny" / "tiny.dqc"
    output, _ = dqc("inspect", file, cwd=finished)
    assert "fc1" in output and f"{file.stat().st_size:,}" in output
    report = json.loads(dqc("inspect", file, "--json", cwd=finished)[0])
    assert str(file.stat().st_size) in json.dumps(report)
    dqc("verify", file, cwd=finished)


def test_a_set_key_is_a_changed_schedule(finished: Path) -> None:
    _, error = dqc("run", "tiny.yml", "--set", "stages.1.sparsity=0.9", cwd=finished, code=1)
    assert "stages[1].sparsity: 0.8 -> 0.9" in error and error.startswith("error: ")


def test_errors_are_one_message(finished: Path) -> None:
    (finished / "bad.yml").write_text(SCHEDULE.replace("sparsity: 0.8", "sparsty: 0.8").replace("bits: 4", "bits: 40"))
    _, error = dqc("run", "bad.yml", cwd=finished, code=1)
    assert "bad.yml:7" in error and "did you mean 'sparsity'" in error and "bad.yml:8" in error
    broken = finished / "broken.dqc"
    content = bytearray((finished / "runs" / "tiny" / "tiny.dqc").read_bytes())
    content[len(content) // 2] ^= 1
    broken.write_bytes(content)
    for command in ("verify", "inspect"):
        _, error = dqc(command, broken, cwd=finished, code=1)
        assert "broken.dqc" in error
    _, error = dqc("verify", "none.dqc", cwd=finished, code=1)
    assert "none.dqc" in error


@pytest.mark.skipif(not os.environ.get("DQC_DATA"), reason="needs DQC_DATA with mnist.npz")
def test_mnist_through_the_command_line(tmp_path: Path) -> None:
    schedule = ROOT / "schedules" / "lenet5-prune-dqc-huffman.yml"
    short = [word for stage in range(3) for word in ("--set", f"stages.{stage}.epochs=1")]
    short[1] = "stages.0.train.epochs=1"
    dqc("run", schedule, "--out", "run", *short, "--set", "stages.2.codebook.freeze_after_epochs=1", cwd=tmp_path)
    records = [json.loads(line) for line in (tmp_path / "run" / "records.jsonl").read_text().splitlines()]
    assert records[-1]["metric"] > 0.95 and records[-1]["same_outputs"]
