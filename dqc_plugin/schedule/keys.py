"""Unknown keys, each with the nearest valid one or with the mapping that it belongs in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pydantic import BaseModel

from dqc_plugin.errors import did_you_mean
from dqc_plugin.schedule.merge import Data
from dqc_plugin.schedule.problems import Keys, Problems
from dqc_plugin.schedule.wording import models_in

Nested = Mapping[str, frozenset[str]]


def keep_known(
    data: Data, valid: Collection[str], keys: Keys, problems: Problems, nested: Nested | None = None
) -> Data:
    """The entries with valid keys; a problem for each other one. nested: the keys inside each valid key's mapping."""
    for key in (key for key in data if key not in valid):
        home = next((outer for outer, inner in (nested or {}).items() if key in inner), None)
        hint = f"; it belongs in {home!r}" if home else did_you_mean(key, valid)
        problems.add((*keys, key), f"unknown key{hint}")
    return {key: value for key, value in data.items() if key in valid}


def nested_keys(model: type[BaseModel]) -> dict[str, frozenset[str]]:
    """For each field that holds one of several models: the keys of these."""
    inner = {name: _fields(models_in(field.annotation)) for name, field in model.model_fields.items()}
    return {name: keys for name, keys in inner.items() if keys}


def _fields(models: Iterable[type[BaseModel]]) -> frozenset[str]:
    return frozenset(key for model in models for key in model.model_fields) - {"name"}
