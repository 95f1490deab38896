"""One entry of ``stages``: which kind it is, its component's options, its layers, its training keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel

from dqc_plugin.errors import DQCError, did_you_mean
from dqc_plugin.registry import lookup
from dqc_plugin.schedule.components import check_checkpoint, find_options, read_spec
from dqc_plugin.schedule.keys import keep_known, nested_keys
from dqc_plugin.schedule.merge import Data, locator, overlay
from dqc_plugin.schedule.presets import KEY as PRESET
from dqc_plugin.schedule.presets import PRESETS, with_preset
from dqc_plugin.schedule.problems import Keys, Problems
from dqc_plugin.schedule.read_layers import read_layers
from dqc_plugin.schedule.read_train import NESTED, read_train
from dqc_plugin.schedule.settings import TRAIN_KEYS, TrainSettings
from dqc_plugin.schedule.specs import ModelSpec
from dqc_plugin.schedule.stages import CoderStage, PrunerStage, QuantizerStage, Stage, TrainStage
from dqc_plugin.schedule.timing import check_epochs, check_lr_schedule
from dqc_plugin.schedule.validate import validate
from dqc_plugin.schedule.wording import shown

KINDS = ("train", "pruner", "quantizer", "coder")
_TRAIN_STAGE_KEYS = ("checkpoint", *TRAIN_KEYS)


def read_stage(data: Any, keys: Keys, schedule_name: Any, defaults: Data, problems: Problems) -> Stage | None:
    """The stage, or None after adding its problems.

    schedule_name: the coder's file is called after it. defaults: the keys of ``train`` at the top.
    """
    kind = _kind(data, keys, problems)
    if kind is None:
        return None
    data = with_preset(kind, data, keys, problems)
    if kind == "coder":
        return _read_coder(data, keys, schedule_name, problems)
    if kind == "train":
        return _read_train_stage(data, keys, defaults, problems)
    return _read_compress("pruner" if kind == "pruner" else "quantizer", data, keys, defaults, problems)


def _kind(data: Any, keys: Keys, problems: Problems) -> str | None:
    if not isinstance(data, dict):
        problems.add(keys, f"must be a mapping with one of {', '.join(KINDS)}, not {shown(data)}")
        return None
    kinds = [kind for kind in KINDS if kind in data]
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        problems.add(keys, f"has {' and '.join(kinds)}; give each a stage of its own")
        return None
    hints = (hint for key in data for hint in [did_you_mean(key, KINDS)] if "did you mean" in hint)
    problems.add(keys, f"must have one of {', '.join(KINDS)}{next(hints, '')}")
    return None


def _read_train_stage(data: Data, keys: Keys, defaults: Data, problems: Problems) -> TrainStage | None:
    for key in (key for key in data if key != "train"):
        hint = f"; write it inside: train: {{{key}: ...}}" if key in _TRAIN_STAGE_KEYS else did_you_mean(key, ["train"])
        problems.add((*keys, key), f"unknown key{hint}")
    inside: Keys = (*keys, "train")
    if not isinstance(data["train"], dict):
        problems.add(inside, f"must be a mapping such as {{epochs: 12}}, not {shown(data['train'])}")
        return None
    own = keep_known(data["train"], _TRAIN_STAGE_KEYS, inside, problems, NESTED)
    checkpoint = own.pop("checkpoint", None)
    if checkpoint is not None:
        check_checkpoint(checkpoint, (*inside, "checkpoint"), problems)
    train = _read_training(own, inside, defaults, problems)
    if train is None:
        return None
    if checkpoint is not None and keys != ("stages", 0):
        problems.add((*inside, "checkpoint"), "a checkpoint can only start a schedule, in its first stage")
    if train.distill is not None and train.distill.teacher is None and keys == ("stages", 0):
        place = (*inside, "distill") if "distill" in own else ("train", "distill")
        problems.add(
            place,
            "the first stage has no network to learn from; name a teacher, or give it to later stages (null: not here)",
        )
    if train.epochs == 0 and checkpoint is None:
        problems.add((*inside, "epochs"), "must be at least 1 (or give a checkpoint to start from)")
    return TrainStage(checkpoint=checkpoint if isinstance(checkpoint, str) else None, train=train)


def _read_compress(
    kind: Literal["pruner", "quantizer"], data: Data, keys: Keys, defaults: Data, problems: Problems
) -> PrunerStage | QuantizerStage | None:
    name = data[kind]
    options_model = _find(lambda: find_options(kind, name), name, (*keys, kind), problems)
    if options_model is None:
        _read_training({key: data[key] for key in TRAIN_KEYS if key in data}, keys, defaults, problems)
        return None
    valid = (kind, "layers", *((PRESET,) if name in PRESETS else ()), *options_model.model_fields, *TRAIN_KEYS)
    known = keep_known(data, valid, keys, problems, {**nested_keys(options_model), **NESTED})
    own = {key: known[key] for key in options_model.model_fields if key in known}
    options = validate(options_model, own, problems, lambda inner: (*keys, *inner))
    layers = read_layers(known.get("layers", {}), options_model, own, keys, problems, options is not None)
    train = _read_training({key: known[key] for key in TRAIN_KEYS if key in known}, keys, defaults, problems)
    if options is None or train is None:
        return None
    stage_model = PrunerStage if kind == "pruner" else QuantizerStage
    stage = stage_model(name=name, options=options, layers=layers, train=train)
    _check_sparsity(stage, keys, problems)
    _check_start_bits(stage.options, keys, problems)
    check_epochs(stage, keys, problems)
    return stage


def _read_coder(data: Data, keys: Keys, schedule_name: Any, problems: Problems) -> CoderStage | None:
    known = keep_known(data, ("coder", "file", "unquantized", "unused", "batch_norm"), keys, problems)
    name = known.pop("coder")
    if _find(lambda: lookup("coder", name), name, (*keys, "coder"), problems) is None:
        return None
    default = f"{schedule_name}.dqc" if isinstance(schedule_name, str) else "network.dqc"
    own = {"name": name, "file": default, **known}
    return validate(CoderStage, own, problems, lambda inner: (*keys, *inner) if inner[0] in known else None)


def _read_training(own: Data, keys: Keys, defaults: Data, problems: Problems) -> TrainSettings | None:
    locate = locator((("train",), defaults), (keys, own))
    train = read_train(overlay(defaults, own), problems, locate)
    if train is not None:
        check_lr_schedule(train, keys, locate, problems)
        _check_teacher(train, locate, problems)
    return train


def _check_teacher(train: TrainSettings, locate: Callable[[Keys], Keys], problems: Problems) -> None:
    """Adds a problem unless the network to learn from can be found."""
    teacher = train.distill.teacher if train.distill else None
    if teacher is not None:
        keys = locate(("distill", "teacher"))
        read_spec(ModelSpec, "model", (*keys, "model"), teacher.model, problems)
        check_checkpoint(teacher.checkpoint, (*keys, "checkpoint"), problems)


def _find(find: Callable[[], Any], name: Any, keys: Keys, problems: Problems) -> Any:
    if not isinstance(name, str):
        problems.add(keys, f"must be a name, not {shown(name)}")
        return None
    try:
        return find()
    except DQCError as error:
        problems.add(keys, str(error))
        return None


def _check_sparsity(stage: PrunerStage | QuantizerStage, keys: Keys, problems: Problems) -> None:
    if isinstance(stage, PrunerStage) and not stage.layers and _lacks_sparsity(stage.options):
        problems.add((*keys, "sparsity"), "is required, for the stage or for each layer under 'layers'")


def _check_start_bits(options: BaseModel, keys: Keys, problems: Problems) -> None:
    start, bits = getattr(options, "start_bits", None), getattr(options, "bits", 0)
    if start is not None and start <= bits:
        problems.add((*keys, "start_bits"), f"must be above bits ({bits}), not {start}")


def _lacks_sparsity(options: BaseModel) -> bool:
    return "sparsity" in type(options).model_fields and getattr(options, "sparsity", None) is None
