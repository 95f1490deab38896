"""NNI's experiment while it runs: what NNI would wait for for ever ends with an error here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
from nni.experiment import Experiment

from dqc_plugin.errors import RunError

_POLL_SECONDS = 1.0
_OVER = ("DONE", "STOPPED")
_ACTIVE = ("WAITING", "RUNNING", "UNKNOWN")
_SETTLED_SECONDS = 15.0  # a trial that the tuner gave may not be submitted yet
_READY = "received command from dispatcher: ID"
_START_SECONDS = 30.0
_LATE = "Tuner did not connect"


class TunerLate(RunError):
    """NNI gives a tuner ten seconds to start, which a busy machine may not keep."""


class TunerEnded(RunError):
    """The tuner's process is gone.

    NNI itself ends some: of two trials that start at once it may tell a tuner the end of the wrong one, and TPE then
    dies of a result that it does not expect.
    """


def watch_experiment(
    experiment: Experiment,
    logs: Path,
    stalled_after_seconds: float,
    progress: Callable[[Mapping[str, int]], None],
    finished: Callable[[Any, Any], None],
) -> int:
    """Wait until all trials are over; the number that failed. Raises RunError if NNI or its tuner dies or hangs."""
    shown: Mapping[str, int] = {}
    moved = time.monotonic()
    tuner_seen = False
    while True:
        status = _require_alive(experiment, logs)
        tuner_seen = _require_tuner(experiment, logs, tuner_seen)
        jobs = experiment.list_trial_jobs()
        counts: dict[str, int] = Counter(job.status for job in jobs)
        if counts != shown:
            shown, moved = counts, time.monotonic()
            for job in jobs:
                if job.status == "SUCCEEDED" and job.finalMetricData:
                    finished(job.hyperParameters[0].parameters, job.finalMetricData[0].data)
            progress(counts)
        active = sum(counts.get(name, 0) for name in _ACTIVE)
        idle = 0.0 if active else time.monotonic() - moved
        if status in _OVER or (status == "TUNER_NO_MORE_TRIAL" and idle > _SETTLED_SECONDS):
            return counts.get("FAILED", 0)
        if idle > stalled_after_seconds:
            raise RunError(
                f"the search hangs: no trial for {stalled_after_seconds:g} seconds while NNI says {status}; "
                f"see {logs / 'log' / 'dispatcher.log'}{_last_line(logs)}"
            )
        time.sleep(_POLL_SECONDS)


def wait_for_tuner(experiment: Experiment, logs: Path) -> None:
    """Return when the tuner has said that it is ready; where NNI logs too little to tell, after half a minute."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and _READY not in _manager_log(logs):
        _require_alive(experiment, logs)
        time.sleep(_POLL_SECONDS / 5)


def _require_alive(experiment: Experiment, logs: Path) -> str:
    """NNI's status; RunError if its manager is gone or has an error."""
    manager = experiment._proc
    if manager is None or manager.poll() is not None:
        raise RunError(f"NNI's manager ended; see {logs / 'log' / 'nnimanager.log'}")
    try:
        status = str(experiment.get_status())
    except Exception as error:  # whatever the HTTP client raises
        raise RunError(f"NNI's manager does not answer: {error}; see {logs / 'log' / 'nnimanager.log'}") from None
    if status == "ERROR":
        if _LATE in _manager_log(logs):
            raise TunerLate(f"the tuner did not start within NNI's 10 seconds; see {logs / 'log' / 'dispatcher.log'}")
        raise RunError(f"NNI ended with an error; see {logs / 'log'}{_last_line(logs)}")
    return status


def _require_tuner(experiment: Experiment, logs: Path, seen: bool) -> bool:
    """True once the tuner's process runs; RunError when it is gone again: NNI would wait for it for ever."""
    assert experiment._proc is not None
    runs = _has_dispatcher(experiment._proc.pid)
    if seen and not runs:
        raise TunerEnded(f"the tuner ended with an error; see {logs / 'log' / 'dispatcher.log'}{_last_line(logs)}")
    return seen or runs


def _has_dispatcher(pid: int) -> bool:
    for child in psutil.Process(pid).children():
        try:
            if child.status() != psutil.STATUS_ZOMBIE and any("--exp_params" in word for word in child.cmdline()):
                return True
        except psutil.Error:
            continue
    return False


def _manager_log(logs: Path) -> str:
    try:
        return (logs / "log" / "nnimanager.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _last_line(logs: Path) -> str:
    try:
        lines = (logs / "log" / "dispatcher.log").read_text(encoding="utf-8").strip().splitlines()
    except OSError:
        return ""
    return f": {lines[-1]}" if lines else ""
