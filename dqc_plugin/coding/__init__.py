"""Entropy coding of indices: numpy arrays to bytes and back; every decoder checks before it takes memory."""

from dqc_plugin.coding.coders import Coded, Coder, KeptIndices, StreamCoder
from dqc_plugin.coding.entropy import entropy

__all__ = ["Coded", "Coder", "KeptIndices", "StreamCoder", "entropy"]
