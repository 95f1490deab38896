"""Entropy coding of indices: numpy arrays to bytes and back; every decoder checks before it takes memory."""

from dqc_plugin.coding.coders import Coded, Coder, Decoded, KeptIndices, StreamCoder
from dqc_plugin.coding.entropy import entropy

__all__ = ["Coded", "Coder", "Decoded", "KeptIndices", "StreamCoder", "entropy"]
