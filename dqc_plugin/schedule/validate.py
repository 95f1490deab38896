"""A part of a schedule's data as a frozen model, or its problems in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dqc_plugin.schedule.problems import Keys, Problems
from dqc_plugin.schedule.wording import explain

Model = TypeVar("Model", bound=BaseModel)
Locate = Callable[[Keys], Keys | None]


def validate(model: type[Model], data: Any, problems: Problems, locate: Locate) -> Model | None:
    """The model, or None after adding every problem that ``locate`` gives a place.

    locate: from keys inside the data to keys in the schedule; None for what is no problem here.
    """
    try:
        return model.model_validate(data)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
    places = [error["loc"] for error in errors]
    for error in errors:
        keys = locate(error["loc"])
        inside = any(place != error["loc"] and place[: len(error["loc"])] == error["loc"] for place in places)
        # A list with a wrong entry also counts as too short: the entry is the problem.
        if keys is not None and not (inside and error["type"] == "too_short"):
            problems.add(keys, explain(error, model))
    return None
