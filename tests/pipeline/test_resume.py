"""A run that is killed, in each of its stages, ends in the same bytes as one that is not."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dqc_plugin
from dqc_plugin.errors import RunError
from dqc_plugin.pipeline.reporter import Reporter

Mapping = dict[str, Any]


class Killer(Reporter):
    """SIGKILL for its own process: in the middle of an epoch of a stage, or when an epoch's record is written."""

    def __init__(self, stage: int, epoch: int, at: str) -> None:
        self.target, self.at = (stage, epoch), at
        self.now, self.epoch = 0, 0

    def stage(self, number: int, total: int, title: str, resumed: bool) -> None:
        self.now, self.epoch = number, 0
        if self.at == "begin" and number == self.target[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    def steps(self, batches: Iterable[Any], total: int, title: str) -> Iterator[Any]:
        self.epoch = int(title.split()[1].split("/")[0])
        for index, batch in enumerate(batches):
            if self.at == "step" and index == total // 2 and (self.now, self.epoch) == self.target:
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    def record(self, record: Mapping) -> None:
        if self.at == record["event"] and (record["stage"], record.get("epoch", 0)) == self.target:
            os.kill(os.getpid(), signal.SIGKILL)


def run_and_die(schedule: Mapping, folder: Path, *where: Any) -> None:
    """Forked from a server that never trained: autograd refuses to work in a fork of a process that has its threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dqc_plugin.pipeline.runner"])
    process = context.Process(target=dqc_plugin.run, args=(schedule, folder), kwargs={"reporter": Killer(*where)})
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


KILLS = [
    (0, 2, "step"),
    (0, 3, "epoch"),
    (0, 0, "stage"),
    (1, 2, "epoch"),
    (1, 3, "step"),
    (2, 0, "begin"),
    (2, 2, "step"),
    (2, 3, "epoch"),
    (3, 0, "begin"),
]


def without_times(records: list[Mapping]) -> list[Mapping]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def test_killed_in_every_stage(schedule: Mapping, tmp_path: Path) -> None:
    undisturbed = dqc_plugin.run(schedule, tmp_path / "undisturbed")
    for where in KILLS:
        run_and_die(schedule, tmp_path / "killed", *where)
    resumed = dqc_plugin.run(schedule, tmp_path / "killed")
    assert undisturbed.file is not None and resumed.file is not None
    assert resumed.file.read_bytes() == undisturbed.file.read_bytes()
    assert without_times(resumed.records) == without_times(undisturbed.records)


def test_killed_with_the_fast_settings(schedule: Mapping, tmp_path: Path) -> None:
    fast = {"precision": "bfloat16", "channels_last": True, "model": {"name": "lenet5", "image_size": 8}}
    schedule["stages"][0]["train"]["epochs"] = 1
    undisturbed = dqc_plugin.run({**schedule, **fast}, tmp_path / "undisturbed")
    for where in [(1, 2, "step"), (2, 3, "step")]:
        run_and_die({**schedule, **fast}, tmp_path / "killed", *where)
    resumed = dqc_plugin.run({**schedule, **fast}, tmp_path / "killed")
    assert undisturbed.file is not None and resumed.file is not None
    assert resumed.file.read_bytes() == undisturbed.file.read_bytes()


@pytest.mark.parametrize(
    "stage",
    [
        {"quantizer": "dqc", "distill": {"weight": 0.5, "temperature": 4}},
        {"quantizer": "dqc", "weight_averaging": {"decay": 0.99}, "batch_norm_batches": 20},
        {"quantizer": "dqc", "optimizer": {"weight_decay": 0.01, "weight_decay_on": "weights"}},
        {"pruner": "agp", "sparsity": 0.5, "weight_averaging": {"decay": 0.9}},
        {"quantizer": "dqc", "bits": 3, "start_bits": 5},
    ],
    ids=lambda stage: next(reversed(stage)),
)
def test_training_options_resume_too(schedule: Mapping, tmp_path: Path, stage: Mapping) -> None:
    schedule["model"] = {"name": "resnet20", "width": 4, "in_channels": 1}
    last = [{"quantizer": "dqc", "epochs": 1}] if "pruner" in stage else []
    schedule["stages"] = [
        {"train": {"epochs": 1}},
        {**stage, "epochs": 2},
        *last,
        {"coder": "huffman", "file": "a.dqc"},
    ]
    undisturbed = dqc_plugin.run(schedule, tmp_path / "undisturbed")
    run_and_die(schedule, tmp_path / "killed", 1, 2, "step")
    run_and_die(schedule, tmp_path / "killed", 1, 2, "epoch")
    resumed = dqc_plugin.run(schedule, tmp_path / "killed")
    assert undisturbed.file is not None and resumed.file is not None
    assert resumed.file.read_bytes() == undisturbed.file.read_bytes()


@pytest.mark.parametrize(
    "stage",
    [
        {"pruner": "taylor", "sparsity": 0.5, "epochs": 2, "training_steps": 3},
        {"pruner": "slim", "sparsity": 0.5, "epochs": 2, "training_steps": 3},
        {"pruner": "movement", "sparsity": 0.5, "epochs": 2, "cooldown_begin_step": 15},
        {"pruner": "linear", "sparsity": 0.5, "epochs": 2, "using": "l1"},
        {"quantizer": "lsq", "bits": 4, "epochs": 2},
        {"quantizer": "qat", "bits": 4, "epochs": 2},
        {"quantizer": "dorefa", "bits": 4, "epochs": 2},
        {"quantizer": "sqc", "bits": 4, "epochs": 2},
        {"quantizer": "inq", "epochs": 2},
        {"quantizer": "ternary", "epochs": 2},
        {"quantizer": "ttq", "epochs": 2},
        {"quantizer": "binary_connect", "epochs": 2},
        {"quantizer": "weight_sharing", "bits": 4, "epochs": 2, "gradient": "mean"},
    ],
    ids=lambda stage: stage.get("pruner") or stage.get("quantizer"),
)
def test_other_compressors_resume_too(schedule: Mapping, tmp_path: Path, stage: Mapping) -> None:
    stages = [{"train": {"epochs": 1}}, stage]
    if stage.get("quantizer") == "dorefa":  # its full-scale weights need batch norm: NNI's gradients are NaN without
        schedule["model"] = {"name": "resnet20", "width": 4, "in_channels": 1}
    if "pruner" in stage:
        stages.append({"quantizer": "dqc", "epochs": 1})
    schedule["stages"] = [*stages, {"coder": "huffman", "file": "tiny.dqc"}]
    undisturbed = dqc_plugin.run(schedule, tmp_path / "undisturbed")
    run_and_die(schedule, tmp_path / "killed", 1, 2, "step")
    resumed = dqc_plugin.run(schedule, tmp_path / "killed")
    assert undisturbed.file is not None and resumed.file is not None
    assert resumed.file.read_bytes() == undisturbed.file.read_bytes()


def test_a_finished_run_is_not_run_again(schedule: Mapping, tmp_path: Path) -> None:
    first = dqc_plugin.run(schedule, tmp_path)
    assert first.file is not None
    written = first.file.stat().st_mtime_ns
    again = dqc_plugin.run(schedule, tmp_path)
    assert again.records == first.records and first.file.stat().st_mtime_ns == written


def test_another_schedule_in_the_folder_is_an_error(schedule: Mapping, tmp_path: Path) -> None:
    dqc_plugin.run({**schedule, "stages": schedule["stages"][:1]}, tmp_path)
    schedule["stages"][0]["train"]["epochs"] = 9
    with pytest.raises(RunError) as caught:
        dqc_plugin.run({**schedule, "stages": schedule["stages"][:1]}, tmp_path)
    assert "epochs: 3 -> 9" in str(caught.value) and "--out" in str(caught.value)


def test_a_damaged_checkpoint_is_an_error(schedule: Mapping, tmp_path: Path) -> None:
    dqc_plugin.run(schedule, tmp_path)
    (tmp_path / "checkpoints" / "stage-3-end.pt").write_bytes(b"junk")
    with pytest.raises(RunError, match="stage-3-end.pt: damaged checkpoint"):
        dqc_plugin.run(schedule, tmp_path)
