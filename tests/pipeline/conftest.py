"""A schedule on the digits that runs in a second or two."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def schedule() -> dict[str, Any]:
    return {
        "version": 1,
        "name": "tiny",
        "seed": 3,
        "model": {"name": "lenet300", "image_size": 8},
        "data": "digits",
        "train": {"batch_size": 128, "optimizer": {"name": "sgd", "lr": 0.05}, "lr_schedule": {"name": "cosine"}},
        "stages": [
            {"train": {"epochs": 3}},
            {"pruner": "agp", "sparsity": 0.8, "epochs": 3},
            {"quantizer": "dqc", "bits": 4, "epochs": 3, "codebook": {"freeze_after_epochs": 2}},
            {"coder": "huffman", "file": "tiny.dqc"},
        ],
    }
