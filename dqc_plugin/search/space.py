"""What may vary in a search, and the schedule of one trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dqc_plugin.errors import ConfigError, ScheduleError, did_you_mean
from dqc_plugin.quantizers.options import SQCOptions
from dqc_plugin.schedule import (
    PrunerStage,
    QuantizerStage,
    Schedule,
    build_model,
    compressible_layers,
    load_schedule,
    stage_settings,
)
from dqc_plugin.schedule.canonical import canonical_data
from dqc_plugin.schedule.overrides import parse_path, put
from dqc_plugin.schedule.stages import per_layer_keys

KEYS = ("bits", "zero", "sparsity")
Parameters = Mapping[str, Any]
SearchSpace = dict[str, dict[str, Any]]


def quantizer_stage(schedule: Schedule) -> tuple[int, QuantizerStage]:
    """The first stage whose bits can vary, and its number; ConfigError if there is none."""
    for number, stage in enumerate(schedule.stages):
        if isinstance(stage, QuantizerStage) and isinstance(stage.options, SQCOptions):
            return number, stage
    raise ConfigError(f"{schedule.name}: has no stage 'quantizer: dqc' or 'quantizer: sqc', whose bits could vary")


def fixed_stages(schedule: Schedule, names: Sequence[str]) -> int:
    """How many stages come before the first that these parameters change."""
    numbers = [quantizer_stage(schedule)[0]]
    for name in names:
        if split(name)[1] == "sparsity":
            numbers.append(pruner_stage(schedule)[0])
        elif split(name)[1] is None:
            path = parse_path(name)
            numbers.append(int(path[1]) if path[0] == "stages" and path[1:2] and path[1].isdecimal() else 0)
    return min(numbers)


def trial_schedule(schedule: Schedule, parameters: Parameters, **changes: Any) -> Schedule:
    """The schedule of one trial.

    parameters: by name: ``conv1.bits``, ``conv1.zero``, ``conv1.sparsity`` of one layer; ``bits``, ``zero``,
        ``sparsity`` of the whole stage; or any path of the schedule, ``stages.1.optimizer.lr``.
    changes: simple keys of the schedule to replace, such as its name.
    Raises ConfigError for a parameter that is none of these, ScheduleError for a value that the schedule refuses.
    """
    data = {**schedule.canonical(), **changes}
    for name, value in parameters.items():
        layer, key = split(name)
        if key is None:
            _put_path(data, name, value)
        elif layer is None:
            _put_stage(_stage_data(schedule, data, key), key, value)
    _put_layers(schedule, data, parameters)
    try:
        return load_schedule(data)
    except ScheduleError as error:
        raise ScheduleError(f"the parameters {dict(parameters)} make a schedule that is refused:\n{error}") from None


def split(name: str) -> tuple[str | None, str | None]:
    """``conv1.bits`` -> conv1, bits; ``bits`` -> None, bits; a path -> None, None."""
    layer, _, key = name.rpartition(".")
    if key not in KEYS or layer.startswith(("stages.", "stages[", "train.")):
        return None, None
    return layer or None, key


def _put_stage(stage: dict[str, Any], key: str, value: Any) -> None:
    """For the whole stage: layers that had the stage's value have the new one, those with their own keep it."""
    for rule in stage["layers"].values():
        if isinstance(rule, dict) and rule.get(key) == stage.get(key):
            rule.pop(key, None)
    stage[key] = value


def _put_path(data: dict[str, Any], name: str, value: Any) -> None:
    path = parse_path(name)
    if path[0] not in data:
        hint = did_you_mean(name, (*KEYS, *data))
        raise ConfigError(f"searchSpace: {name!r} is no layer's bits, zero or sparsity and no path{hint}")
    try:
        put(data, path, value)
    except ScheduleError as error:
        raise ConfigError(f"searchSpace: {name!r}: {error}") from None


