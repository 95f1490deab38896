"""The compressed file: save, load, inspect, verify. Needs neither NNI nor a training set-up."""

from dqc_plugin.artifact.inspection import inspect
from dqc_plugin.artifact.loading import load, load_tensor, verify
from dqc_plugin.artifact.report import LayerRow, OtherRow, Report
from dqc_plugin.artifact.saving import save

__all__ = ["LayerRow", "OtherRow", "Report", "inspect", "load", "load_tensor", "save", "verify"]
