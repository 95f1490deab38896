"""Runs a schedule: stages, training loop, checkpoints, resume.

Imported when first used: NNI and torch take seconds, and ``dqc inspect`` needs neither stage nor training.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dqc_plugin.pipeline.family import run_family
    from dqc_plugin.pipeline.runner import RunResult, run

_HOMES = {"RunResult": "runner", "run": "runner", "run_family": "family"}
__all__ = ["RunResult", "run", "run_family"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
