from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from dqc_plugin.search import search
from dqc_plugin.search.config import SearchConfig, SearchKeys
from dqc_plugin.search.trial import RESULT, Trial
from dqc_plugin.search.watchdog import TunerEnded

SPACE = {"a.bits": {"_type": "choice", "_value": [2, 3, 4, 5, 6, 7, 8]}}
CONFIG = SearchConfig(
    keys=SearchKeys(quantizer="dqc", schedule="base.yml"),
    nni={"maxTrialNumber": 4, "tuner": {"name": "TPE"}},
    folder=Path(),
    name="search",
)


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[list[Any]], list[tuple[int, int]]]:
    """NNI in play: each start finishes so many trials, then ends or raises; what was asked for and told is kept."""

    def play(starts: list[Any]) -> list[tuple[int, int]]:
        asked: list[tuple[int, int]] = []

        def run(_config: Any, folder: Path, _keys: Any, count: int, known: list[Trial], _progress: Any) -> int:
            finishes, error = starts[len(asked)]
            first = len(search._finished(folder))
            asked.append((count, len(known)))
            for number in range(first, first + finishes):
                trial = folder / "trials" / str(number)
                trial.mkdir(parents=True)
                (trial / RESULT).write_text(json.dumps(asdict(Trial({"a.bits": 2 + number}, 0.5, 9, 0.5, 1.0))))
            if error is not None:
                raise error
            return 0

        monkeypatch.setattr(search, "_run", run)
        search._run_tuner(CONFIG, tmp_path, SPACE, lambda counts: None)
        return asked

    return play


def test_a_tuner_that_died_after_a_trial_is_started_again_and_told_that_trial(experiment: Any) -> None:
    assert experiment([(1, TunerEnded("dead")), (2, TunerEnded("dead")), (1, None), (0, None)]) == [
        (4, 0),
        (3, 1),
        (1, 3),
        (0, 4),
    ]


def test_trials_that_were_finished_before_do_not_count_twice(experiment: Any) -> None:
    assert experiment([(3, None), (1, None), (0, None)]) == [(4, 0), (1, 3), (0, 4)]


@pytest.mark.parametrize("starts", [[(0, TunerEnded("dead"))], [(1, TunerEnded("dead"))] * 3])
def test_a_tuner_that_dies_for_good_is_told(experiment: Any, starts: list[Any]) -> None:
    with pytest.raises(TunerEnded, match="dead"):
        experiment(starts)
