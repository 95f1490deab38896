"""A search from its configuration to the best schedule and file; the same call with ``resume`` goes on."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dqc_plugin.errors import ConfigError, RunError
from dqc_plugin.pipeline.folder import write_atomically
from dqc_plugin.pipeline.reporter import Reporter
from dqc_plugin.schedule import Schedule, load_schedule
from dqc_plugin.search.choices import make_space
from dqc_plugin.search.config import SearchConfig, SearchKeys
from dqc_plugin.search.experiment import run_experiment, told
from dqc_plugin.search.listed import Listed
from dqc_plugin.search.outcome import Outcome, gather, keep_outcome
from dqc_plugin.search.remote import BASE, START, fetch, is_local, receive, send
from dqc_plugin.search.sensitivity import measure_sensitivity
from dqc_plugin.search.space import (
    SearchSpace,
    quantizer_stage,
    size_of,
    trial_schedule,
    uniform_configurations,
    within,
)
from dqc_plugin.search.trial import Trial, check_searchable, read_trial
from dqc_plugin.search.watchdog import TunerEnded

Progress = Callable[[Mapping[str, int]], None]
_STATE, _PROFILE, _KNOWN, _TRIALS = "search.json", "profile.json", "known.json", "trials"
_DEATHS = 3
_TUNER = "dqc_plugin.search.tuner.MixedPrecision"


@dataclass(frozen=True)
class SearchResult:
    """folder: where everything is. failed: the number of trials that failed in this call."""

    folder: Path
    outcome: Outcome
    failed: int


def run_search(
    config: SearchConfig,
    folder: Path,
    resume: bool = False,
    reporter: Reporter | None = None,
    progress: Progress = lambda counts: None,
) -> SearchResult:
    """Run NNI's experiment over the schedule's bit widths; trials that are finished in the folder are not run again.

    Raises ConfigError for what cannot be searched and for a folder with another search, or with one that is begun
    where ``resume`` is not set; RunError if the search dies, hangs or no trial succeeds.
    """
    full, base = _schedules(config)
    for setup in (*_uniform(config.keys), _example(config, base)):
        trial_schedule(base, setup)  # for what is wrong with it, before anything is trained
    _claim(folder, config, base, resume)
    profile = measure_sensitivity(base, _widths(config.keys), out=folder / _TRIALS / START, reporter=reporter)
    write_atomically(folder / _PROFILE, json.dumps(asdict(profile), indent=2).encode())
    space = config.nni.get("searchSpace") or make_space(base, config.keys, profile)
    failed = _run_uniform(config, base, folder, space, progress) + _run_tuner(config, folder, space, progress)
    outcome = gather(folder / _TRIALS, config.keys.aim)
    if not outcome.trials:
        raise RunError(f"{folder}: every trial failed{_why(folder)}")
    if outcome.best is not None and not is_local(config.nni):
        fetch(folder, outcome.best, trial_folder(folder / _TRIALS, outcome.best.parameters), folder / _TRIALS / START)
    keep_outcome(outcome, full, folder)
    return SearchResult(folder, outcome, failed)


def _run_uniform(config: SearchConfig, base: Schedule, folder: Path, space: SearchSpace, progress: Progress) -> int:
    """The trials with one bit width for all layers: every tuner starts from them and is measured by them."""
    done = [trial.parameters for trial in _finished(folder)]
    missing = (
        [given for given in uniform_configurations(base, space) if given not in done] if config.keys.uniform else []
    )
    missing = missing[: max(0, config.nni["maxTrialNumber"] - len(done))]
    tuner = {"className": f"{Listed.__module__}.Listed", "codeDirectory": ".", "classArgs": {"configurations": missing}}
    keys = {"tuner": tuner, "advisor": None, "assessor": None, "searchSpace": space}
    return _run(config, folder, keys, len(missing), [], progress)


def _run_tuner(config: SearchConfig, folder: Path, space: SearchSpace, progress: Progress) -> int:
    """The tuner's trials; those that are finished are told it and count.

    NNI is started again where it stops short: its tuner died after a trial, or gave one that was finished before.
    """
    failed = deaths = 0
    while True:
        done = _finished(folder)
        known = [trial for trial in done if within(space, trial.parameters)]
        left = min(config.nni["maxTrialNumber"] - len(done) - failed, size_of(space) - len(known))
        try:
            failed += _run(
                config, folder, {**_tuner(config, folder, known), "searchSpace": space}, int(left), known, progress
            )
        except TunerEnded:
            deaths += 1
            if deaths == _DEATHS or len(_finished(folder)) == len(done):
                raise
        if len(_finished(folder)) == len(done):
            return failed


def _run(
    config: SearchConfig, folder: Path, keys: dict[str, Any], count: int, known: list[Trial], progress: Progress
) -> int:
    """So many trials of an NNI experiment; the number that failed."""
    if count <= 0:
        return 0
    local = is_local(config.nni)
    nni = {
        "trialConcurrency": 1,
        "trialGpuNumber": 0,
        "trainingService": {"platform": "local"},
        "experimentName": config.name,
        "trialCodeDirectory": "." if local else str(send(folder, folder / _TRIALS, config.nni).resolve()),
        **config.nni,
        **keys,
        "trialCommand": _command(config, folder),
        "maxTrialNumber": count,
    }

    def received(parameters: Any, metrics: Any) -> None:
        if not local:
            receive(trial_folder(folder / _TRIALS, parameters), parameters, metrics)

    def of_all_experiments(counts: Mapping[str, int]) -> None:
        progress({**counts, "SUCCEEDED": len(_finished(folder))})

    stalled = config.keys.stalled_after_seconds
    return run_experiment(nni, folder.resolve() / "nni", known, stalled, of_all_experiments, received)


def _finished(folder: Path) -> list[Trial]:
    return [trial for path in sorted((folder / _TRIALS).glob("*")) if (trial := read_trial(path)) is not None]


def _schedules(config: SearchConfig) -> tuple[Schedule, Schedule]:
    """The schedule as it stands, and as trials run it: their epochs, judged on held-out training data."""
    file = config.folder / config.keys.schedule
    full = load_schedule(file if file.exists() else Path(config.keys.schedule))
    number, stage = quantizer_stage(full)
    if stage.name != config.keys.quantizer:
        raise ConfigError(f"{file}: stages[{number}] is quantizer: {stage.name}, not {config.keys.quantizer}")
    data = full.canonical()
    if config.keys.epochs is not None:
        data["stages"][number]["epochs"] = config.keys.epochs
    if data.get("data", {}).get("evaluate_on") == "test":
        data["data"] = {**data["data"], "validation": config.keys.validation, "evaluate_on": "validation"}
    base = load_schedule(data)
    check_searchable(base)
    return full, base


def _uniform(keys: SearchKeys) -> list[dict[str, Any]]:
    return [{"bits": bits} for bits in (keys.bits.choices if keys.bits else ())]


def _example(config: SearchConfig, base: Schedule) -> dict[str, Any]:
    """A configuration of the search space: of each parameter the first value."""
    space: SearchSpace = config.nni.get("searchSpace") or make_space(base, config.keys, None)
    return {name: entry["_value"][0] for name, entry in space.items()}


def _widths(keys: SearchKeys) -> tuple[int, ...]:
    return tuple(keys.bits.choices) if keys.bits else (2, 3, 4, 5, 8)


def _claim(folder: Path, config: SearchConfig, base: Schedule, resume: bool) -> None:
    """Write what is searched; refuse a folder of another search."""
    said = {"keys": config.keys.model_dump(mode="json"), "nni": dict(config.nni), "schedule": base.canonical()}
    said["nni"].pop("maxTrialNumber", None), said["nni"].pop("trialConcurrency", None)
    text = json.dumps(said, indent=2, sort_keys=True, default=str)
    state = folder / _STATE
    if state.exists() and state.read_text(encoding="utf-8") != text:
        raise ConfigError(f"{folder}: holds another search; give --out another folder")
    if state.exists() and not resume:
        raise ConfigError(f"{folder}: this search is begun already; go on with --resume, or give --out another folder")
    write_atomically(state, text.encode())
    write_atomically(folder / BASE, json.dumps(base.canonical(), indent=2).encode())


def _tuner(config: SearchConfig, folder: Path, known: Sequence[Trial]) -> dict[str, Any]:
    """The tuner that the configuration names, else ours, which starts from the profile and what is known."""
    tuner = config.nni.get("tuner")
    if "advisor" in config.nni or (tuner is not None and tuner.get("name") != "MixedPrecision"):
        return {}
    write_atomically(folder / _KNOWN, json.dumps(told(known)).encode())
    files = {"profile": str((folder / _PROFILE).resolve()), "trials": str((folder / _KNOWN).resolve())}
    arguments = {**files, "aim": config.keys.aim.model_dump()}
    arguments |= (tuner or {}).get("classArgs") or {}
    return {"tuner": {"className": _TUNER, "codeDirectory": ".", "classArgs": arguments}}


def _command(config: SearchConfig, folder: Path) -> str:
    """``dqc trial`` for this search; on other machines paths start from the folder that NNI sends there."""
    local = is_local(config.nni)
    python = sys.executable if local else "python3"
    root = folder.resolve() if local else Path()
    aim = config.keys.aim
    options = ["--points-per-halving", str(aim.points_per_halving)]
    if aim.max_bytes is not None:
        options += ["--max-bytes", str(aim.max_bytes)]
    if aim.min_accuracy_percent is not None:
        options += ["--min-accuracy-percent", str(aim.min_accuracy_percent)]
    words = [python, "-m", "dqc_plugin", "trial", str(root / BASE), "--out", str(root / _TRIALS), *options]
    return shlex.join(words)


def trial_folder(out: Path, parameters: Mapping[str, Any]) -> Path:
    """Where a trial with these parameters is kept."""
    text = json.dumps(parameters, sort_keys=True)
    return out / hashlib.sha256(text.encode()).hexdigest()[:12]


def _why(folder: Path) -> str:
    """What the last failed trial said, and where."""
    said = sorted(folder.glob("nni/*/environments/*/trials/*/trial.stderr"), key=lambda path: path.stat().st_mtime)
    lines = said[-1].read_text(encoding="utf-8", errors="replace").strip().splitlines() if said else []
    return f"; the last one said, in {said[-1]}:\n" + "\n".join(lines[-5:]) if lines else ""
