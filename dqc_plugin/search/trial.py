"""One trial: the schedule with NNI's parameters, accuracy and true bytes after every epoch."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from dqc_plugin.errors import ConfigError, RunError
from dqc_plugin.pipeline.code import coded_bytes
from dqc_plugin.pipeline.folder import FolderInUse, write_atomically
from dqc_plugin.pipeline.reporter import Reporter
from dqc_plugin.pipeline.runner import run
from dqc_plugin.pipeline.state import NetworkState
from dqc_plugin.schedule import CoderStage, Schedule, load_schedule
from dqc_plugin.search.aim import Aim
from dqc_plugin.search.space import Parameters, fixed_stages, trial_schedule

RESULT = "trial.json"
_WAIT_SECONDS = 1.0


class Listener(Protocol):
    """What a trial reports to: the module ``nni`` in an experiment."""

    def report_intermediate_result(self, metric: Any) -> None: ...

    def report_final_result(self, metric: Any) -> None: ...


@dataclass(frozen=True)
class Trial:
    """A finished trial, as its folder keeps it.

    accuracy: 0 to 1, bytes: of the verified file, score: the aim's number; epochs: the same after each epoch.
    """

    parameters: dict[str, Any]
    accuracy: float
    bytes: int
    score: float
    seconds: float
    epochs: list[dict[str, float]] = field(default_factory=list)

    @property
    def metrics(self) -> dict[str, float]:
        """What NNI is told."""
        return {"default": self.score, "accuracy": self.accuracy, "bytes": self.bytes}


def run_trial(
    schedule: Schedule, parameters: Parameters, folder: Path, start: Path, aim: Aim, listener: Listener
) -> Trial:
    """Quantize, fine-tune and encode with these parameters; report after every epoch and at the end.

    folder: of this trial; a trial that is finished there is only reported. start: the folder of the stages that no
    trial changes, which is run first where it is not finished. Raises RunError if a figure is not finite.
    """
    begun = time.perf_counter()
    finished = read_trial(folder)
    if finished is None or finished.parameters != dict(parameters):
        before = start_schedule(schedule, list(parameters))
        if before is not None:
            _run_when_free(before, start)
        watcher = _Watcher(_coder(schedule), aim, listener)
        result = run(trial_schedule(schedule, parameters), folder, reporter=watcher, siblings=[start])
        last = result.stages[-1]
        score = aim.score(last["metric"], last["bytes"], last["dense_bytes"])
        require_finite(score, last["metric"])
        seconds = round(time.perf_counter() - begun, 2)
        finished = Trial(dict(parameters), last["metric"], last["bytes"], score, seconds, watcher.epochs)
        write_atomically(folder / RESULT, json.dumps(asdict(finished), indent=2).encode())
        shutil.rmtree(folder / "checkpoints")  # a search has hundreds of trials
    else:
        for metrics in finished.epochs:
            listener.report_intermediate_result(metrics)
    listener.report_final_result(finished.metrics)
    return finished


def read_trial(folder: Path) -> Trial | None:
    """The finished trial of a folder, None where there is none."""
    try:
        return Trial(**json.loads((folder / RESULT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def start_schedule(schedule: Schedule, names: Sequence[str]) -> Schedule | None:
    """The stages that trials with these parameters share, as a schedule; None if they share none."""
    count = fixed_stages(schedule, names)
    data = schedule.canonical()
    start = {**data, "name": f"{schedule.name}-start", "stages": data["stages"][:count]}
    return load_schedule(start) if count else None


def check_searchable(schedule: Schedule) -> None:
    """ConfigError for a schedule without a coder stage at its end, or one that would search on the test set."""
    _coder(schedule)
    if schedule.data is None or schedule.model is None:
        raise ConfigError(f"{schedule.name}: a search needs model and data in the schedule")
    if schedule.data.evaluate_on != "validation":
        raise ConfigError(
            f"{schedule.name}: a search must not see the test set; write data: {{name: {schedule.data.name}, "
            "validation: 0.1, evaluate_on: validation}, or validation: 0.1 in the search's own keys"
        )


def _coder(schedule: Schedule) -> CoderStage:
    last = schedule.stages[-1]
    if not isinstance(last, CoderStage):
        raise ConfigError(f"{schedule.name}: a search judges the file: end the schedule with a coder stage")
    return last


def _run_when_free(schedule: Schedule, folder: Path) -> None:
    """Run what is left of a start network; where another trial is at it, wait for that one."""
    while True:
        try:
            run(schedule, folder)
            return
        except FolderInUse:
            time.sleep(_WAIT_SECONDS)


class _Watcher(Reporter):
    """Tells NNI accuracy and bytes after each epoch of the quantizer."""

    def __init__(self, coder: CoderStage, aim: Aim, listener: Listener) -> None:
        self._coder, self._aim, self._listener = coder, aim, listener
        self.epochs: list[dict[str, float]] = []

    def quantized(self, record: dict[str, Any], state: Callable[[], NetworkState]) -> None:
        network = state()
        size = coded_bytes(self._coder, network)
        dense = sum(value.numel() * value.element_size() for value in network.weights.values())
        score = self._aim.score(record["metric"], size, dense)
        require_finite(score, record["metric"])
        self.epochs.append({"default": score, "accuracy": record["metric"], "bytes": size})
        self._listener.report_intermediate_result(self.epochs[-1])


def require_finite(score: float, accuracy: float) -> None:
    """RunError for a figure that NNI would take though it is none."""
    if not (math.isfinite(score) and math.isfinite(accuracy)):
        raise RunError(f"the trial's accuracy is {accuracy} and its score {score}; NNI would take that as a result")


def make_aim(max_bytes: int | None, min_accuracy_percent: float | None, points_per_halving: float) -> Aim:
    """The aim of the command line's options; ConfigError if they do not go together."""
    try:
        return Aim(
            max_bytes=max_bytes, min_accuracy_percent=min_accuracy_percent, points_per_halving=points_per_halving
        )
    except ValidationError as error:
        raise ConfigError(f"the aim: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
