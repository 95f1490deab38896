"""What an ideal order-0 coder would need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def entropy(symbols: NDArray[np.integer]) -> float:
    """Empirical order-0 entropy (Shannon 1948) of symbols >= 0, any shape, in bits per symbol; 0 if there are none."""
    counts = np.bincount(symbols.reshape(-1))
    shares = counts[counts > 0] / max(symbols.size, 1)
    return float(-(shares * np.log2(shares)).sum()) + 0.0
