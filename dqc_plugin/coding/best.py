"""The smallest form of a tensor, by any coder of this package that stands alone."""

from __future__ import annotations

from dqc_plugin.coding import ans, contexts, estimates
from dqc_plugin.coding.coders import Coded, Decoded, KeptIndices, huffman
from dqc_plugin.coding.positions import come_in_runs


class BestCoder:
    """ANS with tables by context, or what ``huffman`` does: bit packing, Huffman codes of a mask or of gaps.

    The smaller is told from histograms. In small tensors a byte counts, and of weights that come in runs histograms
    say nothing: these are encoded both ways.
    """

    def encode(self, kept: KeptIndices, codebook_size: int) -> Coded:
        if not kept.size:
            return huffman.encode(kept, codebook_size)
        plan, bits = contexts.choose(kept, codebook_size)
        if kept.size <= estimates.TRIED or (kept.positions is not None and come_in_runs(kept.positions)):
            both = ans.encode(kept, codebook_size, plan), huffman.encode(kept, codebook_size)
            return min((coded for coded in both if coded), key=lambda coded: len(coded.positions) + len(coded.indices))
        is_smaller = bits / 8 <= huffman.estimate(kept, codebook_size)
        coded = ans.encode(kept, codebook_size, plan) if is_smaller else None
        return coded or huffman.encode(kept, codebook_size)

    def decode(self, coded: Coded, size: int, count: int, codebook_size: int) -> Decoded:
        is_ans = bool(coded.positions) and bool(coded.positions[0] & ans.MARK)
        return (ans if is_ans else huffman).decode(coded, size, count, codebook_size)


best = BestCoder()
