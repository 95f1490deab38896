"""Where and with what a run was made: facts that a published figure needs."""

from __future__ import annotations

import os
import platform
from datetime import date
from importlib.metadata import version
from typing import Any

import torch

_PACKAGES = ("dqc-plugin", "nni", "torch", "numpy", "safetensors")


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Date, versions, kind of machine, device and threads, as plain data."""
    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
    }
