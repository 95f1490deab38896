"""Shared values by 1-D k-means, for Deep Compression's weight sharing (Han et al. 2016, section 3).

One sort in place of an N x K table of distances: a cluster is then a slice, its mean a difference of prefix sums.
"""

from __future__ import annotations

import random
from typing import Literal

import torch
from torch import Tensor

from dqc_plugin.codebooks.prefix_sums import PrefixSums
from dqc_plugin.codebooks.shared_values import SharedValues
from dqc_plugin.codebooks.sort_in_parts import sort_in_parts
from dqc_plugin.errors import WeightError

Init = Literal["linear", "density", "random"]


def fit_shared_values(
    weights: Tensor,
    size: int,
    *,
    mask: Tensor | None = None,
    init: Init = "linear",
    seed: int = 0,
    max_iterations: int = 1000,
    name: str = "the tensor",
) -> SharedValues:
    """The ``size`` (1 to 256) centroids of the kept weights, float32, by Lloyd's iterations until no weight changes

    its cluster, or ``max_iterations``.

    weights: any shape, any float dtype. mask: shape of the weights, 0 leaves a weight out.
    init: centroids at first evenly between the least and the largest weight (``linear``), at evenly spaced quantiles
        (``density``), or ``size`` weights drawn with ``seed`` (``random``).

    An empty cluster keeps its centroid. Where there are at most ``size`` distinct weights, these are the codebook,
    the last one repeated; without a weight it is all zeros. Raises WeightError for NaN or infinity.
    """
    kept = weights.detach().reshape(-1).to(torch.float32)
    if mask is not None:
        kept = kept[mask.reshape(-1) != 0]
    if not kept.numel():
        return SharedValues(kept.new_zeros(size))
    if not all(bool(torch.isfinite(end)) for end in kept.aminmax()):
        raise WeightError(f"{name} holds NaN or infinity: it has no clusters")
    ordered = sort_in_parts(kept)
    del kept
    if int((ordered[1:] != ordered[:-1]).sum()) < size:
        distinct = torch.unique_consecutive(ordered)
        return SharedValues(torch.cat([distinct, distinct[-1:].expand(size - len(distinct))]))
    return SharedValues(_lloyd(ordered, _start(ordered, size, init, seed), max_iterations))


def _start(ordered: Tensor, size: int, init: Init, seed: int) -> Tensor:
    """The first centroids, (size,) float32 ascending."""
    count = len(ordered)
    if init == "linear":
        share = torch.linspace(0, 1, size, dtype=torch.float64, device=ordered.device)
        return torch.lerp(ordered[0].double(), ordered[-1].double(), share).float()
    if init == "density":
        places = [(2 * i + 1) * count // (2 * size) for i in range(size)]
    else:
        places = sorted(random.Random(seed).sample(range(count), size))
    return ordered[torch.tensor(places, device=ordered.device)]


def _lloyd(ordered: Tensor, centroids: Tensor, max_iterations: int) -> Tensor:
    sums = PrefixSums(ordered)
    cuts = _cuts(ordered, centroids)
    for _ in range(max_iterations):
        counts = cuts.diff()
        means = (sums.before(cuts).diff() / counts).float()
        # a difference of prefix sums may lose a cluster's digits to huge weights before it, never leave its slice
        least, most = ordered[cuts[:-1].clamp(max=len(ordered) - 1)], ordered[(cuts[1:] - 1).clamp(min=0)]
        centroids = torch.where(counts > 0, means.clamp(least, most), centroids)
        before, cuts = cuts, _cuts(ordered, centroids)
        if torch.equal(before, cuts):
            break
    return centroids


def _cuts(ordered: Tensor, centroids: Tensor) -> Tensor:
    """Where each cluster begins in the ordered weights, and their end: (K + 1,) int64.

    A weight midway belongs to the smaller centroid, as ``SharedValues.assign`` has it.
    """
    wide = centroids.double()
    midpoints = (wide[1:] + wide[:-1]) / 2
    below = midpoints.float()
    below = torch.where(below.double() > midpoints, below.nextafter(below.new_full((), -torch.inf)), below)
    inner = torch.searchsorted(ordered, below, right=True)
    ends = inner.new_tensor([0, len(ordered)])
    return torch.cat([ends[:1], inner, ends[1:]])
