"""Sorting with little memory: ``torch.sort`` makes an int64 index for each element, here only of a part at a time."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

_PART = 1 << 23
_SAMPLE = 1 << 16


def sort_in_parts(values: Tensor, part: int = _PART) -> Tensor:
    """The values (N,), finite, in ascending order, by ranges of about ``part`` elements each."""
    count = len(values)
    if count <= part:
        return values.sort().values
    sample = values[:: max(1, count // _SAMPLE)].sort().values
    shares = torch.linspace(0, len(sample) - 1, count // part + 2, device=values.device)[1:-1]
    edges = torch.unique_consecutive(sample[shares.long()])
    bounds = [-torch.inf, *edges.tolist(), torch.inf]
    ordered, start = torch.empty_like(values), 0
    for low, high in itertools.pairwise(bounds):
        within = values[(values > low) & (values <= high)].sort().values
        ordered[start : start + len(within)] = within
        start += len(within)
    return ordered
