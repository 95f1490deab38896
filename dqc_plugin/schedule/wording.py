"""What pydantic found, in the words of someone who writes a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from dqc_plugin.errors import did_you_mean

_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "model": "a mapping of keys",
    "dict": "a mapping of keys",
    "tuple": "a list",
    "list": "a list",
    "none": "null",
}
_FEW = 3
_BOUNDS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")


def explain(error: ErrorDetails, model: type[BaseModel]) -> str:
    """One error of validating ``model`` as a sentence without its key: what is allowed and what was given."""
    kind, given = error["type"], shown(error["input"])
    owner, field = _field(model, error["loc"])
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return f"unknown key{did_you_mean(str(error['loc'][-1]), owner.model_fields)}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "literal_error" and field:
        return not_among(error["input"], [str(choice) for choice in _choices(field)])
    if kind in _BOUNDS:
        return f"must be {_range(field, error)}, not {given}"
    if kind in ("too_short", "too_long"):
        return _length(error)
    wanted = _WANTED.get(kind.split("_")[0])
    return f"must be {wanted}, not {given}" if wanted else f"{error['msg']} (given: {given})"


def not_among(given: Any, choices: Sequence[str]) -> str:
    """``must be one of max, mse, not 'mxa'``; where the list is long, with the nearest one."""
    if len(choices) == 1:
        return f"must be {choices[0]}, not {shown(given)}"
    nearest = did_you_mean(given, choices) if isinstance(given, str) and len(choices) > _FEW else ""
    hint = nearest if "did you mean" in nearest else ""
    return f"must be one of {', '.join(choices)}, not {shown(given)}{hint}"


def shown(value: Any) -> str:
    """A value as it would stand in YAML, short: ``true``, ``null``, ``'text'``, ``a list``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models among an annotation and its alternatives."""
    kinds = (annotation, *get_args(annotation))
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _field(model: type[BaseModel], keys: Sequence[int | str]) -> tuple[type[BaseModel], FieldInfo | None]:
    """The model that owns the last text key, and its field of that name, if there is one."""
    field: FieldInfo | None = None
    for key in (key for key in keys if isinstance(key, str)):
        if field is not None:
            model = next((kind for kind in models_in(field.annotation)), model)
        field = model.model_fields.get(key)
    return model, field


def _choices(field: FieldInfo) -> tuple[Any, ...]:
    """The values of a Literal, alone or inside a tuple or an optional."""
    found = [get_args(kind) or (kind,) for kind in get_args(field.annotation)]
    return tuple(choice for group in found for choice in group if not isinstance(choice, type) and choice is not ...)


def _range(field: FieldInfo | None, error: ErrorDetails) -> str:
    bounds = _bounds(field) or dict(error["ctx"])
    if "ge" in bounds and "le" in bounds:
        return f"from {bounds['ge']} to {bounds['le']}"
    low = f"at least {bounds['ge']}" if "ge" in bounds else f"above {bounds['gt']}" if "gt" in bounds else ""
    high = f"at most {bounds['le']}" if "le" in bounds else f"below {bounds['lt']}" if "lt" in bounds else ""
    return " and ".join(filter(None, (low, high)))


def _bounds(field: FieldInfo | None) -> dict[str, Any]:
    """The bounds of a number, or of the numbers in a tuple."""
    if field is None:
        return {}
    inner = [data for kind in get_args(field.annotation) for data in getattr(kind, "__metadata__", ())]
    marks = [*field.metadata, *(mark for data in inner for mark in getattr(data, "metadata", [data]))]
    names = {annotated_types.Ge: "ge", annotated_types.Gt: "gt", annotated_types.Le: "le", annotated_types.Lt: "lt"}
    return {name: getattr(mark, name) for mark in marks for kind, name in names.items() if isinstance(mark, kind)}


def _length(error: ErrorDetails) -> str:
    short, bounds = error["type"] == "too_short", error["ctx"]
    count = bounds["min_length" if short else "max_length"]
    return f"must have at {'least' if short else 'most'} {count} {'entry' if count == 1 else 'entries'}"
