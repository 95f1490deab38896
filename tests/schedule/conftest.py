"""A small schedule to break, and a small network."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule import load_schedule

GOOD = """\
version: 1
name: small
model: lenet5
data: digits
train:
  optimizer: {name: sgd, lr: 0.05}
  lr_schedule: {name: cosine}
stages:
  - train: {epochs: 12}
  - pruner: agp
    sparsity: 0.9
    layers: {conv1: {sparsity: 0.3}}
    epochs: 10
  - quantizer: dqc
    bits: 5
    codebook: {freeze_after_epochs: 6}
    epochs: 8
  - coder: huffman
"""


@pytest.fixture
def good() -> str:
    return GOOD


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """write(text) -> x.yml in the working folder, so that messages start with ``x.yml``."""
    monkeypatch.chdir(tmp_path)

    def save(text: str) -> Path:
        path = Path("x.yml")
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return save


@pytest.fixture
def complaint(write: Callable[[str], Path]) -> Callable[..., list[str]]:
    """complaint(text, *overrides) -> the lines of the ScheduleError that loading raises."""

    def load(text: str, *overrides: str) -> list[str]:
        with pytest.raises(ScheduleError) as caught:
            load_schedule(write(text), overrides)
        return str(caught.value).splitlines()

    return load


class Small(nn.Module):
    """conv1, block.conv, fc, and a batch norm that no stage takes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.block = nn.Sequential()
        self.block.add_module("conv", nn.Conv2d(4, 8, 3, bias=False))
        self.fc = nn.Linear(8, 2)


@pytest.fixture
def small() -> nn.Module:
    return Small()
