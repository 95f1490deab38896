"""The named things in a schedule: found in the registry, their arguments held against what they take."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from dqc_plugin.errors import DQCError, ScheduleError, did_you_mean
from dqc_plugin.pruners.options import PruningOptions
from dqc_plugin.quantizers.options import BitsOptions
from dqc_plugin.registry import Kind, import_attribute, lookup
from dqc_plugin.schedule.merge import Data
from dqc_plugin.schedule.problems import Keys, Problems
from dqc_plugin.schedule.settings import TRAIN_KEYS
from dqc_plugin.schedule.specs import DataSpec, ModelSpec
from dqc_plugin.schedule.validate import validate
from dqc_plugin.schedule.wording import shown

Spec = TypeVar("Spec", ModelSpec, DataSpec)
_CHECKPOINTS = (".pt", ".pth", ".safetensors")
_RELATIVE = "paths start where the command is run"
_PLAIN: dict[str, type[BaseModel]] = {"quantizer": BitsOptions, "pruner": PruningOptions}


def find_options(kind: Literal["pruner", "quantizer"], name: str) -> type[BaseModel]:
    """The model of a component's options.

    Raises RegistryError for an unknown name, ScheduleError for options that share a key with every stage.
    """
    options: type[BaseModel] = lookup(kind, name).load_options() or _PLAIN[kind]
    taken = {*TRAIN_KEYS, "layers", "preset", kind} & set(options.model_fields)
    if taken:
        shared = ", ".join(sorted(taken))
        raise ScheduleError(f"the options of {name!r} use keys that every stage has ({shared}): rename them")
    return options


def read_spec(spec: type[Spec], kind: Kind, keys: Keys, data: Any, problems: Problems) -> Spec | None:
    """``model:`` or ``data:``, a name or a mapping with a name and arguments; problems are added."""
    if data is None:
        return None
    if not isinstance(data, (str, dict)):
        problems.add(keys, f"must be a name, or a mapping with a name and arguments, not {shown(data)}")
        return None
    mapping = {"name": data} if isinstance(data, str) else data
    valid = set(spec.model_fields) - {"arguments"}
    own = {key: value for key, value in mapping.items() if key in valid}
    arguments = {key: value for key, value in mapping.items() if key not in valid}
    read = validate(spec, {**own, "arguments": arguments}, problems, lambda inner: (*keys, *inner))
    if isinstance(mapping.get("name"), str):
        try:
            _check_arguments(kind, _factory(kind, mapping["name"]), arguments, valid, keys, problems)
        except DQCError as error:
            problems.add(keys if isinstance(data, str) else (*keys, "name"), str(error))
    return read


def check_checkpoint(file: Any, keys: Keys, problems: Problems) -> None:
    """Adds a problem unless this is a file of weights that is there, or a path that names the choices of a family."""
    if not isinstance(file, str) or Path(file).suffix not in _CHECKPOINTS:
        problems.add(keys, f"must be a file ending in {' or '.join(_CHECKPOINTS)}, not {shown(file)}")
    elif not (Path(file).is_file() or "{" in file):
        problems.add(keys, f"no such file: {file} ({_RELATIVE})")


def _factory(kind: Kind, name: str) -> Callable[..., Any]:
    if kind == "data" and name.endswith(".npz"):
        if not Path(name).expanduser().is_file():
            raise ScheduleError(f"no such file: {name} ({_RELATIVE})")
        return functools.partial(import_attribute("dqc_plugin.data.archive:npz"), name)
    found = import_attribute(name) if ":" in name else lookup(kind, name).load()
    if not callable(found):
        raise ScheduleError(f"{name!r} is {shown(found)}; it must be a function that makes the {kind}")
    return found  # type: ignore[no-any-return]


def _check_arguments(
    kind: Kind, factory: Callable[..., Any], given: Data, own: set[str], keys: Keys, problems: Problems
) -> None:
    parameters = _parameters(factory)
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for key, value in given.items():
        if key not in named and not takes_any:
            problems.add((*keys, key), f"unknown key{did_you_mean(key, {*named, *own})}")
        elif not _is_plain(value):
            problems.add((*keys, key), f"must be plain data (numbers, text, lists, mappings), not {shown(value)}")
    for key, parameter in named.items():
        if parameter.default is parameter.empty and key not in given:
            problems.add((*keys, key), f"is required: the {kind}'s factory has no default for it")


def _parameters(factory: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):  # written in C: what it takes is known to itself only
        return [inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)]


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
