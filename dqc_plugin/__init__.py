"""dqc-plugin: from a trained PyTorch network to a small, verified file.

Names are imported when they are first used, so that loading a compressed file needs neither NNI nor a training set-up.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dqc_plugin.artifact import inspect, load, load_tensor, save, verify
    from dqc_plugin.errors import DQCError
    from dqc_plugin.pipeline import RunResult, run
    from dqc_plugin.pipeline.nni_config import compressor_from_config
    from dqc_plugin.quantizers.dqc import DQCQuantizer
    from dqc_plugin.quantizers.export import export_model
    from dqc_plugin.quantizers.sqc import SQCQuantizer
    from dqc_plugin.quantizers.transformers_evaluator import TransformersEvaluator
    from dqc_plugin.registry import register
    from dqc_plugin.schedule import load_schedule
    from dqc_plugin.search.own_trial import from_trial

_HOMES = {
    "inspect": "artifact",
    "load": "artifact",
    "load_tensor": "artifact",
    "save": "artifact",
    "verify": "artifact",
    "DQCError": "errors",
    "RunResult": "pipeline",
    "run": "pipeline",
    "compressor_from_config": "pipeline.nni_config",
    "DQCQuantizer": "quantizers.dqc",
    "export_model": "quantizers.export",
    "SQCQuantizer": "quantizers.sqc",
    "TransformersEvaluator": "quantizers.transformers_evaluator",
    "from_trial": "search.own_trial",
    "register": "registry",
    "load_schedule": "schedule",
}

__all__ = [
    "DQCError",
    "DQCQuantizer",
    "RunResult",
    "SQCQuantizer",
    "TransformersEvaluator",
    "compressor_from_config",
    "export_model",
    "from_trial",
    "inspect",
    "load",
    "load_schedule",
    "load_tensor",
    "register",
    "run",
    "save",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
