from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from dqc_plugin.errors import ConfigError
from dqc_plugin.schedule import load_schedule
from dqc_plugin.search.remote import is_local, receive, send
from dqc_plugin.search.trial import read_trial

SCHEDULE = {"version": 1, "name": "m", "stages": [{"train": {"epochs": 1}}]}
METRICS = {"default": 0.5, "accuracy": 0.9, "bytes": 1000}


def test_what_is_sent_is_the_schedule_and_the_network_to_start_from(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text(json.dumps(SCHEDULE))
    (tmp_path / "trials" / "start").mkdir(parents=True)
    (tmp_path / "trials" / "start" / "model.safetensors").write_text("weights")
    (tmp_path / "trials" / "other").mkdir()
    code = send(tmp_path, tmp_path / "trials", {})
    sent = {str(path.relative_to(code)) for path in code.rglob("*") if path.is_file()}
    assert sent == {"base.json", "trials/start/model.safetensors"}
    with pytest.raises(ConfigError, match="install your modules"):
        send(tmp_path, tmp_path / "trials", {"trialCodeDirectory": "."})


def test_a_schedule_that_was_sent_finds_its_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("start.pt", "nets/teacher.pt"):
        Path(name).parent.mkdir(exist_ok=True)
        torch.save({}, name)
    elsewhere = tmp_path.parent / "elsewhere.pt"
    torch.save({}, elsewhere)
    train = {"checkpoint": "start.pt", "epochs": 1}
    taught = [
        {"quantizer": "dqc", "epochs": 1, "distill": {"teacher": {"model": "lenet5", "checkpoint": file}}}
        for file in ("nets/teacher.pt", str(elsewhere))
    ]
    Path("base.json").write_text(json.dumps({**SCHEDULE, "stages": [{"train": train}, *taught]}))
    monkeypatch.chdir(send(Path(), Path("trials"), {}))
    assert len(load_schedule(Path("base.json")).stages) == 3
    assert {str(path) for path in Path().rglob("*.pt")} == {"start.pt", "nets/teacher.pt"}


def test_figures_that_come_back_are_kept_once(tmp_path: Path) -> None:
    receive(tmp_path / "t", {"fc1.bits": 3}, METRICS)
    receive(tmp_path / "t", {"fc1.bits": 3}, {**METRICS, "bytes": 1})
    kept = read_trial(tmp_path / "t")
    assert kept is not None and kept.metrics == METRICS and kept.parameters == {"fc1.bits": 3}
    assert json.loads((tmp_path / "t" / "trial.json").read_text())["bytes"] == 1000


@pytest.mark.parametrize(
    ("service", "local"),
    [(None, True), ({"platform": "local"}, True), ({"platform": "remote"}, False), ([{"platform": "local"}], False)],
)
def test_where_trials_run(service: object, local: bool) -> None:
    assert is_local({"trainingService": service}) is local
