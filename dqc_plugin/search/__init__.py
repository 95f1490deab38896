"""Bit widths: what each layer bears, and NNI's search over them."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Aim": "aim",
    "MixedPrecision": "tuner",
    "OwnTrial": "own_trial",
    "Profile": "sensitivity",
    "Sensitivity": "sensitivity",
    "from_trial": "own_trial",
    "measure_sensitivity": "sensitivity",
    "start_network": "sensitivity",
    "load_search": "config",
    "run_search": "search",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """NNI gives a tuner ten seconds to start: importing it must not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
