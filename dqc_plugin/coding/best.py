"""The smallest form of a tensor, by any coder of this package that stands alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import ans, contexts, kernels, neighbours, positions, signs
from dqc_plugin.coding.coders import Coded, Decoded, KeptIndices, huffman
from dqc_plugin.coding.gaps import Gaps
from dqc_plugin.coding.positions import come_in_runs

_TRIED = 4  # plans: an estimate does not know all
_BY_KERNELS = 1.01  # bytes that kernels may take over the fewest: they are decoded in a fraction of the time


class BestCoder:
    """ANS with tables by context, or what ``huffman`` does; signs by their neighbours, where those are smaller; and a

    convolution by its kernels, unless that takes over 1 % more. In large tensors the smaller is told from histograms.
    Of what neighbours tell, and of weights that come in runs, histograms say nothing: other tensors, and kernels, are
    encoded in each form.
    """

    def encode(self, kept: KeptIndices, codebook_size: int) -> Coded:
        if not kept.size:
            return huffman.encode(kept, codebook_size)
        plans = contexts.plans(kept, codebook_size)
        if kept.size <= signs.MOST_WEIGHTS or (kept.positions is not None and come_in_runs(kept.positions)):
            return _smallest(kept, codebook_size, plans)
        plan, bits = plans[0]
        is_smaller = bits / 8 <= huffman.estimate(kept, codebook_size)
        coded = (ans.encode(kept, codebook_size, plan) if is_smaller else None) or huffman.encode(kept, codebook_size)
        return _or_by_kernels(coded, kept, codebook_size)

    def decode(self, coded: Coded, size: int, count: int, codebook_size: int) -> Decoded:
        if kernels.are_in(coded.positions):
            return kernels.decode(coded, size, count, codebook_size)
        if ans.are_in(coded.positions):
            return ans.decode(coded, size, count, codebook_size)
        if neighbours.are_in(coded.indices):
            places = positions.decode(coded.positions, count, size)
            places = places.positions() if isinstance(places, Gaps) else places
            return neighbours.decode(coded.indices, places, size, codebook_size)
        return huffman.decode(coded, size, count, codebook_size)


def _smallest(kept: KeptIndices, codebook_size: int, plans: list[tuple[ans.Plan, float]]) -> Coded:
    tried, plain = plans[:_TRIED], huffman.encode(kept, codebook_size)
    is_one = _signs(kept.indices, codebook_size)
    around = signs.encode(kept.positions, is_one, kept.size, signs.columns_of(kept.shape))
    if around:
        tried += contexts.plans(kept, codebook_size, around)[:_TRIED]
    forms = [plain, *(ans.encode(kept, codebook_size, plan) for plan, _ in tried)]
    of_forms = {plan.form: plan for plan, _ in tried}.values()
    forms += [ans.encode_values(kept, codebook_size, plan, plain.positions) for plan in of_forms]
    smallest = min((coded for coded in forms if coded), key=len)
    return _or_by_kernels(smallest, kept, codebook_size)


def _or_by_kernels(coded: Coded, kept: KeptIndices, codebook_size: int) -> Coded:
    by_kernels = kernels.encode(kept, codebook_size, lambda: huffman.encode(kept, codebook_size).positions)
    if by_kernels is None or len(by_kernels) > _BY_KERNELS * len(coded):
        return coded
    return by_kernels if len(by_kernels) <= len(huffman.encode(kept, codebook_size)) else coded


def _signs(indices: NDArray[np.uint8], codebook_size: int) -> NDArray[np.uint8]:
    is_one: NDArray[np.uint8] = (indices > np.uint8(codebook_size - 1) - indices).astype(np.uint8)
    return is_one


best = BestCoder()
