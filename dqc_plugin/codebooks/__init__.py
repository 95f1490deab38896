"""Families of codewords as pure tensor functions: powers of two (DQC, SQC) and shared values."""

from dqc_plugin.codebooks.codebook import Codebook, Record, from_record
from dqc_plugin.codebooks.fake_quantize import Gradient, fake_quantize, straight_through
from dqc_plugin.codebooks.kmeans import Init, fit_shared_values
from dqc_plugin.codebooks.power_of_two import PowerOfTwo
from dqc_plugin.codebooks.range_rule import RangeRule, fit_power_of_two, require_finite
from dqc_plugin.codebooks.share_values import CentroidGradient, share_values
from dqc_plugin.codebooks.shared_values import SharedValues

__all__ = [
    "CentroidGradient",
    "Codebook",
    "Gradient",
    "Init",
    "PowerOfTwo",
    "RangeRule",
    "Record",
    "SharedValues",
    "fake_quantize",
    "fit_power_of_two",
    "fit_shared_values",
    "from_record",
    "require_finite",
    "share_values",
    "straight_through",
]
