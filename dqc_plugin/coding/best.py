"""The smallest form of a tensor, by any coder of this package that stands alone."""

from __future__ import annotations

from dqc_plugin.coding import ans, contexts, neighbours, positions
from dqc_plugin.coding.coders import Coded, Decoded, KeptIndices, huffman
from dqc_plugin.coding.gaps import Gaps
from dqc_plugin.coding.positions import come_in_runs


class BestCoder:
    """ANS with tables by context, or what ``huffman`` does; and values by their neighbours, where those are smaller.

    In large tensors the smaller is told from histograms. Of what neighbours tell, and of weights that come in runs,
    histograms say nothing: other tensors are encoded in each form.
    """

    def encode(self, kept: KeptIndices, codebook_size: int) -> Coded:
        if not kept.size:
            return huffman.encode(kept, codebook_size)
        plan, bits = contexts.choose(kept, codebook_size)
        if kept.size <= neighbours.MOST_WEIGHTS or (kept.positions is not None and come_in_runs(kept.positions)):
            return _smallest(kept, codebook_size, plan)
        is_smaller = bits / 8 <= huffman.estimate(kept, codebook_size)
        coded = ans.encode(kept, codebook_size, plan) if is_smaller else None
        return coded or huffman.encode(kept, codebook_size)

    def decode(self, coded: Coded, size: int, count: int, codebook_size: int) -> Decoded:
        if coded.positions and coded.positions[0] & ans.MARK:
            return ans.decode(coded, size, count, codebook_size)
        if neighbours.are_in(coded.indices):
            places = positions.decode(coded.positions, count, size)
            places = places.positions() if isinstance(places, Gaps) else places
            return neighbours.decode(coded.indices, places, size, codebook_size)
        return huffman.decode(coded, size, count, codebook_size)


def _smallest(kept: KeptIndices, codebook_size: int, plan: ans.Plan) -> Coded:
    around, plain = neighbours.encode(kept, codebook_size), huffman.encode(kept, codebook_size)
    forms = [plain, ans.encode(kept, codebook_size, plan)]
    if around:
        of_positions, _ = contexts.choose(kept, codebook_size, positions_only=True)
        forms += [Coded(plain.positions, around), ans.encode(kept, codebook_size, of_positions, around)]
    return min((coded for coded in forms if coded), key=len)


best = BestCoder()
