from __future__ import annotations

from pathlib import Path

import pytest
import torch
from artifact_networks import Network, Small, every_kind

from dqc_plugin.artifact import save
from dqc_plugin.codebooks import PowerOfTwo


@pytest.fixture
def network() -> Network:
    return every_kind()


@pytest.fixture
def file(tmp_path: Path, network: Network) -> Path:
    return save(tmp_path / "network.dqc", network.tensors, network.calibration, metadata={"schedule": "0a1b", "n": 1})


@pytest.fixture
def model() -> Small:
    torch.manual_seed(0)
    small = Small()
    codebook = PowerOfTwo(4, True, torch.tensor(0.125))
    with torch.no_grad():
        small.conv.weight.copy_(codebook.quantize(small.conv.weight))
    return small
