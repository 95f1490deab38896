"""A trial in a user's own code: the quantizer from NNI's parameters, accuracy and true bytes back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nni
from nni.compression.utils import Evaluator
from torch import nn

from dqc_plugin.artifact import save, verify
from dqc_plugin.errors import ConfigError, did_you_mean
from dqc_plugin.pipeline.nni_config import compressor_from_config
from dqc_plugin.quantizers.base import CodebookQuantizer
from dqc_plugin.quantizers.layer_changes import change_layer, change_layers
from dqc_plugin.search.aim import Aim
from dqc_plugin.search.space import split
from dqc_plugin.search.trial import require_finite

_KEYS = ("bits", "zero")
Config = dict[str, Any]


@dataclass(frozen=True)
class OwnTrial:
    """What NNI proposed, as a quantizer to train with, and the way back.

    parameters: all of NNI's, also those that are not ours. quantizer: of the model, not yet compressing.
    """

    parameters: dict[str, Any]
    quantizer: CodebookQuantizer
    aim: Aim
    coder: str

    def report(self, accuracy: float) -> dict[str, float]:
        """Tell NNI accuracy (0 to 1) and the bytes that the file would have now; call it after each epoch.

        What NNI is told. RunError for an accuracy that is not finite.
        """
        with tempfile.TemporaryDirectory() as folder:
            metrics = self._metrics(accuracy, self._save(Path(folder) / "network.dqc"))
        nni.report_intermediate_result(metrics)
        return metrics

    def finish(self, accuracy: float, path: str | Path) -> dict[str, float]:
        """Write and verify the file, tell NNI the final accuracy (0 to 1) and its bytes; what NNI is told."""
        metrics = self._metrics(accuracy, self._save(Path(path)))
        verify(path)
        nni.report_final_result(metrics)
        return metrics

    def _save(self, path: Path) -> Path:
        return save(path, self.quantizer.export_model(), self.quantizer.get_calibration_config(), coder=self.coder)

    def _metrics(self, accuracy: float, file: Path) -> dict[str, float]:
        values = self.quantizer.bound_model.parameters()
        dense = sum(value.numel() * value.element_size() for value in values)
        size = file.stat().st_size
        score = self.aim.score(accuracy, size, dense)
        require_finite(score, accuracy)
        return {"default": score, "accuracy": accuracy, "bytes": size}


def from_trial(
    model: nn.Module,
    evaluator: Evaluator,
    config_list: Sequence[Config],
    quantizer: str = "dqc",
    coder: str = "huffman",
    aim: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> OwnTrial:
    """The quantizer that NNI's next parameters ask for; outside of an experiment that of the config_list alone.

    config_list: NNI's. The parameters ``bits`` and ``zero`` change all its entries, ``conv1.bits`` and ``conv1.zero``
        one layer; other names are the user's and stand in ``parameters``.
    aim: what the score is, the keys of :class:`dqc_plugin.search.aim.Aim`, such as ``{"max_bytes": 20000}``.
    arguments: further ones of the quantizer, such as ``steps_per_epoch``.

    Raises ConfigError for a layer that the config_list does not quantize.
    """
    parameters: dict[str, Any] = nni.get_next_parameter() or {}
    changed = change_layers([dict(entry) for entry in config_list], _of(parameters, None))
    for layer in _layers(parameters, model):
        changed = change_layer(model, changed, layer, _of(parameters, layer))
    config = {"quantizer": quantizer, "config_list": changed, **arguments}
    built = compressor_from_config(config, model, evaluator)
    if not isinstance(built, CodebookQuantizer):
        raise ConfigError(f"quantizer: {quantizer}: has no codebook whose bits could vary; use dqc or sqc")
    return OwnTrial(parameters, built, Aim(**(aim or {})), coder)


def _of(parameters: Mapping[str, Any], layer: str | None) -> dict[str, Any]:
    parts = {split(name): value for name, value in parameters.items()}
    return {key: value for (of, key), value in parts.items() if of == layer and key in _KEYS}


def _layers(parameters: Mapping[str, Any], model: nn.Module) -> list[str]:
    parts = [split(name) for name in parameters]
    layers = list(dict.fromkeys(layer for layer, key in parts if layer is not None and key in _KEYS))
    names = [name for name, _ in model.named_modules()]
    for layer in layers:
        if layer not in names:
            raise ConfigError(f"searchSpace: {layer}: the model has no such layer{did_you_mean(layer, names)}")
    return layers
