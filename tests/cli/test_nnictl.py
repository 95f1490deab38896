"""NNI's own command line with our trial command, our tuner and a user's own trial code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "nni_search"
PORT = 18_740


@pytest.fixture
def nnictl(tmp_path: Path) -> Iterator[Any]:
    """nnictl with a home of its own: its register of algorithms and its experiments stay there."""
    python = Path(sys.executable).parent
    path = os.pathsep.join([str(python), os.environ["PATH"]])
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "PATH": path}

    def call(*arguments: str) -> str:
        command = [str(python / "nnictl"), *arguments]
        done = subprocess.run(command, text=True, capture_output=True, timeout=120, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "home").mkdir()
    yield call
    call("stop", "--all")


def finished(port: int) -> list[dict[str, Any]]:
    """The final figures of all trials, once the experiment is done."""
    address = f"http://localhost:{port}/api/v1/nni"
    for _ in range(240):
        with urlopen(f"{address}/check-status") as answer:
            status = json.load(answer)["status"]
        if status == "DONE":
            break
        assert status != "ERROR"
        time.sleep(0.5)
    with urlopen(f"{address}/trial-jobs") as answer:
        trials = json.load(answer)
    assert [trial["status"] for trial in trials] == ["SUCCEEDED"] * 2, trials
    return [json.loads(json.loads(trial["finalMetricData"][0]["data"])) for trial in trials]


@pytest.mark.parametrize(("number", "config"), enumerate(["dqc_trial.yml", "own_trial.yml"]))
def test_an_experiment_of_nnictl(number: int, config: str, nnictl: Any, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "code")
    text = re.sub("maxTrialNumber: 6", "maxTrialNumber: 2", (tmp_path / "code" / config).read_text())
    (tmp_path / "code" / config).write_text(text)
    if "MixedPrecision" in text:
        nnictl("algo", "register", "--meta", str(tmp_path / "code" / "mixed_precision.yml"))
    nnictl("create", "--config", str(tmp_path / "code" / config), "--port", str(PORT + 10 * number))
    for metrics in finished(PORT + 10 * number):
        assert metrics["accuracy"] > 0.3 and 1_000 < metrics["bytes"] < 40_000
