"""The network and the data that a schedule names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from typing_extensions import Self

from dqc_plugin.registry import import_attribute, lookup
from dqc_plugin.schedule.settings import Frozen

Augment = Literal["none", "crop_flip", "shift"]


def _held_out(value: Any) -> Any:
    count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if count or (isinstance(value, float) and 0 <= value < 1):
        return value
    raise ValueError(f"must be a number of examples (0 or more) or a fraction below 1, not {value!r}")


class ModelSpec(Frozen):
    """The network: a registered name or ``package.module:factory``, and the arguments of that factory."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Self:
        """From a name and arguments beside it, already checked."""
        return cls(name=written["name"], arguments={key: value for key, value in written.items() if key != "name"})

    def factory(self) -> Any:
        """The callable that builds the network; RegistryError if there is none."""
        return import_attribute(self.name) if ":" in self.name else lookup("model", self.name).load()


class DataSpec(Frozen):
    """The data: a registered name, a path ending in .npz or ``package.module:factory``, and how it is used.

    validation: training examples held out by the schedule's seed, a count or a fraction.
    evaluate_on: where accuracy is measured.
    """

    name: str
    validation: Annotated[int | float, BeforeValidator(_held_out)] = 0
    evaluate_on: Literal["test", "validation"] = "test"
    augment: Augment = "none"
    arguments: dict[str, Any] = Field(default_factory=dict)

    @field_validator("evaluate_on")
    @classmethod
    def _is_held_out(cls, part: str, info: ValidationInfo) -> str:
        if part == "validation" and info.data.get("validation") == 0:
            raise ValueError("needs 'validation': how many training examples to hold out")
        return part
