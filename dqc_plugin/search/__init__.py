"""Bit widths: what each layer bears."""

from dqc_plugin.search.sensitivity import Profile, Sensitivity, measure_sensitivity, start_network

__all__ = ["Profile", "Sensitivity", "measure_sensitivity", "start_network"]
