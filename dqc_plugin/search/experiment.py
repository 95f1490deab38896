"""An NNI experiment from start to end: a free port, finished trials handed over, a watchdog, nothing left behind."""

from __future__ import annotations

import atexit
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nni.experiment import Experiment, rest
from nni.experiment.config import ExperimentConfig

from dqc_plugin.errors import ConfigError, RunError
from dqc_plugin.pipeline.quiet import quiet_nni
from dqc_plugin.search.guard import end_tree, guarded, watch
from dqc_plugin.search.trial import Trial
from dqc_plugin.search.watchdog import TunerLate, wait_for_tuner, watch_experiment

_FIRST_PORT, _PORTS = 8080, 200
_STARTS = 3


def run_experiment(
    nni: Mapping[str, Any],
    folder: Path,
    finished: Sequence[Trial],
    stalled_after_seconds: float,
    progress: Callable[[Mapping[str, int]], None],
    received: Callable[[Any, Any], None],
) -> int:
    """Run an experiment to its end; the number of trials that failed.

    nni: NNI's configuration. folder: of the experiment's logs and database. finished: trials of an earlier one, which
    the tuner is told. progress: told the number of trials by status, each time that it changes.
    received: told parameters and final metrics of trials that succeeded, more than once.
    Raises ConfigError for a configuration that NNI refuses, RunError if NNI or its tuner dies or hangs.
    """
    config = _checked({**nni, "experimentWorkingDirectory": str(folder)})
    for start in range(1, _STARTS + 1):
        try:
            return _run_once(config, folder, finished, stalled_after_seconds, progress, received)
        except TunerLate:
            if start == _STARTS:
                raise
    raise AssertionError


def _run_once(
    config: ExperimentConfig,
    folder: Path,
    finished: Sequence[Trial],
    stalled_after_seconds: float,
    progress: Callable[[Mapping[str, int]], None],
    received: Callable[[Any, Any], None],
) -> int:
    experiment = Experiment(config)
    with _terminable(), quiet_nni(), guarded() as guard:
        try:
            _start(experiment, guard)
            if finished:
                _tell(experiment, folder / experiment.id, finished)
            return watch_experiment(experiment, folder / experiment.id, stalled_after_seconds, progress, received)
        finally:
            if experiment._proc is not None:
                end_tree(experiment._proc.pid)


def told(finished: Sequence[Trial]) -> list[dict[str, Any]]:
    """Finished trials as NNI imports them."""
    return [{"parameter": trial.parameters, "value": trial.metrics} for trial in finished]


def _tell(experiment: Experiment, logs: Path, finished: Sequence[Trial]) -> None:
    """Give the tuner finished trials; what is sent before the tuner has started, NNI loses and never answers."""
    wait_for_tuner(experiment, logs)
    try:
        rest.post(experiment.port, "/experiment/import-data", told(finished), experiment.url_prefix)
    except Exception as error:  # whatever the HTTP client raises
        raise RunError(f"NNI does not take the finished trials: {error}") from None


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
