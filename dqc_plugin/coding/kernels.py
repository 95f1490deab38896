"""A convolution by its kernels: positions by masks (``kernel_masks.py``), values by what is around in the kernel

(``kernel_values.py``). The first byte of the positions is 96, every weight is kept; 97, masks follow; or 98, positions
as ``positions.py`` has them follow. The second byte is the kernel's height less 1, + 16 times its width less 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dqc_plugin.coding import gaps, kernel_masks, kernel_values, native, positions
from dqc_plugin.coding.coders import Coded, Decoded, KeptByGaps, KeptIndices
from dqc_plugin.coding.gaps import Gaps
from dqc_plugin.coding.kernel_masks import LARGEST, Kernels
from dqc_plugin.coding.kernel_values import Indices
from dqc_plugin.errors import ArtifactError

_ALL_KEPT, _MASKS, _PLAIN = range(96, 99)
_HEAD_BYTES = 2
_MOST_LINES, _LARGEST, _FILLER = 16, 128, 255
_WEIGHTS_PER_BYTE = 8 * 255
MOST_WEIGHTS = 1 << 24
"""Of a tensor that is encoded so."""


def encode(kept: KeptIndices, codebook_size: int, plain: Callable[[], bytes]) -> Coded | None:
    """The bytes of a tensor that has kernels and a kept weight, else None.

    plain: gives its positions by ``positions.py``, for kernels too large for masks.
    """
    kernels = _kernels_of(kept.shape)
    if kernels is None or kept.size > MOST_WEIGHTS or not len(kept.indices):
        return None
    places = np.arange(kept.size) if kept.positions is None else kept.positions
    if kept.positions is None:
        head = _head(_ALL_KEPT, kernels)
    elif kernels.size > LARGEST:
        head = _head(_PLAIN, kernels) + plain()
    else:
        head = _head(_MASKS, kernels) + kernel_masks.encode(places, kept.size, kernels, kept.shape[1])
    coded = Coded(head, kernel_values.encode(places, kept.indices, codebook_size, kernels))
    return coded if kept.size <= _WEIGHTS_PER_BYTE * len(coded) else None


def are_in(positions: bytes) -> bool:
    """True if positions are of this form."""
    return bool(positions) and _ALL_KEPT <= positions[0] <= _PLAIN


def decode(coded: Coded, size: int, count: int, codebook_size: int) -> Decoded:
    """As every coder's."""
    form, kernels, rest = _split(coded.positions)
    is_sound = 1 < kernels.size <= _LARGEST and not size % kernels.size and 0 < count <= size
    if not is_sound or size > _WEIGHTS_PER_BYTE * len(coded):
        raise ArtifactError(f"{len(coded)} bytes cannot stand for {size} weights in kernels of {kernels.size}")
    if form == _MASKS:
        if kernels.size > LARGEST:
            raise ArtifactError(f"kernels of {kernels.size} weights have masks")
        return _decode_masks(coded, size, count, codebook_size, kernels)
    if form == _ALL_KEPT and len(rest):
        raise ArtifactError(f"{len(rest)} bytes are left over where every weight is kept")
    found = positions.decode(bytes(rest), count, size)
    if found is None:
        return KeptIndices(size, None, _values(coded.indices, None, size, codebook_size, kernels))
    places = found if isinstance(found, Gaps) else Gaps(gaps.to_fields(found, size, _FILLER), _FILLER)
    return KeptByGaps(size, places, _values(coded.indices, places, count, codebook_size, kernels))


def _decode_masks(coded: Coded, size: int, count: int, codebook_size: int, kernels: Kernels) -> KeptByGaps:
    if not native.LIBRARY:
        places = kernel_masks.read(coded.positions[_HEAD_BYTES:], size, count, kernels)
        fields = gaps.to_fields(places, int(places[-1]) + 1, _FILLER)
        indices = kernel_values.read(coded.indices, places, codebook_size, kernels)
        return KeptByGaps(size, Gaps(fields, _FILLER, is_open=True), indices)
    found = native.decode_kernels(coded.positions, coded.indices, size, count, codebook_size)
    if found is None:
        raise ArtifactError("a tensor by its kernels is damaged")
    fields, indices = found
    return KeptByGaps(size, Gaps(fields, _FILLER, is_open=True), indices)


def _values(data: bytes, places: Gaps | None, count: int, codebook_size: int, kernels: Kernels) -> Indices:
    """Those of the weights that gaps keep, or of all."""
    if not native.LIBRARY:
        all_places = np.arange(count) if places is None else places.positions()
        return kernel_values.read(data, all_places, codebook_size, kernels)
    fields, filler = (np.zeros(count, np.uint8), _FILLER) if places is None else (places.fields, places.filler)
    indices = native.decode_in_kernels(data, fields, filler, count, codebook_size, kernels)
    if indices is None:
        raise ArtifactError("values in kernels are damaged")
    return indices


def _split(positions: bytes) -> tuple[int, Kernels, memoryview]:
    """The form, the kernels, and what follows."""
    if len(positions) < _HEAD_BYTES:
        raise ArtifactError("positions by kernels are cut")
    form, lines = positions[:_HEAD_BYTES]
    kernels = Kernels(lines % _MOST_LINES + 1, lines // _MOST_LINES + 1)
    return form, kernels, memoryview(positions)[_HEAD_BYTES:]


def _head(form: int, kernels: Kernels) -> bytes:
    return bytes([form, kernels.height - 1 | kernels.width - 1 << 4])


def _kernels_of(shape: tuple[int, ...]) -> Kernels | None:
    """Of a tensor of output channels, input channels and one or more dimensions of kernels; None if it has none."""
    if len(shape) < 3:
        return None
    kernels = Kernels(math.prod(shape[2:-1]), shape[-1])
    is_small = max(kernels.height, kernels.width) <= _MOST_LINES and 1 < kernels.size <= _LARGEST
    return kernels if is_small else None
