"""Tuners beside each other on one search: equal trials, judged on the test set, which no search sees.

    python benchmarks/search_tuners.py schedules/search/lenet5.yml --out results/search-lenet5 [--seeds 0 1]

Runs ``dqc search`` for every tuner and seed in runs/<name>-<tuner>-seed<n>; finished trials are not run again. A seed
is that of the training and of the tuner; the network that trials start from and the trials with one bit width for all
layers are run once for each seed, and count for each tuner. Then the test accuracy of each tuner's best file, and of
one bit width for all layers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dqc_plugin.artifact import load
from dqc_plugin.data import load_data
from dqc_plugin.pipeline.evaluate import accuracy
from dqc_plugin.report.search import one_width, write_search_plot
from dqc_plugin.schedule import Schedule, build_model, load_schedule
from dqc_plugin.search.config import SearchConfig, load_search
from dqc_plugin.search.outcome import Outcome
from dqc_plugin.search.remote import START
from dqc_plugin.search.search import run_search, trial_folder
from dqc_plugin.search.trial import Trial, read_trial

TUNERS = {"MixedPrecision": {}, "TPE": {"optimize_mode": "maximize"}, "Random": {}}
Row = dict[str, Any]


def searches(file: Path, tuners: Sequence[str], seeds: Sequence[int]) -> Iterator[Row]:
    """A row for the best of each search within the aim, and one for each bit width alone."""
    for seed in seeds:
        for number, tuner in enumerate(tuners):
            config = _variant(file, tuner, seed)
            folder = Path("runs") / config.name
            if number:
                _take_start(Path("runs") / _variant(file, tuners[0], seed).name, folder)
            result = run_search(config, folder, resume=True, progress=lambda counts: print(dict(counts), flush=True))
            judge = _Judge(load_schedule(config.folder / config.keys.schedule), folder)
            assert result.outcome.best is not None
            yield {"what": tuner, "seed": seed, **judge(result.outcome.best), **_counted(config, result.outcome)}
            if number == 0:
                yield from (
                    {"what": f"{width} bits for all layers", "seed": seed, **judge(trial)}
                    for trial in result.outcome.trials
                    if (width := one_width(trial.parameters)) is not None
                )


def _variant(file: Path, tuner: str, seed: int) -> SearchConfig:
    """The search with another tuner and seed; its schedule is written beside its runs."""
    config = load_search(file)
    name = f"{file.stem}-{tuner}-seed{seed}"
    schedule = load_schedule(config.folder / config.keys.schedule).canonical()
    schedule["seed"] = seed
    folder = Path("runs") / "search-schedules"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.yml").open("w") as stream:
        YAML().dump(schedule, stream)
    arguments = {**TUNERS[tuner], "seed": seed}
    nni = {**config.nni, "tuner": {"name": tuner, "classArgs": arguments}}
    return replace(
        config, keys=config.keys.model_copy(update={"schedule": f"{name}.yml"}), nni=nni, folder=folder, name=name
    )


def _take_start(first: Path, folder: Path) -> None:
    """What no tuner chooses is run once: the network to start from, and the trials with one width for all layers."""
    for trial in (first / "trials").iterdir():
        finished = read_trial(trial)
        fixed = finished is not None and one_width(finished.parameters) is not None
        if (fixed or trial.name == START) and not (folder / "trials" / trial.name).exists():
            shutil.copytree(trial, folder / "trials" / trial.name)


class _Judge:
    """Accuracy on the test set of a trial's file."""

    def __init__(self, schedule: Schedule, folder: Path) -> None:
        assert schedule.data is not None
        self._schedule, self._trials = schedule, folder / "trials"
        data = load_data(schedule.data.name)
        self._test = data.batches(data.test, batch_size=500)

    def __call__(self, trial: Trial) -> Row:
        file = trial_folder(self._trials, trial.parameters) / self._schedule.stages[-1].file  # type: ignore[union-attr]
        test = accuracy(load(file, into=build_model(self._schedule)), self._test)
        found = {"parameters": trial.parameters, "bytes": trial.bytes, "held_out": trial.accuracy, "test": test}
        return {**found, "seconds": trial.seconds}


def _counted(config: SearchConfig, outcome: Outcome) -> Row:
    kept = [trial for trial in outcome.trials if config.keys.aim.keeps(trial.accuracy, trial.bytes)]
    return {"trials": len(outcome.trials), "within": len(kept)}


def markdown(rows: Sequence[Row], record: Row) -> str:
    """Mean and least to greatest over the seeds, one width for all layers first."""
    lines = [
        f"Aim: {record['aim']}. {record['trials']} trials a search, {record['epochs']} epochs a trial, seeds "
        f"{record['seeds']}; mean (least to greatest). {record['machine']}, {record['date']}. `{record['command']}`",
        "",
        "| | bytes | held-out accuracy % | test accuracy % | trials within the aim |",
        "|---|---:|---:|---:|---:|",
    ]
    for what in sorted(dict.fromkeys(row["what"] for row in rows), key=lambda what: what in TUNERS):
        of = [row for row in rows if row["what"] == what]
        figures = [_spread([row["bytes"] for row in of], ",.0f")]
        figures += [_spread([100 * row[key] for row in of], ".2f") for key in ("held_out", "test")]
        figures.append(_spread([row["within"] for row in of], ".1f") if "within" in of[0] else "")
        lines.append(f"| {what} | " + " | ".join(figures) + " |")
    return "\n".join(lines) + "\n"


def _spread(values: Sequence[float], form: str) -> str:
    return f"{statistics.mean(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("search", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--tuners", nargs="+", choices=TUNERS, default=list(TUNERS))
    given = parser.parse_args()
    config = load_search(given.search)
    seeds, tuners = " ".join(map(str, given.seeds)), " ".join(given.tuners)
    options = f"--out {given.out} --seeds {seeds} --tuners {tuners}"
    record: Row = {
        "command": f"python benchmarks/search_tuners.py {given.search} {options}",
        "aim": ", ".join(f"{k}: {v}" for k, v in config.keys.aim.model_dump(exclude_defaults=True).items())
        or "the front",
        "trials": config.nni["maxTrialNumber"],
        "epochs": config.keys.epochs,
        "seeds": seeds,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "date": date.today().isoformat(),
    }
    rows = list(searches(given.search, given.tuners, given.seeds))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "table.json").write_text(json.dumps({**record, "rows": rows}, indent=1))
    (given.out / "table.md").write_text(markdown(rows, record))
    first = Path("runs") / _variant(given.search, given.tuners[0], given.seeds[0]).name / "trials.json"
    write_search_plot(first, f"{given.search.stem}, {given.tuners[0]}, seed {given.seeds[0]}", given.out / "search")
    print(markdown(rows, record))


if __name__ == "__main__":
    main()
