from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nni.compression.pruning import LevelPruner
from torch import nn

from dqc_plugin import DQCQuantizer, compressor_from_config
from dqc_plugin.errors import ConfigError, RegistryError

LAYERS: dict[str, Any] = {"op_types": ["Linear"], "target_names": ["weight"]}


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))


def test_from_a_yaml_file_and_after_a_pruner(tmp_path: Path) -> None:
    file = tmp_path / "dqc.yml"
    file.write_text(
        "quantizer: dqc\n"
        "steps_per_epoch: 10\n"
        "config_list:\n"
        "- op_names: ['0']\n"
        "  quant_dtype: int5\n"
        "  target_settings: {weight: {zero: false, freeze_after_epochs: 3}}\n"
    )
    pruner = compressor_from_config({"pruner": "level", "config_list": [{**LAYERS, "sparse_ratio": 0.5}]}, model())
    assert isinstance(pruner, LevelPruner)
    pruner.compress()
    quantizer = compressor_from_config(file, None, after=pruner)
    assert isinstance(quantizer, DQCQuantizer)
    target = quantizer.targets[0]
    assert (target.settings.bits, target.freeze_step) == (5, 30) and bool((target.mask == 0).any())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"quantizer": "dqc"}, "needs config_list"),
        ({"config_list": [LAYERS]}, "needs either quantizer: NAME or pruner: NAME"),
        ({"quantizer": "dqc", "pruner": "level", "config_list": [LAYERS]}, "needs either"),
        ({"quantizer": "dqc", "config_list": [LAYERS], "step_per_epoch": 3}, "did you mean 'steps_per_epoch'"),
        ({"pruner": "agp", "config_list": [LAYERS]}, "is missing"),
    ],
)
def test_bad_configs(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compressor_from_config(config, model())


def test_bad_names_and_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give a model, or after="):
        compressor_from_config({"quantizer": "dqc", "config_list": [LAYERS]}, None)
    with pytest.raises(RegistryError, match="unknown quantizer 'dcq'; did you mean 'dqc'"):
        compressor_from_config({"quantizer": "dcq", "config_list": [LAYERS]}, model())
    with pytest.raises(ConfigError, match="No such file"):
        compressor_from_config(tmp_path / "none.yml", model())
    (tmp_path / "bad.yml").write_text("a: [")
    with pytest.raises(ConfigError, match="bad.yml: not YAML"):
        compressor_from_config(tmp_path / "bad.yml", model())
