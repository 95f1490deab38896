"""A run that is killed, in each of its stages, ends in the same bytes as one that is not."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import dqc_plugin
from dqc_plugin.errors import RunError
from dqc_plugin.pipeline.reporter import Reporter
from dqc_plugin.report import make_document, make_rows, read_run, read_runs

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


def test_a_run_that_goes_on_elsewhere_tells_all_places(schedule: Mapping, tmp_path: Path) -> None:
    run_and_die(schedule, tmp_path / "run", 2, 2, "step")
    path = tmp_path / "run" / "environment.json"
    here = json.loads(path.read_text())
    path.write_text(json.dumps({**here, "threads": 7}))
    for _ in range(2):  # the second time there is nothing left to do
        dqc_plugin.run(schedule, tmp_path / "run")
        assert json.loads(path.read_text()) == {**here, "threads": 7, "continued": [here]}
    comparison = make_document(
        "runs", "", make_rows([(run.labels, run, None) for run in read_runs([tmp_path / "run"])])
    )
    assert [place["threads"] for place in comparison.facts["machines"]] == [7, here["threads"]]


def test_a_stage_tells_the_seconds_of_all_its_epochs(schedule: Mapping, tmp_path: Path) -> None:
    run_and_die(schedule, tmp_path / "run", 2, 2, "step")
    path = tmp_path / "run" / "records.jsonl"
    *before, epoch = map(json.loads, path.read_text().splitlines())
    path.write_text("".join(json.dumps(record) + "\n" for record in [*before, {**epoch, "seconds": 1000.0}]))
    stages = dqc_plugin.run(schedule, tmp_path / "run").stages
    assert stages[1] == before[-1] and stages[3]["seconds"] < 1000 < stages[2]["seconds"] < 2000


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


@pytest.mark.parametrize("content", [None, b"", b"half of"])
def test_a_file_that_is_gone_or_damaged_is_written_again(
    schedule: Mapping, tmp_path: Path, content: bytes | None
) -> None:
    first = dqc_plugin.run(schedule, tmp_path)
    assert first.file is not None
    file, before = first.file, first.file.read_bytes()
    trained = (tmp_path / "checkpoints" / "stage-2-end.pt").stat().st_mtime_ns
    file.unlink() if content is None else file.write_bytes(content)
    again = dqc_plugin.run(schedule, tmp_path)
    assert file.read_bytes() == before and [record["stage"] for record in again.stages] == [0, 1, 2, 3]
    assert (tmp_path / "checkpoints" / "stage-2-end.pt").stat().st_mtime_ns == trained


def test_stages_without_a_record_are_run_again(schedule: Mapping, tmp_path: Path) -> None:
    first = dqc_plugin.run(schedule, tmp_path)
    records = tmp_path / "records.jsonl"
    assert first.file is not None
    before = first.file.read_bytes()
    for kept in (0, 5):
        records.write_text("".join(records.read_text().splitlines(keepends=True)[:kept]))
        again = dqc_plugin.run(schedule, tmp_path)
        assert [record["stage"] for record in again.stages] == [0, 1, 2, 3] and first.file.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("records.jsonl", b"\xd7\xff\n"),
        ("records.jsonl", b'{"a": 1}\n'),
        ("records.jsonl", b"[]\n"),
        ("schedule.json", b"[]"),
        ("schedule.json", b"{}"),
        ("schedule.json", b"\xd7"),
    ],
)
def test_a_damaged_run_folder_is_an_error(schedule: Mapping, tmp_path: Path, name: str, content: bytes) -> None:
    schedule["stages"] = schedule["stages"][:1]
    dqc_plugin.run(schedule, tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=f"{name}: damaged; delete the folder or choose another"):
        dqc_plugin.run(schedule, tmp_path)
    with pytest.raises(RunError, match=f"{name}: (damaged|cannot be read)"):
        read_run(tmp_path)


def test_a_folder_in_which_nothing_is_finished_takes_another_schedule(schedule: Mapping, tmp_path: Path) -> None:
    schedule["stages"] = schedule["stages"][:1]
    schedule["train"]["optimizer"]["lr"] = 1e12
    with pytest.raises(RunError, match="lower the learning rate"):
        dqc_plugin.run(schedule, tmp_path)
    schedule["train"]["optimizer"]["lr"] = 0.05
    assert dqc_plugin.run(schedule, tmp_path).stages


def test_another_network_in_the_folder_is_an_error(schedule: Mapping, tmp_path: Path) -> None:
    schedule["stages"] = schedule["stages"][:1]
    dqc_plugin.run(schedule, tmp_path)
    with pytest.raises(RunError, match="holds a run of another network; choose another folder"):
        dqc_plugin.run(schedule, tmp_path, model=nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))


def test_a_folder_that_takes_no_files(schedule: Mapping, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(RunError, match=r"schedule.json: cannot be written: Read-only file system"):
        dqc_plugin.run(schedule, tmp_path)


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
