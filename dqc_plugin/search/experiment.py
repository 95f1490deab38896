"""An NNI experiment from start to end: a free port, finished trials handed over, a watchdog, nothing left behind."""

from __future__ import annotations

import atexit
import logging
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from nni.experiment import Experiment, rest
from nni.experiment.config import ExperimentConfig

from dqc_plugin.errors import ConfigError, RunError
from dqc_plugin.search.guard import end_tree, guarded, watch
from dqc_plugin.search.trial import Trial

_FIRST_PORT, _PORTS = 8080, 200
_POLL_SECONDS = 1.0
_OVER = ("DONE", "STOPPED")
_ACTIVE = ("WAITING", "RUNNING", "UNKNOWN")


def run_experiment(
    nni: Mapping[str, Any],
    folder: Path,
    finished: Sequence[Trial],
    stalled_after_seconds: float,
    progress: Callable[[Mapping[str, int]], None],
) -> int:
    """Run an experiment to its end; the number of trials that failed.

    nni: NNI's configuration. folder: of the experiment's logs and database. finished: trials of an earlier one, which
    the tuner is told. progress: told the number of trials by status, each time that it changes.
    Raises ConfigError for a configuration that NNI refuses, RunError if NNI or its tuner dies or hangs.
    """
    experiment = Experiment(_checked({**nni, "experimentWorkingDirectory": str(folder)}))
    with _terminable(), _quiet(), guarded() as guard:
        try:
            _start(experiment, guard)
            if finished:
                told = [{"parameter": trial.parameters, "value": trial.metrics} for trial in finished]
                rest.post(experiment.port, "/experiment/import-data", told, experiment.url_prefix)
            return _watch(experiment, folder / experiment.id, stalled_after_seconds, progress)
        finally:
            if experiment._proc is not None:
                end_tree(experiment._proc.pid)


def _checked(nni: dict[str, Any]) -> ExperimentConfig:
    try:
        config = ExperimentConfig(**nni)
        config.validate()
    except (ValueError, TypeError, AttributeError, KeyError, AssertionError) as error:
        why = str(error) or "a key of tuner, assessor or trainingService is missing"
        raise ConfigError(f"NNI refuses the configuration: {why}") from None
    return config


def _start(experiment: Experiment, guard: subprocess.Popen[str]) -> None:
    """Start on the first free port; another process may take that between the look and the start."""
    for port in _free_ports():
        try:
            experiment.start(port)
        except RuntimeError as error:
            if "is not idle" not in str(error):
                raise RunError(f"NNI cannot start: {error}") from None
            continue
        atexit.unregister(experiment.stop)  # it would ask a manager that is gone
        assert experiment._proc is not None
        watch(guard, experiment._proc.pid)
        return
    raise RunError(f"no free port from {_FIRST_PORT} to {_FIRST_PORT + _PORTS} for NNI")


def _free_ports() -> Iterator[int]:
    """Ports with a free one after them, which NNI's remote services need."""
    return (port for port in range(_FIRST_PORT, _FIRST_PORT + _PORTS) if _is_free(port) and _is_free(port + 1))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("localhost", port)) != 0


def _watch(
    experiment: Experiment, logs: Path, stalled_after_seconds: float, progress: Callable[[Mapping[str, int]], None]
) -> int:
    shown: Mapping[str, int] = {}
    moved = time.monotonic()
    tuner_seen = False
    while True:
        status = _require_alive(experiment, logs)
        tuner_seen = _require_tuner(experiment, logs, tuner_seen)
        counts = _counts(experiment)
        if counts != shown:
            shown, moved = counts, time.monotonic()
            progress(counts)
        active = sum(counts.get(name, 0) for name in _ACTIVE)
        if status in _OVER or (status in ("NO_MORE_TRIAL", "TUNER_NO_MORE_TRIAL") and not active):
            return counts.get("FAILED", 0)
        if not active and time.monotonic() - moved > stalled_after_seconds:
            raise RunError(
                f"the search hangs: no trial for {stalled_after_seconds:g} seconds while NNI says {status}; "
                f"see {logs / 'log' / 'dispatcher.log'}{_last_line(logs)}"
            )
        time.sleep(_POLL_SECONDS)


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
        raise RunError(f"NNI ended with an error; see {logs / 'log'}{_last_line(logs)}")
    return status


def _require_tuner(experiment: Experiment, logs: Path, seen: bool) -> bool:
    """True once the tuner's process runs; RunError when it is gone again: NNI would wait for it for ever."""
    assert experiment._proc is not None
    runs = _has_dispatcher(experiment._proc.pid)
    if seen and not runs:
        raise RunError(f"the tuner ended with an error; see {logs / 'log' / 'dispatcher.log'}{_last_line(logs)}")
    return seen or runs


def _has_dispatcher(pid: int) -> bool:
    for child in psutil.Process(pid).children():
        try:
            if child.status() != psutil.STATUS_ZOMBIE and any("--exp_params" in word for word in child.cmdline()):
                return True
        except psutil.Error:
            continue
    return False


def _last_line(logs: Path) -> str:
    try:
        lines = (logs / "log" / "dispatcher.log").read_text(encoding="utf-8").strip().splitlines()
    except OSError:
        return ""
    return f": {lines[-1]}" if lines else ""


def _counts(experiment: Experiment) -> dict[str, int]:
    counts: dict[str, int] = {}
    for job in experiment.list_trial_jobs():
        counts[job.status] = counts.get(job.status, 0) + 1
    return counts


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the search as Ctrl-C does."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("nni")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
