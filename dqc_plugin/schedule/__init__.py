"""Schedules: one YAML file that says how a network is trained, pruned, quantized and coded."""

from __future__ import annotations

from dqc_plugin.schedule.build import build_model, build_network
from dqc_plugin.schedule.compressible import Layer, compressible_layers
from dqc_plugin.schedule.differences import differences
from dqc_plugin.schedule.family import Cell, Family, load_family
from dqc_plugin.schedule.layers import stage_settings
from dqc_plugin.schedule.load import load_schedule
from dqc_plugin.schedule.model import Schedule
from dqc_plugin.schedule.plan import LayerPlan, Totals, resolve, totals
from dqc_plugin.schedule.reference import Reference
from dqc_plugin.schedule.settings import TrainSettings
from dqc_plugin.schedule.shortest import shortest
from dqc_plugin.schedule.size import expected_bytes
from dqc_plugin.schedule.specs import DataSpec, ModelSpec
from dqc_plugin.schedule.stages import CoderStage, PrunerStage, QuantizerStage, Stage, TrainStage

__all__ = [
    "Cell",
    "CoderStage",
    "DataSpec",
    "Family",
    "Layer",
    "LayerPlan",
    "ModelSpec",
    "PrunerStage",
    "QuantizerStage",
    "Reference",
    "Schedule",
    "Stage",
    "Totals",
    "TrainSettings",
    "TrainStage",
    "build_model",
    "build_network",
    "compressible_layers",
    "differences",
    "expected_bytes",
    "load_family",
    "load_schedule",
    "resolve",
    "shortest",
    "stage_settings",
    "totals",
]
