from __future__ import annotations

import json
from pathlib import Path

import pytest

from dqc_plugin.errors import ConfigError
from dqc_plugin.search.remote import is_local, receive, send
from dqc_plugin.search.trial import read_trial

METRICS = {"default": 0.5, "accuracy": 0.9, "bytes": 1000}


def test_what_is_sent_is_the_schedule_and_the_network_to_start_from(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text("{}")
    (tmp_path / "trials" / "start").mkdir(parents=True)
    (tmp_path / "trials" / "start" / "model.safetensors").write_text("weights")
    (tmp_path / "trials" / "other").mkdir()
    code = send(tmp_path, tmp_path / "trials", {})
    sent = {str(path.relative_to(code)) for path in code.rglob("*") if path.is_file()}
    assert sent == {"base.json", "trials/start/model.safetensors"}
    with pytest.raises(ConfigError, match="install your modules"):
        send(tmp_path, tmp_path / "trials", {"trialCodeDirectory": "."})


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
