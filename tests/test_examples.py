"""The examples run as they are, and the example package works when it is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def python(*arguments: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_chain_written_against_nni_alone() -> None:
    output = python(EXAMPLES / "nni_chain.py")
    accuracies = [float(value) for value in re.findall(r"\d\.\d{4}", output)]
    assert len(accuracies) == 3 and accuracies[0] > 0.93 and accuracies[1] > 0.9
    assert accuracies[1] == accuracies[2]
    assert int(re.findall(r"(\d+) bytes", output)[0]) < 10_000


def test_own_training_loop() -> None:
    output = python(EXAMPLES / "own_training_loop.py")
    metrics = [float(value) for value in re.findall(r"variance (-?\d\.\d+)", output)]
    assert len(metrics) == 5 and min(metrics) > 0.2


def test_own_loop_in_two_processes() -> None:
    output = python(
        "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", EXAMPLES / "own_ddp_loop.py"
    )
    assert "2 processes, same codebooks: True" in output
    assert float(re.findall(r"accuracy (0\.\d+)", output)[0]) > 0.85


def test_own_trial_code_outside_of_an_experiment() -> None:
    output = python(EXAMPLES / "nni_search" / "own_trial.py")
    assert float(re.findall(r"'accuracy': (0\.\d+)", output)[-1]) > 0.9


def test_a_quantizer_of_another_package(tmp_path: Path) -> None:
    python(
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        tmp_path / "site",
        EXAMPLES / "own-quantizer",
    )
    (tmp_path / "s.yml").write_text(
        "version: 1\nname: signs\nmodel: {name: lenet300, image_size: 8}\ndata: digits\n"
        "stages:\n- train: {epochs: 2}\n- {pruner: level, sparsity: 0.5, epochs: 1}\n"
        "- {quantizer: sign, epochs: 3}\n- {coder: huffman, file: signs.dqc}\n"
    )
    command = "from dqc_plugin.cli import main; main()"
    path = os.pathsep.join([str(tmp_path / "site"), str(EXAMPLES.parent)])
    python("-c", command, "run", tmp_path / "s.yml", "--out", tmp_path / "run", PYTHONPATH=path)
    values = python(
        "-c",
        "import dqc_plugin, sys; w = dqc_plugin.load(sys.argv[1])['fc1.weight']; "
        "print(w.unique().numel(), float((w == 0).float().mean()))",
        tmp_path / "run" / "signs.dqc",
        PYTHONPATH=path,
    )
    assert values.split() == ["3", "0.5"]
