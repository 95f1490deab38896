"""How many bytes a layer should take in the compressed file."""

from __future__ import annotations

import math

FLOAT_BYTES = 4
_CODEBOOK_BYTES = 4


def expected_bytes(weights: int, sparsity: float, bits: int | None) -> int:
    """Estimate of a layer's bytes in the compressed file; of its dense float32 bytes if it is not quantized.

    With n weights, k = (1 - s) n of them kept and b bits: n H(s) bits for where they are, H the binary entropy (the
    entropy of k gaps that are geometrically distributed), k b bits for the indices, and a float32 for the codebook.
    Huffman coding of the indices saves some of the b bits, tables and gap fillers cost some.
    """
    if bits is None:
        return FLOAT_BYTES * weights
    kept = (1 - sparsity) * weights
    return math.ceil((weights * _binary_entropy(sparsity) + kept * bits) / 8) + _CODEBOOK_BYTES


def _binary_entropy(probability: float) -> float:
    return -sum(p * math.log2(p) for p in (probability, 1 - probability) if p > 0)
