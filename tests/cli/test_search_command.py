from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
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
SPACE = SEARCH.replace("bits: [2, 3, 4]", "searchSpace: {{{}}}")


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
        (
            SEARCH.replace("Number: 6", "Number: x"),
            "search.yml:6: maxTrialNumber: must be a whole number from 1, not 'x'",
        ),
        (SEARCH.replace("Concurrency: 2", "Concurrency: 0"), "trialConcurrency: must be a whole number from 1, not 0"),
        (SEARCH + "trainingService: {platform: foo}\n", "'foo' is no platform of NNI"),
        (SEARCH.replace("bits: [2, 3, 4]", "bits: {choices: [2, 3], layers: [fc9]}"), "'fc9' matches no layer"),
        (SPACE.format("stages.1.optimizer.lr: {_type: uniform, _value: [0.1, 1]}"), "choice alone"),
        (SPACE.format("stages.1.optimizer.lr: {_type: chioce, _value: [0.1]}"), 'unsupported type "chioce"'),
        (SPACE.format("stages.9.epochs: {_type: choice, _value: [1]}"), "searchSpace: 'stages.9.epochs'"),
        (SPACE.format("stages.1.optimizer.lrr: {_type: choice, _value: [0.1]}"), "did you mean 'lr'?"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(search: str, text: str, tmp_path: Path) -> None:
    write(tmp_path, search)
    done = dqc(tmp_path, "search", "search.yml")
    assert done.returncode == 1 and text in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "runs").exists()


BROKEN_TUNER = """\
import time
from nni.tuner import Tuner

class Broken(Tuner):
    def update_search_space(self, space): pass
    def receive_trial_result(self, *given, **more): pass
    def generate_parameters(self, number, **more): {}
"""
USES_IT = "uniform: false\nstalled_after_seconds: 4\ntuner: {className: broken.Broken, codeDirectory: .}\n"


@pytest.mark.parametrize(
    ("does", "text"),
    [
        ("time.sleep(1000)", "the search hangs: no trial for 4 seconds"),
        ("raise OSError('it is broken')", "it is broken"),
    ],
)
def test_a_tuner_that_hangs_or_dies_ends_the_search(does: str, text: str, tmp_path: Path) -> None:
    write(tmp_path, SEARCH + USES_IT)
    (tmp_path / "broken.py").write_text(BROKEN_TUNER.format(does))
    with socket.socket() as busy:  # NNI's first port, too
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if busy.connect_ex(("localhost", 8080)):
            busy.bind(("localhost", 8080))
            busy.listen()
        done = dqc(tmp_path, "search", "search.yml")
    assert done.returncode == 1 and text in done.stderr, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_trial_of_nan_is_a_failed_trial(tmp_path: Path) -> None:
    one = SEARCH.replace("bits: [2, 3, 4]", "searchSpace: {stages.1.optimizer.lr: {_type: choice, _value: [1.0e+30]}}")
    write(tmp_path, one)
    done = dqc(tmp_path, "search", "search.yml")
    assert done.returncode == 1 and "every trial failed" in done.stderr, done.stdout + done.stderr
    assert "trial.stderr" in done.stderr and "holds NaN" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_search_that_is_stopped_leaves_no_process_and_goes_on(how: signal.Signals, tmp_path: Path) -> None:
    write(tmp_path)
    trials = tmp_path / "runs" / "search" / "trials"
    command = [sys.executable, "-m", "dqc_plugin", "search", "search.yml"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as search:
        wait(lambda: any(trials.glob("*/trial.json")))
        children = psutil.Process(search.pid).children(recursive=True)
        search.send_signal(how)
        said = search.communicate(timeout=30)[1]
    assert len(children) > 3
    wait(lambda: not any(alive(child) for child in children))
    if how == signal.SIGTERM:
        assert "--resume" in said and "Traceback" not in said
    before = {path: path.stat().st_mtime_ns for path in trials.glob("*/trial.json")}
    done = dqc(tmp_path, "search", "search.yml", "--resume")
    assert done.returncode == 0, done.stdout + done.stderr
    after = {path: path.stat().st_mtime_ns for path in trials.glob("*/trial.json")}
    assert len(after) == 6 > len(before) and before.items() <= after.items()


def wait(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("waited for a minute")


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
