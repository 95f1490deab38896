"""A schedule, run stage by stage in a folder; the same call again goes on where the last one stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dqc_plugin.errors import ConfigError
from dqc_plugin.pipeline.code import run_coder
from dqc_plugin.pipeline.compilation import require_compiler
from dqc_plugin.pipeline.compress import make_fit, run_pruner, run_quantizer
from dqc_plugin.pipeline.context import (
    Context,
    LoaderData,
    Metric,
    model_factory,
    pick_device,
    schedule_data,
)
from dqc_plugin.pipeline.environment import describe_environment
from dqc_plugin.pipeline.evaluate import Batch, accuracy
from dqc_plugin.pipeline.fits import require_fit
from dqc_plugin.pipeline.follower import open_folder
from dqc_plugin.pipeline.losses import OutputLoss
from dqc_plugin.pipeline.optimizers import make_optimizer
from dqc_plugin.pipeline.processes import joined
from dqc_plugin.pipeline.quiet import quiet_nni
from dqc_plugin.pipeline.reporter import Reporter
from dqc_plugin.pipeline.resume import forget_repeated_work, last_finished, seconds_spent
from dqc_plugin.pipeline.reuse import reuse_stages
from dqc_plugin.pipeline.start import starting_weights
from dqc_plugin.pipeline.state import NetworkState, cpu_weights
from dqc_plugin.pipeline.teacher import require_teachers
from dqc_plugin.schedule import (
    CoderStage,
    PrunerStage,
    QuantizerStage,
    Schedule,
    TrainStage,
    load_schedule,
    resolve,
)


@dataclass(frozen=True)
class RunResult:
    """What a run leaves behind.

    folder: where everything is. file: the compressed file, None without a coder stage (then the folder has the weights
        as model.safetensors).
    records: one mapping for each epoch and each stage, as in records.jsonl.
    model: the network at the end, plain, on the CPU.
    """

    folder: Path
    file: Path | None
    records: list[dict[str, Any]]
    model: nn.Module

    @property
    def stages(self) -> list[dict[str, Any]]:
        """The records of the stages' ends: title, metric, sparsity and, of the coder, bytes and ratio."""
        return [record for record in self.records if record["event"] == "stage"]


def run(
    schedule: Schedule | Path | str | Mapping[str, Any],
    out: Path | str | None = None,
    *,
    overrides: Sequence[str] = (),
    model: nn.Module | None = None,
    train_loader: Iterable[Batch] | None = None,
    eval_loader: Iterable[Batch] | None = None,
    loss: OutputLoss | None = None,
    metric: Metric = accuracy,
    reporter: Reporter | None = None,
    siblings: Sequence[Path] = (),
) -> RunResult:
    """Run a schedule; the same call again resumes, and ends in the same bytes on the CPU.

    schedule: a file, a mapping, or a checked schedule. out: the run folder, ``runs/<name>`` unless given.
    overrides: ``"stages.1.sparsity=0.9"``, as ``--set`` of the command line.
    model, train_loader, eval_loader, loss(outputs, targets), metric(model, batches): your own in place of the
        schedule's; loaders give (inputs, targets).
    Under torchrun the processes train together, each on its part of every batch; the first one evaluates and writes.
    siblings: run folders whose finished stages may be taken over where they are the same.

    Raises ScheduleError with everything wrong in the schedule, before anything runs; RunError for a folder that holds
    another schedule or that another process uses, and for a training that diverges.
    """
    checked = schedule if isinstance(schedule, Schedule) else load_schedule(schedule, overrides)
    if checked.threads:
        torch.set_num_threads(checked.threads)
    device = pick_device(checked)
    if checked.compile:
        require_compiler(device)
    make_model = model_factory(checked, model, device)
    resolve(checked, make_model())
    training, evaluation = _data(checked, device, train_loader, eval_loader)
    if model is None and train_loader is None and loss is None:
        require_fit(checked, make_model(), evaluation)
    require_teachers(checked, make_model, evaluation, device)
    path = Path(out) if out is not None else Path("runs") / checked.name
    with joined(device) as processes, quiet_nni(), open_folder(path, checked, processes) as folder:
        context = Context(
            checked, folder, device, make_model, training, evaluation, loss, metric, reporter or Reporter(), processes
        )
        if processes.leads:
            folder.keep_environment(describe_environment(device))
            if model is None and train_loader is None and loss is None and metric is accuracy:
                reuse_stages(folder, checked, siblings)
        else:
            context = replace(context, metric=_unmeasured, reporter=Reporter())
        processes.wait()
        return _run_stages(context)


def _unmeasured(model: nn.Module, batches: Iterable[Batch]) -> float:
    """What a process says of its network that does not lead: the first one measures and records."""
    return float("nan")


def _data(
    schedule: Schedule, device: torch.device, train_loader: Iterable[Batch] | None, eval_loader: Iterable[Batch] | None
) -> tuple[Callable[[int], Any], Iterable[Batch]]:
    if train_loader is None and eval_loader is None:
        return schedule_data(schedule, device)
    if train_loader is None or eval_loader is None:
        raise ConfigError("give train_loader and eval_loader together")
    own = LoaderData(train_loader)
    return lambda batch_size: own, eval_loader


def _run_stages(context: Context) -> RunResult:
    stages, folder = context.schedule.stages, context.folder
    state, first = last_finished(context)
    forget_repeated_work(context, first)
    context.processes.wait()
    for number in range(first, len(stages)):
        started = time.perf_counter() - seconds_spent(context, number)
        resumed = folder.epoch_of_stage(number).exists()
        context.reporter.stage(number, len(stages), stages[number].title, resumed)
        state, result = _run_stage(context, number, state)
        _end_stage(context, number, state, {**result, "seconds": round(time.perf_counter() - started, 3)})
        context.processes.wait()
    files = [folder.path / stage.file for stage in stages if isinstance(stage, CoderStage)]
    model = state.into(context.make_model()).cpu()
    if not files:
        folder.keep_weights(model.state_dict())
    return RunResult(folder.path, files[0] if files else None, folder.records(), model)


def _run_stage(context: Context, number: int, state: NetworkState) -> tuple[NetworkState, dict[str, Any]]:
    stage = context.schedule.stages[number]
    if isinstance(stage, CoderStage):
        return run_coder(context, stage, state) if context.processes.leads else (state, {})
    if isinstance(stage, TrainStage):
        state = _run_training(context, number, stage, state)
    elif isinstance(stage, PrunerStage):
        state = run_pruner(context, number, stage, state)
    elif isinstance(stage, QuantizerStage):
        state = run_quantizer(context, number, stage, state)
    model = state.into(context.make_model())
    return state, {"metric": context.metric(model, context.evaluation)}


def _run_training(context: Context, number: int, stage: TrainStage, state: NetworkState) -> NetworkState:
    if stage.checkpoint is not None:
        state = NetworkState(starting_weights(Path(stage.checkpoint), state.weights))
    model = state.into(context.make_model())
    fit = make_fit(context, number, stage)
    fit(model, make_optimizer(model.parameters(), stage.train))
    return NetworkState(cpu_weights(fit.finished(model)), state.masks, state.calibration)


def _end_stage(context: Context, number: int, state: NetworkState, result: dict[str, Any]) -> None:
    stage = context.schedule.stages[number]
    record = {"event": "stage", "stage": number, "title": stage.title, "sparsity": round(state.sparsity(), 6), **result}
    context.folder.add_record(record)
    context.folder.keep_checkpoint(context.folder.end_of_stage(number), state.to_checkpoint())
    context.folder.forget_checkpoint(context.folder.epoch_of_stage(number))
    context.reporter.record(record)
