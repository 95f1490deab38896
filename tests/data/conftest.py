"""Small fake files in the layout of mnist.npz and cifar10.npz."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Arrays = dict[str, Any]


@pytest.fixture
def arrays() -> Callable[..., Arrays]:
    """arrays(28, 28, 3) -> the four arrays with 40 + 10 random uint8 images of that shape, 10 classes."""

    def make(*shape: int) -> Arrays:
        generator = np.random.default_rng(0)
        return {
            "x_train": generator.integers(0, 256, (40, *shape), dtype=np.uint8),
            "y_train": np.arange(40, dtype=np.uint8) % 10,
            "x_test": generator.integers(0, 256, (10, *shape), dtype=np.uint8),
            "y_test": np.arange(10, dtype=np.uint8),
        }

    return make


@pytest.fixture
def save_npz(tmp_path: Path) -> Callable[[Arrays], Path]:
    """save_npz(arrays, name) -> the path of the file."""

    def save(contents: Arrays, name: str = "some.npz") -> Path:
        path = tmp_path / name
        np.savez(path, **contents)
        return path

    return save
