"""The training keys of a stage: sections that are picked by name, then the whole."""

from __future__ import annotations

from typing import Any

from dqc_plugin.schedule.keys import nested_keys
from dqc_plugin.schedule.merge import Data
from dqc_plugin.schedule.problems import Problems
from dqc_plugin.schedule.settings import CHOICES, Frozen, TrainSettings, choice_name
from dqc_plugin.schedule.validate import Locate, validate
from dqc_plugin.schedule.wording import not_among, shown

NESTED = nested_keys(TrainSettings)


def read_train(data: Data, problems: Problems, locate: Locate) -> TrainSettings | None:
    """The settings of a stage from its merged keys; problems are added where ``locate`` says."""
    sections = {key: _read_section(key, data[key], problems, locate) for key in CHOICES if key in data}
    simple = {key: value for key, value in data.items() if key not in sections}
    settings = validate(TrainSettings, {**simple, **{k: v for k, v in sections.items() if v}}, problems, locate)
    return settings if all(sections.values()) else None


def _read_section(section: str, data: Any, problems: Problems, locate: Locate) -> Frozen | None:
    choices = {choice_name(choice): choice for choice in CHOICES[section]}
    if not isinstance(data, dict):
        example = f"{{name: {next(iter(choices))}}}"
        _add(problems, locate((section,)), f"must be a mapping such as {example}, not {shown(data)}")
        return None
    name = data.get("name", next(iter(choices)))
    if not isinstance(name, str) or name not in choices:
        _add(problems, locate((section, "name")), not_among(name, list(choices)))
        return None
    foreign = _keys_of_others(data, name, choices)
    for key, owners in foreign.items():
        _add(problems, locate((section, key)), f"belongs to {' and '.join(owners)}, not to {name}")
    own = {key: value for key, value in data.items() if key not in foreign}
    read = validate(choices[name], own, problems, lambda inner: locate((section, *inner)))
    return None if foreign else read


def _keys_of_others(data: Data, name: str, choices: dict[str, type[Frozen]]) -> dict[str, list[str]]:
    """Keys that another choice of the section has, with the names of those choices."""
    others = {
        key: [other for other, choice in choices.items() if key in choice.model_fields]
        for key in data
        if key not in choices[name].model_fields
    }
    return {key: owners for key, owners in others.items() if owners}


def _add(problems: Problems, keys: Any, text: str) -> None:
    if keys is not None:
        problems.add(keys, text)