def _put_layers(schedule: Schedule, data: dict[str, Any], parameters: Parameters) -> None:
    """Each named layer gets a rule of its own: what it had, and the parameter."""
    named = [(*split(name), value) for name, value in parameters.items()]
    of_layers = [(layer, key, value) for layer, key, value in named if layer is not None and key is not None]
    model = build_model(schedule) if of_layers else None
    for layer, key, value in of_layers:
        assert model is not None
        number, stage = pruner_stage(schedule) if key == "sparsity" else quantizer_stage(schedule)
        names = [found.name for found in compressible_layers(model)]
        if layer not in names:
            raise ConfigError(f"searchSpace: {layer}.{key}: no such layer{did_you_mean(layer, names)}")
        settings = {parameter_layer(parameter): options for parameter, options in stage_settings(stage, model).items()}
        if layer not in settings:
            raise ConfigError(f"searchSpace: {layer}.{key}: the schedule's stages[{number}] leaves that layer out")
        layers = data["stages"][number]["layers"]
        if not isinstance(layers.get(layer), dict) or layer not in stage.layers:
            free = per_layer_keys(stage.options)
            stage_data = data["stages"][number]
            own = {k: v for k, v in canonical_data(settings[layer]).items() if k in free and stage_data.get(k) != v}
            layers.setdefault(layer, {k: v for k, v in own.items() if (None, k) not in map(split, parameters)})
        layers[layer] = {**layers[layer], key: value}


def parameter_layer(parameter: tuple[str, str]) -> str:
    """The name of a layer, from those of its module and parameter."""
    return parameter[0] if parameter[1] == "weight" else ".".join(parameter)


def _stage_data(schedule: Schedule, data: dict[str, Any], key: str) -> dict[str, Any]:
    number = (pruner_stage(schedule) if key == "sparsity" else quantizer_stage(schedule))[0]
    found: dict[str, Any] = data["stages"][number]
    return found


def pruner_stage(schedule: Schedule) -> tuple[int, PrunerStage]:
    """The first pruner stage and its number; ConfigError if there is none."""
    for number, stage in enumerate(schedule.stages):
        if isinstance(stage, PrunerStage):
            return number, stage
    raise ConfigError(f"{schedule.name}: has no pruner stage, whose sparsity could vary")


def uniform_configurations(schedule: Schedule, space: SearchSpace) -> list[Parameters]:
    """One bit width for all layers that the space lets vary, each width in turn; other parameters as in the schedule.

    Empty where the space varies no layer's bits.
    """
    layers = [name for name in space if split(name)[1] == "bits" and split(name)[0] is not None]
    widths = sorted({bits for name in layers for bits in space[name].get("_value", ())})
    others = {name: value for name in space if name not in layers for value in _present(schedule, name)}
    return [{**others, **dict.fromkeys(layers, bits)} for bits in widths]


def within(space: SearchSpace, parameters: Parameters) -> bool:
    """True if a configuration is one that a tuner could have proposed."""
    choices = {name: entry["_value"] for name, entry in space.items() if entry["_type"] == "choice"}
    return set(parameters) == set(space) and all(parameters[name] in values for name, values in choices.items())


def _present(schedule: Schedule, name: str) -> list[Any]:
    """What the schedule says of a parameter, none or one value."""
    layer, key = split(name)
    if key is None:
        found: Any = schedule.canonical()
        for part in parse_path(name):
            found = found[int(part)] if isinstance(found, list) else (found or {}).get(part)
        return [] if found is None else [found]
    number, stage = pruner_stage(schedule) if key == "sparsity" else quantizer_stage(schedule)
    if layer is None:
        return [schedule.canonical()["stages"][number][key]]
    settings = stage_settings(stage, build_model(schedule))
    return [getattr(options, key) for parameter, options in settings.items() if parameter_layer(parameter) == layer]


def size_of(space: SearchSpace) -> float:
    """How many combinations a space of choices has."""
    return math.prod(len(entry["_value"]) if entry["_type"] == "choice" else math.inf for entry in space.values())
