"""Tensors of any dtype as their little-endian bytes, and back."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dqc_plugin.errors import ArtifactError

# the place in this table is what files hold: only ever append
_DTYPES = (
    torch.float32, torch.float64, torch.float16, torch.bfloat16,
    torch.int8, torch.int16, torch.int32, torch.int64,
    torch.uint8, torch.uint16, torch.uint32, torch.uint64,
    torch.bool, torch.complex64, torch.complex128, torch.float8_e4m3fn, torch.float8_e5m2,
)  # fmt: skip

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""The dtypes that codebooks work on."""


def code_of(dtype: torch.dtype) -> int:
    """The byte that stands for a dtype; ArtifactError if files cannot hold it."""
    if dtype not in _DTYPES:
        raise ArtifactError(f"dtype {name_of(dtype)} cannot be stored; use one of {', '.join(map(name_of, _DTYPES))}")
    return _DTYPES.index(dtype)


def dtype_of(code: int) -> torch.dtype:
    """The dtype of a byte."""
    if code >= len(_DTYPES):
        raise ArtifactError(f"unknown dtype number {code}")
    return _DTYPES[code]


def name_of(dtype: torch.dtype) -> str:
    """``"float32"`` of torch.float32."""
    return str(dtype).removeprefix("torch.")


def on_host(tensor: Tensor) -> Tensor:
    """The tensor on the CPU, contiguous, without gradient; ArtifactError if it is not plain memory."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
        raise ArtifactError("only dense tensors with memory of their own can be stored (not sparse, quantized or meta)")
    return tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()


def to_bytes(tensor: Tensor) -> bytes:
    """The values of a tensor of :func:`on_host`, in order of its flattened elements."""
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def from_bytes(data: bytes, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """The tensor of those bytes, in memory of its own; ArtifactError if the length or a bool does not fit."""
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise ArtifactError(f"{len(data)} bytes do not make a {name_of(dtype)} tensor of shape {list(shape)}")
    if not data:
        return torch.empty(shape, dtype=dtype)
    raw = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    if dtype == torch.bool and int(raw.max()) > 1:
        raise ArtifactError("a bool is neither 0 nor 1")
    return raw.view(dtype).reshape(shape)
