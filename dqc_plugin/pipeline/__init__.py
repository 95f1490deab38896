"""Runs a schedule: stages, training loop, checkpoints, resume."""

from dqc_plugin.pipeline.family import run_family
from dqc_plugin.pipeline.run import RunResult, run

__all__ = ["RunResult", "run", "run_family"]
