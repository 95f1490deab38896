"""What a search has found: all trials, the front of accuracy against bytes, the best by the aim."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ruamel.yaml import YAML

from dqc_plugin.artifact import verify
from dqc_plugin.pipeline.folder import write_atomically
from dqc_plugin.schedule import CoderStage, Schedule, shortest
from dqc_plugin.search.aim import Aim
from dqc_plugin.search.space import trial_schedule
from dqc_plugin.search.trial import Trial, read_trial


@dataclass(frozen=True)
class Outcome:
    """trials: all that finished, by bytes. front: those that no other beats in accuracy and bytes.

    best: the one with the greatest score. within: True if it keeps the aim's limit.
    """

    trials: tuple[Trial, ...]
    front: tuple[Trial, ...]
    best: Trial | None
    within: bool
    folders: tuple[Path, ...]


def gather(trials: Path, aim: Aim) -> Outcome:
    """The finished trials of a folder."""
    read = [(path, trial) for path in sorted(trials.glob("*")) if (trial := read_trial(path)) is not None]
    read.sort(key=lambda entry: (entry[1].bytes, -entry[1].accuracy))
    found = [trial for _, trial in read]
    best = max(found, key=lambda trial: trial.score, default=None)
    within = best is not None and aim.keeps(best.accuracy, best.bytes)
    return Outcome(tuple(found), tuple(front(found)), best, within, tuple(path for path, _ in read))


def front(trials: Sequence[Trial]) -> list[Trial]:
    """Those that no other beats: the most accurate of each size, rising."""
    kept: list[Trial] = []
    for trial in sorted(trials, key=lambda trial: (trial.bytes, -trial.accuracy)):
        if not kept or trial.accuracy > kept[-1].accuracy:
            kept.append(trial)
    return kept


def keep_outcome(outcome: Outcome, full: Schedule, folder: Path) -> None:
    """trials.json, best.yml (``dqc run`` repeats it at full length) and best.dqc, the best trial's file, verified."""
    content = {"best": asdict(outcome.best) if outcome.best else None, "trials": [asdict(t) for t in outcome.trials]}
    write_atomically(folder / "trials.json", json.dumps(content, indent=2).encode())
    if outcome.best is None:
        return
    schedule = trial_schedule(full, outcome.best.parameters, name=f"{full.name}-best")
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.dump(shortest(schedule), text)
    write_atomically(folder / "best.yml", text.getvalue().encode())
    coder = schedule.stages[-1]
    assert isinstance(coder, CoderStage)
    source = outcome.folders[outcome.trials.index(outcome.best)] / coder.file
    shutil.copyfile(source, folder / "best.dqc")
    verify(folder / "best.dqc")
