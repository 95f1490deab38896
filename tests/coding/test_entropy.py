from __future__ import annotations

import numpy as np
import pytest

from dqc_plugin.coding import entropy


@pytest.mark.parametrize(
    ("symbols", "bits"), [([], 0.0), ([7, 7, 7], 0.0), ([0, 1], 1.0), ([0, 1, 2, 255], 2.0), ([0, 0, 0, 1], 0.811278)]
)
def test_entropy(symbols: list[int], bits: float) -> None:
    assert entropy(np.array(symbols, np.uint8)) == pytest.approx(bits, abs=1e-6)
