"""The checked schedule: frozen data in which every stage carries its complete settings."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PrivateAttr,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
)
from typing_extensions import Self

from dqc_plugin.registry import import_attribute, lookup
from dqc_plugin.schedule.problems import Origin
from dqc_plugin.schedule.settings import Frozen, TrainSettings

SKIP = "skip"
Augment = Literal["none", "crop_flip", "shift"]


def _file_safe(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError(f"must be letters, digits, '.', '_' and '-', since it names files, not {name!r}")
    return name


def _plain_file_name(file: str) -> str:
    if file in ("", ".", "..") or PureWindowsPath(file).name != file:
        raise ValueError(f"must be a plain file name such as 'net.dqc' (it is written into the run folder), not {file!r}")
    return file


def _held_out(value: Any) -> Any:
    count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if count or (isinstance(value, float) and 0 <= value < 1):
        return value
    raise ValueError(f"must be a number of examples (0 or more) or a fraction below 1, not {value!r}")


class _Placed(Frozen):
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def origin(self) -> Origin:
        """Where this stands, for messages about what turns out wrong later."""
        return self._origin

    def placed(self, origin: Origin) -> Self:
        """The same, told where it stands."""
        self._origin = origin
        return self


class ModelSpec(Frozen):
    """The network: a registered name or ``package.module:factory``, and the arguments of that factory."""

    name: str
    arguments: dict[str, Any] = {}

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
    arguments: dict[str, Any] = {}

    @field_validator("evaluate_on")
    @classmethod
    def _is_held_out(cls, part: str, info: ValidationInfo) -> str:
        if part == "validation" and info.data.get("validation") == 0:
            raise ValueError("needs 'validation': how many training examples to hold out")
        return part


class TrainStage(_Placed):
    """Float training, from new weights or from a checkpoint (.pt or .safetensors)."""

    kind: Literal["train"] = "train"
    checkpoint: str | None = None
    train: TrainSettings = TrainSettings()

    @property
    def title(self) -> str:
        """The stage in a few words."""
        start = f" from {self.checkpoint}" if self.checkpoint else ""
        return f"train{start}{_epochs(self.train)}"

    def canonical(self) -> dict[str, Any]:
        return {"train": {"checkpoint": self.checkpoint, **_dump(self.train)}}


class _CompressStage(_Placed):
    """name: the component. options: those of the stage. layers: selector -> complete options, None leaves out."""

    name: str
    options: SerializeAsAny[BaseModel]
    layers: dict[str, SerializeAsAny[BaseModel] | None] = {}
    train: TrainSettings = TrainSettings()

    @property
    def title(self) -> str:
        """The stage in a few words."""
        return f"{self.name}{_epochs(self.train)}"

    def _canonical(self, kind: str) -> dict[str, Any]:
        layers = {selector: SKIP if rule is None else _overrides(rule) for selector, rule in self.layers.items()}
        return {kind: self.name, **_dump(self.options), "layers": layers, **_dump(self.train)}


class PrunerStage(_CompressStage):
    kind: Literal["pruner"] = "pruner"

    def canonical(self) -> dict[str, Any]:
        return self._canonical("pruner")


class QuantizerStage(_CompressStage):
    kind: Literal["quantizer"] = "quantizer"

    def canonical(self) -> dict[str, Any]:
        return self._canonical("quantizer")


class CoderStage(_Placed):
    """Entropy coding into a file inside the run folder."""

    kind: Literal["coder"] = "coder"
    name: str
    file: Annotated[str, AfterValidator(_plain_file_name)]

    @property
    def title(self) -> str:
        """The stage in a few words."""
        return f"{self.name} into {self.file}"

    def canonical(self) -> dict[str, Any]:
        return {"coder": self.name, "file": self.file}


Stage = Annotated[TrainStage | PrunerStage | QuantizerStage | CoderStage, Field(discriminator="kind")]
CompressStage = PrunerStage | QuantizerStage


class Header(Frozen):
    """The simple keys of a schedule."""

    version: Literal[1]
    name: Annotated[str, AfterValidator(_file_safe)]
    seed: int = Field(0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(None, ge=1)


class Schedule(Header, _Placed):
    """What to do with a network, whole and checked; made by :func:`dqc_plugin.schedule.load_schedule`.

    model, data: None where the caller brings its own.
    """

    model: ModelSpec | None = None
    data: DataSpec | None = None
    stages: tuple[Stage, ...] = Field(min_length=1, strict=False)

    def canonical(self) -> dict[str, Any]:
        """The schedule with every default written out: plain JSON data that loads as an equal schedule.

        Keys under ``train`` at the top are gone: each stage has its own.
        """
        simple = self.model_dump(mode="json", include=set(Header.model_fields))
        named = {key: _flat(spec) for key, spec in (("model", self.model), ("data", self.data)) if spec}
        return {**simple, **named, "stages": [stage.canonical() for stage in self.stages]}

    def digest(self) -> str:
        """SHA-256 of the canonical form: equal for schedules that say the same in other words."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def per_layer_keys(options: BaseModel | type[BaseModel]) -> frozenset[str]:
    """The options that a layer may override: ``PER_LAYER`` of the class, all if it names none."""
    kind = options if isinstance(options, type) else type(options)
    return frozenset(getattr(kind, "PER_LAYER", kind.model_fields))


def _overrides(rule: BaseModel) -> dict[str, Any]:
    return {key: value for key, value in _dump(rule).items() if key in per_layer_keys(rule)}


def _flat(spec: ModelSpec | DataSpec) -> dict[str, Any]:
    dumped = _dump(spec)
    return {**dumped.pop("arguments"), **dumped}


def _dump(part: BaseModel) -> dict[str, Any]:
    dumped: dict[str, Any] = part.model_dump(mode="json")
    return dumped


def _epochs(train: TrainSettings) -> str:
    return f", {train.epochs} epoch{'' if train.epochs == 1 else 's'}"

