"""The four kinds of stages, each with its complete settings."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, PrivateAttr, SerializeAsAny
from typing_extensions import Self

from dqc_plugin.schedule.canonical import canonical_data
from dqc_plugin.schedule.problems import Origin
from dqc_plugin.schedule.settings import Frozen, TrainSettings

SKIP = "skip"
_OF_THE_FOLDER = ("schedule.json", "environment.json", "records.jsonl", "model.safetensors", "checkpoints")


def _plain_file_name(file: str) -> str:
    if file in ("", ".", "..") or PureWindowsPath(file).name != file:
        raise ValueError(f"must be a plain file name such as 'net.dqc', for the run folder, not {file!r}")
    if file.startswith(".") or file.lower() in _OF_THE_FOLDER:
        raise ValueError(f"must be another name than {file!r}, which the run folder has for its own files")
    return file


class Placed(Frozen):
    """A part of a schedule that knows where it stands."""

    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def origin(self) -> Origin:
        """Where this stands, for messages about what turns out wrong later."""
        return self._origin

    def placed(self, origin: Origin) -> Self:
        """The same, told where it stands."""
        self._origin = origin
        return self


class TrainStage(Placed):
    """Float training, from new weights or from a checkpoint (.pt or .safetensors)."""

    kind: Literal["train"] = "train"
    checkpoint: str | None = None
    train: TrainSettings = TrainSettings()

    @property
    def title(self) -> str:
        """The stage in a few words."""
        start = f" from {self.checkpoint}" if self.checkpoint else ""
        return f"train{start}, {self.train.duration}"

    def canonical(self) -> dict[str, Any]:
        return {"train": {"checkpoint": self.checkpoint, **canonical_data(self.train)}}


class _CompressStage(Placed):
    """name: the component. options: those of the stage. layers: selector -> complete options, None leaves out."""

    name: str
    options: SerializeAsAny[BaseModel]
    layers: dict[str, SerializeAsAny[BaseModel] | None] = Field(default_factory=dict)
    train: TrainSettings = TrainSettings()

    @property
    def title(self) -> str:
        """The stage in a few words."""
        return f"{self.name}, {self.train.duration}"

    def _canonical(self, kind: str) -> dict[str, Any]:
        layers = {selector: SKIP if rule is None else self._overrides(rule) for selector, rule in self.layers.items()}
        return {kind: self.name, **canonical_data(self.options), "layers": layers, **canonical_data(self.train)}

    def _overrides(self, rule: BaseModel) -> dict[str, Any]:
        """The keys of a layer, those too that it puts back to a default that its stage has left."""
        said = {*canonical_data(self.options), *canonical_data(rule)} & per_layer_keys(rule)
        return {key: value for key, value in rule.model_dump(mode="json").items() if key in said}


class PrunerStage(_CompressStage):
    kind: Literal["pruner"] = "pruner"

    def canonical(self) -> dict[str, Any]:
        return self._canonical("pruner")


class QuantizerStage(_CompressStage):
    kind: Literal["quantizer"] = "quantizer"

    def canonical(self) -> dict[str, Any]:
        return self._canonical("quantizer")


class CoderStage(Placed):
    """Entropy coding into a file inside the run folder.

    unquantized: floats that no quantizer has (biases, batch norm) are kept exactly, or rounded to bfloat16: half the
        bytes. They load as float32 either way.
    unused: parameters that no output depends on (a gradient of exactly zero on all training images) are kept, or zero.
    batch_norm: kept as it is, or its running statistics and the bias before it folded into its scale and shift, for
        inference.
    """

    kind: Literal["coder"] = "coder"
    name: str
    file: Annotated[str, AfterValidator(_plain_file_name)]
    unquantized: Literal["exact", "bfloat16"] = "exact"
    unused: Literal["keep", "zero"] = "keep"
    batch_norm: Literal["keep", "fold"] = "keep"

    @property
    def title(self) -> str:
        """The stage in a few words."""
        return f"{self.name} into {self.file}"

    def canonical(self) -> dict[str, Any]:
        said = {"coder": self.name, "file": self.file, "unquantized": self.unquantized}
        changes = {"unused": self.unused, "batch_norm": self.batch_norm}
        return said | {key: value for key, value in changes.items() if value != "keep"}


Stage = Annotated[TrainStage | PrunerStage | QuantizerStage | CoderStage, Field(discriminator="kind")]
CompressStage = PrunerStage | QuantizerStage


def per_layer_keys(options: BaseModel | type[BaseModel]) -> frozenset[str]:
    """The options that a layer may override: ``PER_LAYER`` of the class, all if it names none."""
    kind = options if isinstance(options, type) else type(options)
    return frozenset(getattr(kind, "PER_LAYER", kind.model_fields))
