"""The checked schedule: frozen data in which every stage carries its complete settings."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from dqc_plugin.schedule.canonical import canonical_data
from dqc_plugin.schedule.settings import Frozen, Precision
from dqc_plugin.schedule.specs import DataSpec, ModelSpec
from dqc_plugin.schedule.stages import Placed, Stage

_MOST_THREADS = 1024  # of some thousands operating systems refuse to start more, or torch crashes


def _file_safe(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError(f"must be letters, digits, '.', '_' and '-', since it names files, not {name!r}")
    return name


class Header(Frozen):
    """The simple keys of a schedule.

    precision: of the training step; bfloat16 and float16 (with scaled gradients) are autocast, weights and evaluation
        stay in float32. A stage may have its own.
    channels_last: the memory format of images and kernels, faster for convolutions on most machines.
    compile: torch.compile for the forward pass of the training step, on a GPU with CUDA graphs.
    """

    LATER: ClassVar[frozenset[str]] = frozenset({"compile"})

    version: Literal[1]
    name: Annotated[str, AfterValidator(_file_safe)]
    seed: int = Field(0, ge=0, le=(1 << 32) - 1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(None, ge=1, le=_MOST_THREADS)
    precision: Precision = "float32"
    channels_last: bool = False
    compile: bool = False


class Schedule(Header, Placed):
    """What to do with a network, whole and checked; made by :func:`dqc_plugin.schedule.load_schedule`.

    model, data: None where the caller brings its own.
    """

    model: ModelSpec | None = None
    data: DataSpec | None = None
    stages: tuple[Stage, ...] = Field(min_length=1, strict=False)

    @property
    def overview(self) -> str:
        """The stages in one line."""
        return " → ".join(stage.title for stage in self.stages)

    def canonical(self) -> dict[str, Any]:
        """The schedule with every default written out: plain JSON data that loads as an equal schedule.

        Keys under ``train`` at the top are gone: each stage has its own.
        """
        simple = canonical_data(Header(**{key: getattr(self, key) for key in Header.model_fields}))
        named = {key: _flat(spec) for key, spec in (("model", self.model), ("data", self.data)) if spec}
        return {**simple, **named, "stages": [stage.canonical() for stage in self.stages]}

    def digest(self) -> str:
        """SHA-256 of the canonical form: equal for schedules that say the same in other words."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def _flat(spec: ModelSpec | DataSpec) -> dict[str, Any]:
    dumped = spec.model_dump(mode="json")
    return {**dumped.pop("arguments"), **dumped}
