"""Broken schedules, each with its whole message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule import PrunerStage, TrainStage, load_schedule

Write = Callable[[str], Path]
Complaint = Callable[..., list[str]]


def model_with_required(size: int, depth: int = 1) -> nn.Module:
    return nn.Linear(size, depth)


NOT_CALLABLE = 5


@pytest.fixture
def with_line(good: str) -> Callable[[str, str], str]:
    """with_line(old, new) -> the good schedule with one line replaced."""

    def replaced(old: str, new: str) -> str:
        assert old in good
        return good.replace(old, new)

    return replaced


def test_the_good_one_is_good(write: Write, good: str) -> None:
    assert (
        load_schedule(write(good)).overview
        == "train, 12 epochs → agp, 10 epochs → dqc, 8 epochs → huffman into small.dqc"
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # unknown keys, at every level
        ("version: 1", "version: 1\nsede: 3", "x.yml:2: sede: unknown key; did you mean 'seed'?"),
        (
            "    sparsity: 0.9",
            "    sparsty: 0.9\n    sparsity: 0.9",
            "x.yml:11: stages[1].sparsty: unknown key; did you mean 'sparsity'?",
        ),
        (
            "{freeze_after_epochs: 6}",
            "{freez_after_epochs: 6}",
            "x.yml:16: stages[2].codebook.freez_after_epochs: unknown key; did you mean 'freeze_after_epochs'?",
        ),
        (
            "{sparsity: 0.3}",
            "{sparsity: 0.3, granulrity: default}",
            "x.yml:12: stages[1].layers.conv1.granulrity: unknown key; did you mean 'granularity'?",
        ),
        (
            "lr: 0.05}",
            "lr: 0.05, nesterow: true}",
            "x.yml:6: train.optimizer.nesterow: unknown key; did you mean 'nesterov'?",
        ),
        (
            "- coder: huffman",
            "- coder: huffman\n    flie: a.dqc",
            "x.yml:19: stages[3].flie: unknown key; did you mean 'file'?",
        ),
        (
            "{epochs: 12}",
            "{epochs: 12, batchsize: 3}",
            "x.yml:9: stages[0].train.batchsize: unknown key; did you mean 'batch_size'?",
        ),
        (
            "    epochs: 8",
            "    epochs: 8\n    lr: 0.1",
            "x.yml:18: stages[2].lr: unknown key; it belongs in 'optimizer'",
        ),
        (
            "    epochs: 8",
            "    epochs: 8\n    refresh_every_steps: 2",
            "x.yml:18: stages[2].refresh_every_steps: unknown key; it belongs in 'codebook'",
        ),
        (
            "- train: {epochs: 12}",
            "- train: {epochs: 12}\n    batch_size: 4",
            "x.yml:10: stages[0].batch_size: unknown key; write it inside: train: {batch_size: ...}",
        ),
        # a key that another component has
        (
            "name: sgd, lr: 0.05}",
            "name: adam, momentum: 0.9}",
            "x.yml:6: train.optimizer.momentum: belongs to sgd, not to adam",
        ),
        (
            "{name: cosine}",
            "{name: cosine, gamma: 0.1}",
            "x.yml:7: train.lr_schedule.gamma: belongs to step and multistep, not to cosine",
        ),
        (
            "{sparsity: 0.3}",
            "{updates: 3}",
            "x.yml:12: stages[1].layers.conv1.updates: holds for the whole stage; set it beside 'layers'",
        ),
        # wrong types
        ("    bits: 5", "    bits: five", "x.yml:15: stages[2].bits: must be a whole number, not 'five'"),
        ("    bits: 5", "    bits: 5.0", "x.yml:15: stages[2].bits: must be a whole number, not 5.0"),
        ("    bits: 5", "    bits: 5\n    zero: yes", "x.yml:16: stages[2].zero: must be true or false, not 'yes'"),
        ("lr: 0.05", "lr: fast", "x.yml:6: train.optimizer.lr: must be a number, not 'fast'"),
        ("lr: 0.05", "lr: .nan", "x.yml:6: train.optimizer.lr: must be a finite number, not nan"),
        ("name: small", "name: 3", "x.yml:2: name: must be text, not 3"),
        ("{freeze_after_epochs: 6}", "6", "x.yml:16: stages[2].codebook: must be a mapping of keys, not 6"),
        (
            "{name: cosine}",
            "cosine",
            "x.yml:7: train.lr_schedule: must be a mapping such as {name: constant}, not 'cosine'",
        ),
        (
            "{conv1: {sparsity: 0.3}}",
            "[conv1]",
            "x.yml:12: stages[1].layers: must be a mapping from layers to options, not a list",
        ),
        ("{sparsity: 0.3}", "0.3", "x.yml:12: stages[1].layers.conv1: must be 'skip' or a mapping of options, not 0.3"),
        ("model: lenet5", "model: 5", "x.yml:3: model: must be a name, or a mapping with a name and arguments, not 5"),
        ("- pruner: agp", "- pruner: {name: agp}", "x.yml:10: stages[1].pruner: must be a name, not a mapping"),
        (
            "- train: {epochs: 12}",
            "- train: 12",
            "x.yml:9: stages[0].train: must be a mapping such as {epochs: 12}, not 12",
        ),
        # impossible values
        ("version: 1", "version: 2", "x.yml:1: version: must be 1, not 2"),
        (
            "name: small",
            "name: a/b",
            "x.yml:2: name: must be letters, digits, '.', '_' and '-', since it names files, not 'a/b'",
        ),
        ("version: 1", "version: 1\nthreads: 0", "x.yml:2: threads: must be from 1 to 1024, not 0"),
        ("version: 1", "version: 1\ndevice: gpu", "x.yml:2: device: must be one of auto, cpu, cuda, not 'gpu'"),
        (
            "    sparsity: 0.9",
            "    sparsity: 92",
            "x.yml:11: stages[1].sparsity: must be at least 0 and below 1, not 92",
        ),
        ("    sparsity: 0.9", "    sparsity: 1", "x.yml:11: stages[1].sparsity: must be at least 0 and below 1, not 1"),
        ("    bits: 5", "    bits: 9", "x.yml:15: stages[2].bits: must be from 2 to 8, not 9"),
        (
            "    bits: 5",
            "    bits: 5\n    range: maxx",
            "x.yml:16: stages[2].range: must be one of max, mse, not 'maxx'",
        ),
        ("name: sgd", "name: sdg", "x.yml:6: train.optimizer.name: must be one of sgd, adam, adamw, not 'sdg'"),
        (
            "{name: cosine}",
            "{name: cosin}",
            "x.yml:7: train.lr_schedule.name: must be one of constant, cosine, step, multistep, one_cycle, "
            "not 'cosin'; did you mean 'cosine'?",
        ),
        ("lr: 0.05", "lr: 0", "x.yml:6: train.optimizer.lr: must be above 0, not 0"),
        ("lr: 0.05", "momentum: 0, nesterov: true", "x.yml:6: train.optimizer.nesterov: needs a momentum above 0"),
        (
            "name: sgd, lr: 0.05",
            "name: adam, betas: [0.9, 1.0]",
            "x.yml:6: train.optimizer.betas[1]: must be at least 0 and below 1, not 1.0",
        ),
        (
            "{name: cosine}",
            "{name: multistep, milestones_epochs: [5, 3]}",
            "x.yml:7: train.lr_schedule.milestones_epochs: must rise, not [5, 3]",
        ),
        (
            "{freeze_after_epochs: 6}",
            "{freeze_after_epochs: 6, freeze_after_steps: 9}",
            "x.yml:16: stages[2].codebook.freeze_after_epochs: give freeze_after_steps or freeze_after_epochs, "
            "not both (null takes one away)",
        ),
        (
            "- coder: huffman",
            "- coder: huffman\n    file: ../a.dqc",
            "x.yml:19: stages[3].file: must be a plain file name such as 'net.dqc', for the run folder, not '../a.dqc'",
        ),
        (
            "- coder: huffman",
            "- coder: huffman\n    file: records.jsonl",
            "x.yml:19: stages[3].file: must be another name than 'records.jsonl', which the run folder has for its own "
            "files",
        ),
        (
            "data: digits",
            "data: digits\nseed: 9999999999",
            "x.yml:5: seed: must be from 0 to 4294967295, not 9999999999",
        ),
        ("data: digits", "data: digits\nthreads: 20000", "x.yml:5: threads: must be from 1 to 1024, not 20000"),
        (
            "data: digits",
            "data: {name: digits, validation: 1.5}",
            "x.yml:4: data.validation: must be a number of examples (0 or more) or a fraction below 1, not 1.5",
        ),
        (
            "data: digits",
            "data: {name: digits, evaluate_on: validation}",
            "x.yml:4: data.evaluate_on: needs 'validation': how many training examples to hold out",
        ),
        (
            "{sparsity: 0.3}",
            "{skip: true, sparsity: 0.3}",
            "x.yml:12: stages[1].layers.conv1.skip: must be true and stand alone: "
            "a layer is either left out or has options",
        ),
        (
            "{conv1: {sparsity: 0.3}}",
            '{"re:conv(": {sparsity: 0.3}}',
            'x.yml:12: stages[1].layers["re:conv("]: is not a valid regular expression: '
            "missing ), unterminated subpattern at position 4",
        ),
        # what the epochs do not reach
        (
            "{freeze_after_epochs: 6}",
            "{freeze_after_epochs: 9}",
            "x.yml:16: stages[2].codebook.freeze_after_epochs: 9 is never reached: stages[2] trains 8 epochs",
        ),
        (
            "    sparsity: 0.9",
            "    sparsity: 0.9\n    ramp_epochs: 10.5",
            "x.yml:12: stages[1].ramp_epochs: 10.5 is never reached: stages[1] trains 10 epochs",
        ),
        (
            "{name: cosine}",
            "{name: multistep, milestones_epochs: [3, 8]}",
            "x.yml:7: train.lr_schedule.milestones_epochs: 8 is never reached: stages[2] trains 8 epochs",
        ),
        (
            "    epochs: 8",
            "    epochs: 8\n    lr_schedule: {warmup_epochs: 9}",
            "x.yml:18: stages[2].lr_schedule.warmup_epochs: 9.0 is never reached: stages[2] trains 8 epochs",
        ),
        (
            "    epochs: 8",
            "    epochs: 8\n    layers: {fc1: {codebook: {freeze_after_epochs: 20}}}",
            "x.yml:18: stages[2].layers.fc1.codebook.freeze_after_epochs: "
            "20 is never reached: stages[2] trains 8 epochs",
        ),
        ("    epochs: 10\n", "", "x.yml:10: stages[1].epochs: must be at least 1: agp prunes while it trains"),
        (
            "{epochs: 12}",
            "{}",
            "x.yml:9: stages[0].train.epochs: must be at least 1 (or give a checkpoint to start from)",
        ),
        # names
        ("model: lenet5", "model: lenet6", "x.yml:3: model: unknown model 'lenet6'; did you mean 'lenet5'?"),
        (
            "model: lenet5",
            "model:\n  name: lenet6",
            "x.yml:4: model.name: unknown model 'lenet6'; did you mean 'lenet5'?",
        ),
        (
            "model: lenet5",
            "model: nowhere:net",
            "x.yml:3: model: cannot import 'nowhere' for 'nowhere:net': No module named 'nowhere'",
        ),
        (
            "model: lenet5",
            "model: test_read:NOT_CALLABLE",
            "x.yml:3: model: 'test_read:NOT_CALLABLE' is 5; it must be a function that makes the model",
        ),
        ("data: digits", "data: digit", "x.yml:4: data: unknown data 'digit'; did you mean 'digits'?"),
        ("data: digits", "data: my.npz", "x.yml:4: data: no such file: my.npz (paths start where the command is run)"),
        (
            "- quantizer: dqc",
            "- quantizer: dcq",
            "x.yml:14: stages[2].quantizer: unknown quantizer 'dcq'; did you mean 'dqc'?",
        ),
        ("- pruner: agp", "- pruner: agb", "x.yml:10: stages[1].pruner: unknown pruner 'agb'; did you mean 'agp'?"),
        (
            "- coder: huffman",
            "- coder: hufman",
            "x.yml:18: stages[3].coder: unknown coder 'hufman'; did you mean 'huffman'?",
        ),
        (
            "{epochs: 12}",
            "{checkpoint: net.pt}",
            "x.yml:9: stages[0].train.checkpoint: no such file: net.pt (paths start where the command is run)",
        ),
        (
            "{epochs: 12}",
            "{checkpoint: net.pkl}",
            "x.yml:9: stages[0].train.checkpoint: must be a file ending in .pt or .pth or .safetensors, not 'net.pkl'",
        ),
        # arguments
        (
            "model: lenet5",
            "model: {name: lenet5, image_sise: 8}",
            "x.yml:3: model.image_sise: unknown key; did you mean 'image_size'?",
        ),
        (
            "model: lenet5",
            "model: {name: test_read:model_with_required}",
            "x.yml:3: model.size: is required: the model's factory has no default for it",
        ),
        (
            "data: digits",
            "data: {name: digits, valdation: 5}",
            "x.yml:4: data.valdation: unknown key; did you mean 'validation'?",
        ),
        # what is missing
        ("version: 1\n", "", "x.yml:1: version: is required"),
        ("name: small\n", "", "x.yml:1: name: is required"),
        ("{name: cosine}", "{name: step}", "x.yml:7: train.lr_schedule.step_epochs: is required"),
        ("model: lenet5", "model: {image_size: 8}", "x.yml:3: model.name: is required"),
        ("- pruner: agp", "- sparse: agp", "x.yml:10: stages[1]: must have one of train, pruner, quantizer, coder"),
        (
            "- pruner: agp",
            "- prunner: agp",
            "x.yml:10: stages[1]: must have one of train, pruner, quantizer, coder; did you mean 'pruner'?",
        ),
        (
            "- pruner: agp",
            "- pruner: agp\n    quantizer: dqc",
            "x.yml:10: stages[1]: has pruner and quantizer; give each a stage of its own",
        ),
        (
            "    sparsity: 0.9\n    layers: {conv1: {sparsity: 0.3}}\n",
            "",
            "x.yml:10: stages[1].sparsity: is required, for the stage or for each layer under 'layers'",
        ),
    ],
)
def test_broken_schedules(
    complaint: Complaint, with_line: Callable[[str, str], str], old: str, new: str, expected: str
) -> None:
    assert complaint(with_line(old, new)) == [expected]


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("stages: []", "x.yml:3: stages: must be a list of stages, such as '- train: {epochs: 12}', not an empty list"),
        (
            "stages: {train: 1}",
            "x.yml:3: stages: must be a list of stages, such as '- train: {epochs: 12}', not a mapping",
        ),
        (
            "stages: [train]",
            "x.yml:3: stages[0]: must be a mapping with one of train, pruner, quantizer, coder, not 'train'",
        ),
        ("seed: 1", "x.yml:1: stages: is required"),
    ],
)
def test_stages_must_be_a_list_of_mappings(complaint: Complaint, stages: str, expected: str) -> None:
    assert complaint(f"version: 1\nname: x\n{stages}\n") == [expected]


def test_what_is_no_mapping_at_all(complaint: Complaint) -> None:
    assert complaint("- train\n") == ["x.yml:1: a schedule is a mapping of keys such as 'version: 1', not a list"]
    assert complaint("version: 1\nname: x\ntrain: 5\nstages: [{train: {epochs: 1}}]\n") == [
        "x.yml:3: train: must be a mapping of keys such as 'epochs: 10', not 5"
    ]


def test_everything_wrong_is_told_at_once_by_line(complaint: Complaint) -> None:
    text = """\
    version: 3
    nmae: x
    name: x
    model: {name: lenet5, imagesize: 3}
    train:
      optimizer: {name: sgd, lr: -1}
      lr_schedule: {name: multistep, milestones_epochs: [0, x]}
    stages:
      - pruner: lvl
        epochs: few
      - train: {epochs: 2, loss: {l3: 1}}
      - quantizer: sqc
        codebook: {refresh_every_steps: 2}
        layers:
          fc1: {bits: 1}
          "re:[": skip
      - coder: huffman
      - coder: packed
    """
    assert complaint(text, "seed=-1") == [
        "x.yml:1: version: must be 1, not 3",
        "x.yml:2: nmae: unknown key; did you mean 'name'?",
        "x.yml:4: model.imagesize: unknown key; did you mean 'image_size'?",
        "x.yml:6: train.optimizer.lr: must be above 0, not -1",
        "x.yml:7: train.lr_schedule.milestones_epochs[0]: must be at least 1, not 0",
        "x.yml:7: train.lr_schedule.milestones_epochs[1]: must be a whole number, not 'x'",
        "x.yml:9: stages[0].pruner: unknown pruner 'lvl'; did you mean 'level'?",
        "x.yml:9: stages[0]: a pruner needs a network: start with '- train: {epochs: ...}' "
        "or '- train: {checkpoint: FILE}'",
        "x.yml:10: stages[0].epochs: must be a whole number, not 'few'",
        "x.yml:11: stages[1]: train stages come before pruners and quantizers; to train on, "
        "give the stage before it more epochs",
        "x.yml:11: stages[1].train.loss.l3: unknown key; valid: l1, l2, label_smoothing, name",
        "x.yml:13: stages[2].codebook: unknown key; "
        "valid: accumulate_batches, batch_norm_batches, batch_size, bits, distill, epochs, gradient, "
        "gradient_clip_norm, granularity, layers, loss, lr_schedule, optimizer, precision, preset, quantizer, range, "
        "weight_averaging, zero",
        "x.yml:15: stages[2].layers.fc1.bits: must be from 2 to 8, not 1",
        'x.yml:16: stages[2].layers["re:["]: is not a valid regular expression: '
        "unterminated character set at position 0",
        "x.yml:18: stages[4]: there is a coder already",
        "--set seed=-1: seed: must be from 0 to 4294967295, not -1",
    ]


def test_a_mapping_names_the_keys_alone() -> None:
    with pytest.raises(ScheduleError, match=r"^stages\[0\]\.train\.epoch: unknown key; did you mean 'epochs'\?$"):
        load_schedule({"version": 1, "name": "m", "stages": [{"train": {"epoch": 3, "epochs": 3}}]})


def test_a_value_that_no_file_could_hold_is_refused() -> None:
    mapping = {
        "version": 1,
        "name": "m",
        "model": {"name": "lenet5", "classes": object},
        "stages": [{"train": {"epochs": 1}}],
    }
    with pytest.raises(ScheduleError, match=r"^model\.classes: must be plain data"):
        load_schedule(mapping)


def test_a_mistake_in_the_defaults_is_told_once_where_it_stands(complaint: Complaint, good: str) -> None:
    assert complaint(good.replace("lr: 0.05", "lr: 0.05, momentum: 2")) == [
        "x.yml:6: train.optimizer.momentum: must be at least 0 and below 1, not 2"
    ]


def test_a_stage_is_merged_over_the_defaults_key_by_key(write: Write, good: str) -> None:
    text = good.replace("lr: 0.05}", "lr: 0.05, weight_decay: 0.1}\n  batch_size: 32")
    text = text.replace("    epochs: 10", "    epochs: 10\n    optimizer: {lr: 0.5}\n    batch_size: 16")
    text = text.replace("    epochs: 8", "    epochs: 8\n    optimizer: {name: adam}")
    first, second, third, _ = load_schedule(write(text)).stages
    assert [stage.train.batch_size for stage in (first, second, third)] == [32, 16, 32]
    assert [stage.train.optimizer.lr for stage in (first, second, third)] == [0.05, 0.5, 0.001]
    assert [stage.train.optimizer.weight_decay for stage in (first, second, third)] == [0.1, 0.1, 0.0]
    assert {stage.train.lr_schedule.name for stage in (first, second, third)} == {"cosine"}


def test_what_the_defaults_lack_may_stand_in_the_stages(write: Write) -> None:
    text = """\
    version: 1
    name: x
    train: {lr_schedule: {name: step}}
    stages: [{train: {epochs: 4, lr_schedule: {step_epochs: 2}}}]
    """
    stage = load_schedule(write(text)).stages[0]
    assert isinstance(stage, TrainStage)
    assert stage.train.lr_schedule.model_dump()["step_epochs"] == 2


def test_a_layer_is_merged_over_its_stage(write: Write, good: str) -> None:
    text = good.replace(
        "{freeze_after_epochs: 6}", "{refresh_every_steps: 4}\n    layers: {fc1: {codebook: {freeze_after_steps: 9}}}"
    )
    rule = load_schedule(write(text)).stages[2].layers["fc1"]  # type: ignore[union-attr]
    assert rule is not None
    assert rule.model_dump()["codebook"] == {
        "refresh_every_steps": 4,
        "freeze_after_steps": 9,
        "freeze_after_epochs": None,
    }
    assert rule.model_dump()["bits"] == 5


def test_each_layer_may_bring_the_sparsity(write: Write, good: str) -> None:
    stage = load_schedule(write(good.replace("    sparsity: 0.9\n", ""))).stages[1]
    assert isinstance(stage, PrunerStage)
    assert stage.options.model_dump()["sparsity"] is None


def test_a_checkpoint_starts_a_schedule_and_only_starts_it(write: Write, good: str, complaint: Complaint) -> None:
    text = good.replace("{epochs: 12}", "{checkpoint: net.safetensors}")
    path = write(text)
    Path("net.safetensors").touch()
    first = load_schedule(path).stages[0]
    assert isinstance(first, TrainStage)
    assert (first.checkpoint, first.train.epochs) == ("net.safetensors", 0)
    for name, said in (("{seed}", "{seed} names no axis of the matrix"), ("{seed", "has a brace without its partner")):
        with pytest.raises(ScheduleError, match=rf"x.yml:9: stages\[0\].train.checkpoint: .*{said}"):
            load_schedule(write(text.replace("net.safetensors", f"'net-{name}.safetensors'")))
    again = text.replace("  - pruner: agp", "  - train: {checkpoint: net.safetensors}\n  - pruner: agp")
    assert complaint(again) == [
        "x.yml:10: stages[1].train.checkpoint: a checkpoint can only start a schedule, in its first stage"
    ]


def test_a_factory_of_the_user_with_arguments(write: Write, good: str) -> None:
    schedule = load_schedule(write(good.replace("lenet5", "{name: test_read:model_with_required, size: 3}")))
    assert schedule.model is not None
    assert schedule.model.factory() is not None
    assert schedule.model.arguments == {"size": 3}
