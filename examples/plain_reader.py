"""A second reader of compressed networks, in plain Python: what docs/file-format.md says, without numpy and torch.

    python examples/plain_reader.py network.dqc        # every tensor with its dtype, shape and first values

It is slow, and made to be read. It compares the checksums, and trusts a file forged with right ones, which the
package's own reader does not.
"""

import json
import math
import struct
import sys
import zlib
from bisect import bisect_right
from collections import Counter
from itertools import accumulate, groupby, product, zip_longest
from pathlib import Path

DTYPES = ["float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64"]
DTYPES += ["uint8", "uint16", "uint32", "uint64", "bool"]
FORMATS = dict(zip(DTYPES, "fdeHbhiqBHIQ?", strict=True))
MANTISSAS = {"float32": 23, "float64": 52, "float16": 10, "bfloat16": 7}
SMALLEST = {"float32": 2.0**-149, "float64": 2.0**-1074, "float16": 2.0**-24, "bfloat16": 2.0**-133}
SLOTS = 1 << 14
SHORT = [0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181]
LONG = [0] + [(8 + code % 8) << code // 8 for code in range(176)]
KNOTS = [1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348, 3607]
KNOTS += [3785, 3901, 3975, 4024, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094]
STEPS = [-28, -14, -7, -2, 2, 7, 14, 28]

DICTIONARY = (
    b"num_batches_tracked\7\0running_var\0\0\1running_mean\0\0\1downsample.classifier.encoder.layers.0.self_attn."
    b"features.0.layer1.0.linear.bias\0\0\1weight\1\0\2bn1.bias\0\0\1\7fc2.bias\0\0\1\nfc2.weight\1\0\2\10fc1.bias"
    b"\0\0\1\nfc1.weight\1\0\2\7huffman\nconv2.bias\0\0\1\14conv2.weight\1\0\4\3\3\nconv1.bias\0\0\1\14conv1.weight"
    b"\1\0\4\5\5\4best"
)


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        self.at += length
        if self.at > len(self.data):
            raise ValueError("the file is cut")
        return self.data[self.at - length : self.at]

    def rest(self):
        return self.data[self.at :]

    def byte(self):
        return self.take(1)[0]

    def count(self):
        value, byte, shift = 0, 128, 0
        while byte > 127:
            byte = self.byte()
            value, shift = value | (byte & 127) << shift, shift + 7
        return value

    def crc32(self):
        return int.from_bytes(self.take(4), "little")

    def text(self):
        return self.take(self.count()).decode()

    def shape(self):
        return [self.count() for _ in range(self.count())]


def read(path):
    """{name: (dtype, shape, values in order of the flattened tensor)} of a file."""
    data = Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header, payload = json.loads(data[8:start]).get("__metadata__", {}), Cursor(data[start:])
    if header.get("format") != "dqc" or header.get("version") not in ("1", "2"):
        raise ValueError("not a compressed network of format version 1 or 2")
    if header["version"] == "1":
        length, crc32, dictionary = int(header.get("index", "")), int(header.get("crc32", ""), 16), b""
    else:
        length, crc32, dictionary = payload.count(), payload.crc32(), DICTIONARY
    index = Cursor(intact(payload.take(length), crc32, "the index"))
    length = index.count()
    index = Cursor(inflate(index.rest(), dictionary))
    assert len(index.data) == length
    index.text()  # the user's metadata
    tensors = {}
    for _ in range(index.count()):
        name, kind = index.text(), index.byte()
        if kind == 2:
            tensors[name] = list(tensors.values())[index.count()]
            continue
        dtype, shape = dtype_of(index.byte()), index.shape()
        coder, kept = (index.text(), index.count()) if kind == 1 else ("", 0)
        lengths = [index.count() for _ in range(3 if kind == 1 else 1)]
        blob = Cursor(intact(payload.take(sum(lengths)), index.crc32(), name))
        blobs = [blob.take(length) for length in lengths]
        values = quantized(coder, kept, blobs, dtype, shape) if kind == 1 else exact(*blobs, dtype, math.prod(shape))
        tensors[name] = dtype, shape, values
    if payload.rest():
        raise ValueError("there is more in the file than in its index")
    return tensors


def intact(data, crc32, what):
    if zlib.crc32(data) != crc32:
        raise ValueError(f"{what} is damaged (its checksum differs)")
    return data


def dtype_of(number):
    if number >= len(DTYPES):
        raise ValueError("complex numbers and floats of 8 bits are not read here")
    return DTYPES[number]


def inflate(data, dictionary=b""):
    return zlib.decompressobj(-15, dictionary).decompress(data)


def exact(blob, dtype, count):
    width = struct.calcsize(FORMATS[dtype])
    form, raw = blob[0], blob[1:]
    if form == 1:
        raw = inflate(raw)
    elif form == 2:
        cursor = Cursor(raw)
        planes = [symbols(cursor.take(cursor.count()), count, 256) for _ in range(width)]
        raw = bytes(byte for element in zip(*planes, strict=True) for byte in element)
    elif form == 3:
        raw = few_floats(Cursor(raw), count, 8 * width, MANTISSAS[dtype])
    return from_raw(raw, dtype, count)


def few_floats(cursor, count, width, mantissa):
    unused, greatest, kept = cursor.byte(), cursor.count(), cursor.count()
    stored, raw = mantissa - unused, b""
    mantissas = int.from_bytes(cursor.take(-(-kept * stored // 8)), "little")
    stream, of_kept, of_sign, of_steps = (
        Decisions(untrimmed(cursor.rest())),
        [0, 0],
        [0, 0],
        [[0, 0] for _ in range(128)],
    )
    for _ in range(count):
        number = 0
        if stream.decide([of_kept], 25) if 0 < kept < count else kept:
            sign = stream.decide([of_sign], 25)
            exponent = greatest - next(steps for steps in range(128) if stream.decide([of_steps[steps]], 25))
            number = sign << width - 1 | exponent << mantissa | mantissas % (1 << stored) << unused
            mantissas >>= stored
        raw += number.to_bytes(width // 8, "little")
    return raw


def from_raw(raw, dtype, count):
    values = list(struct.unpack(f"<{count}{FORMATS[dtype]}", raw))
    if dtype == "bfloat16":
        values = [struct.unpack("<f", struct.pack("<I", value << 16))[0] for value in values]
    return values


def rounded(value, dtype):
    """The value as a dtype holds it."""
    if dtype == "bfloat16":
        bits = struct.unpack("<I", struct.pack("<f", value))[0]
        return struct.unpack("<f", struct.pack("<I", (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16))[0]
    return struct.unpack(f"<{FORMATS[dtype]}", struct.pack(f"<{FORMATS[dtype]}", value))[0]


def quantized(coder, kept, blobs, dtype, shape):
    if coder not in ("best", "huffman", "packed"):
        raise ValueError(f"unknown coder {coder}")
    tables, size = codebook(Cursor(blobs[0])), math.prod(shape)
    if not size:
        return []
    if blobs[1] and blobs[1][0] in (96, 97, 98):
        places, indices = by_kernels(Cursor(blobs[1]), blobs[2], size, kept, len(tables[0]))
    elif blobs[1] and blobs[1][0] >= 64:
        places, indices = ans(Cursor(blobs[1]), blobs[2], size, kept, len(tables[0]))
    elif coder == "best" and blobs[2][:1] == b" ":
        places = positions(blobs[1], kept, size)
        indices = by_neighbours(Cursor(blobs[2]), places, len(tables[0]))
    else:
        places, indices = positions(blobs[1], kept, size), symbols(blobs[2], kept, len(tables[0]))
    values, in_channel = [0.0] * size, max(size // len(tables), 1)
    for place, index in zip(places, indices, strict=True):
        values[place] = rounded(tables[place // in_channel][index], dtype)
    return values


def codebook(cursor):
    """The codewords of the tensor, or of each of its channels."""
    family = cursor.byte()
    bits, zero = (cursor.byte(), cursor.byte()) if family == 0 else (0, 0)
    dtype, length = dtype_of(cursor.byte()), cursor.count()
    numbers = exact(cursor.rest(), dtype, max(length - 1, 1) if length != 1 else 0)
    if family == 1:
        return [numbers]
    tables = []
    for scale in numbers:
        levels = (1 << bits - 1) - zero
        largest_first = [min(max(scale / 2**step, SMALLEST[dtype]), scale) for step in range(levels)]
        tables.append([-value for value in largest_first] + [0.0] * zero + largest_first[::-1])
    return tables


def unpack(data, count, width):
    number = [int.from_bytes(data[at : at + width], "little") for at in range(0, len(data), width)]
    return [number[at // 8] >> at % 8 * width & (1 << width) - 1 for at in range(count)]


def symbols(data, count, alphabet):
    form, cursor, letters = data[0], Cursor(data[1:]), range(alphabet)
    if form & 16:
        used = unpack(cursor.take(-(-alphabet // 8)), alphabet, 1)
        letters = [letter for letter in letters if used[letter]]
    if form & 15 == 0:
        return [letters[rank] for rank in unpack(cursor.rest(), count, max(1, (len(letters) - 1).bit_length()))]
    numbers, base = inflate(cursor.rest()), len(letters)
    return [letters[number // base**place % base] for number in numbers for place in range(form & 15)][:count]


def positions(data, kept, size):
    if not data:
        return range(size)
    cursor = Cursor(data)
    width = cursor.byte()
    if width == 0:
        return [place for place, is_kept in enumerate(symbols(cursor.rest(), size, 2)) if is_kept]
    fillers = cursor.count()
    return from_gaps(symbols(cursor.rest(), kept + fillers, 1 << width), (1 << width) - 1)


def from_gaps(fields, filler):
    places, at = [], 0
    for field in fields:
        at += field
        if field != filler:
            places.append(at)
            at += 1
    return places


class Stream:
    """rANS: see the part of that name in docs/file-format.md."""

    def __init__(self, low, data, lanes, bare=False):
        words = struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])
        lows = struct.unpack(f"<{lanes}I", low)
        self.states = [high << 32 | low for low, high in zip(lows, words[:lanes], strict=True)]
        self.words, self.data, self.used, self.bare = words, data, lanes, bare

    def part(self, runs, fillers=False):
        """Runs of (count, frequencies); a list of symbols for each. fillers: the last symbol does not count."""
        found, at, lanes = [], 0, len(self.states)
        for count, frequencies in runs:
            starts = [0, *accumulate(frequencies)][:-1]
            found.append([])
            while count:
                state = self.states[at % lanes]
                symbol = bisect_right(starts, state % SLOTS) - 1
                self.states[at % lanes] = frequencies[symbol] * (state // SLOTS) + state % SLOTS - starts[symbol]
                found[-1].append(symbol)
                count -= not fillers or symbol != len(frequencies) - 1
                at += 1
                if at % (2 * lanes) == 0:
                    self.refill()
        self.refill()
        return found

    def refill(self):
        for lane, state in enumerate(self.states):
            if state < 1 << 32 and not (self.bare and self.used == len(self.words)):
                self.states[lane] = state << 32 | self.words[self.used]
                self.used += 1

    def end(self):
        """The payload and what comes after the stream."""
        high = "".join(f"{state >> 32:b}"[:0:-1] for state in self.states)  # without the highest bit, lowest first
        extra = [int(high[at : at + 8][::-1], 2) for at in range(0, len(high) - 7, 8)]
        payload = b"".join(struct.pack("<I", state & 0xFFFFFFFF) for state in self.states) + bytes(extra)
        return (b"" if self.bare else payload) + self.data[4 * self.used :]


def table(cursor, alphabet):
    used, is_long = divmod(cursor.count(), 2)
    if alphabet < used:
        used, codes = used - alphabet, [89]
        for step in unpack(cursor.take(-(-3 * (used - 1) // 8)), used - 1, 3):
            codes.append(min(max(codes[-1] + STEPS[step], 1), 176))
        return to_slots([LONG[code] for code in codes] + [0] * (alphabet - used))
    codes = unpack(cursor.take(-(-used * (8 if is_long else 4) // 8)), used, 8 if is_long else 4)
    return to_slots([(LONG if is_long else SHORT)[code] for code in codes] + [0] * (alphabet - used))


def to_slots(weights, slots=SLOTS):
    used, total = sum(weight > 0 for weight in weights), sum(weights)
    found = [(weight > 0) + weight * (slots - used) // total for weight in weights]
    found[weights.index(max(weights))] += slots - sum(found)
    return found


def geometric(kept, size):
    left = [1 << 40]
    for _ in range(min(255, 4 * size // kept + 1)):
        left.append(left[-1] * (((size - kept) << 32) // size) >> 32)
    return to_slots([max(a - b, 1) for a, b in zip(left, [*left[1:], 0], strict=True)])


def ans(head, values, size, kept, codewords):
    first = head.byte()
    is_old = first < 128
    lanes, form, has_classes, left_out = 1 << first % 16, first >> 4 & 3, first & 64, b""
    if first % 16 >= 14 and not is_old:
        lanes, left_out = 1, bytes([16 * (first % 16 - 14)])
    if is_old:
        lanes, form, has_classes = 1 << (head.byte() if first > 64 else 0), first & 1, first & 2
    order, counts, sizes, columns = range(size), [size], [size], 0
    if form == 3:
        order, counts = positions(head.rest(), kept, size), [kept]
    elif form or has_classes:
        if has_classes:
            columns = head.count()
            levels = [head.byte(), head.byte()] if is_old else [1 + (both := head.byte()) % 16, 1 + both // 16]
            lines = list(zip((size // columns, columns), [table(head, level + 1) for level in levels], strict=True))
        if form:
            contexts = sum(levels) - 1 if has_classes else 1
            counts, fillers, tables = (old_gaps if is_old else gaps_of)(head, contexts, form, kept)
        stream = Stream(values[: 4 * lanes], head.rest(), lanes)
        if has_classes:
            order, sizes = by_context(*stream.part(lines), *levels)
        if form:
            used = [context for context, count in enumerate(counts) if count]
            own = [tables.pop(0) if tables else geometric(counts[k], sizes[k]) for k in used]
            lengths = [counts[k] + fillers[k] for k in used]
            fields = stream.part(list(zip(lengths, own, strict=True)), fillers=not is_old)
            starts = [0, *accumulate(sizes)]
            order = [
                order[starts[k] + place]
                for k, of_context, slots in zip(used, fields, own, strict=True)
                for place in from_gaps(of_context, len(slots) - 1)
            ]
        else:
            counts = sizes
        values = stream.end() + values[4 * lanes :]
    if is_old and values[:1] == b" ":
        order = sorted(order)
        return order, by_neighbours(Cursor(values), order, codewords)
    return order, ans_values(Cursor(left_out + values), counts, codewords, is_old, order, columns)


def gaps_of(head, contexts, form, kept):
    counts = [head.count() for _ in range(contexts - 1)]
    counts.append(kept - sum(counts))
    filler = head.byte() if form == 2 else 0
    return counts, [0] * contexts, [table(head, filler + 1) for count in counts if count and filler]


def old_gaps(head, contexts, _form, _kept):
    both = [(count, head.count() if count else 0) for count in (head.count() for _ in range(contexts))]
    tables = [table(head, 256) for count, _ in both if count] if head.byte() else []
    return [count for count, _ in both], [fillers for _, fillers in both], tables


def by_context(rows, columns, row_levels, column_levels):
    """The weights in the order of their contexts, and how many are of each."""
    order, sizes = [], []
    for context in range(row_levels + column_levels - 1):
        before = len(order)
        for level in range(row_levels):
            chosen = [row for row, label in enumerate(rows) if label == level + 1]
            crossed = [column for column, label in enumerate(columns) if label == context - level + 1 > 0]
            order += [row * len(columns) + column for row, column in product(chosen, crossed)]
        sizes.append(len(order) - before)
    return order, sizes


def ans_values(cursor, counts, codewords, is_old, order, columns):
    """The indices of the weights at the places of order."""
    form, log = (cursor.byte(), cursor.byte()) if is_old else divmod(cursor.byte(), 16)
    span, lanes = cursor.byte() if is_old or len(counts) > 1 else 1, 1 << log
    groups = [sum(counts[at : at + span]) for at in range(0, len(counts), span)]
    runs = [(count, table(cursor, (codewords + 1) // 2 if form else codewords)) for count in groups if count]
    bare, data = lanes == 1 and not form, cursor.rest()
    data = untrimmed(data) if bare and not is_old else data
    stream = Stream(data[: 4 * lanes], data[4 * lanes :], lanes, bare)
    found = [symbol for run in stream.part(runs) for symbol in run]
    if form == 2:
        tail = Cursor(stream.end())
        signs = by_signs(tail.count() or columns, tail, order)
    elif form:
        signs = unpack(stream.end(), len(found), 1)
    else:
        found, signs = [symbol // 2 for symbol in found], [symbol % 2 for symbol in found]
    return [codewords - 1 - magnitude if sign else magnitude for magnitude, sign in zip(found, signs, strict=True)]


def untrimmed(data):
    state = len(data) if len(data) <= 8 else 5 + (len(data) - 1) % 4
    return data[:state].ljust(8, b"\0") + data[state:]


SQUASH = [
    KNOTS[x // 128 + 16] * (128 - x % 128) + KNOTS[x // 128 + 17] * (x % 128) + 64 >> 7 for x in range(-2047, 2048)
]


class Decisions:
    """See the part of that name in docs/file-format.md."""

    def __init__(self, data):
        self.state, *self.words = struct.unpack(f"<Q{len(data) // 4 - 2}I", data)
        self.words.reverse()

    def decide(self, contexts, reserve):
        logit = sum(weight for weight, _ in contexts) >> 8
        chance = SQUASH[min(max(logit, -2047), 2047) + 2047]
        slot = self.state % 4096
        bit = int(slot < chance)
        self.state = (chance if bit else 4096 - chance) * (self.state // 4096) + slot - (0 if bit else chance)
        if self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()
        for context in contexts:
            context[0] += (4096 * bit - chance) * (65536 // (2 * (context[1] // 32) + reserve)) >> 8
            context[1] = min(context[1] + 1 + (chance * (4096 - chance) >> 16), 65535)
        return bit


def by_signs(columns, cursor, order):
    above, stream, contexts, near = cursor.byte(), Decisions(untrimmed(cursor.rest())), {}, {}
    for place in sorted(order):
        around = tuple(near.get(place - before) for before in (1, above, above + 1, above - 1))
        keys = [("row", place // columns), ("column", place % columns), around[:2], around]
        known = [contexts.setdefault(key, [0, 1024 if key[0] in ("row", "column") else 0]) for key in keys]
        near[place] = stream.decide(known, 25)
    return [near[place] for place in order]


def by_neighbours(cursor, order, codewords):
    _, columns, above, levels, first = cursor.byte(), cursor.count(), cursor.count(), cursor.byte(), cursor.byte()
    outward = [(step + 1) // 2 * (1 if step % 2 else -1) for step in range(2 * levels)]
    magnitudes = [first // 2 + (-step if first % 2 else step) for step in outward]
    magnitudes = [magnitude for magnitude in magnitudes if 0 <= magnitude < levels]
    stream, contexts, near, found = Decisions(cursor.rest()), {}, {}, []
    for place in order:
        around = [near.get(place - before, (None, -1)) for before in (1, above, above + 1, above - 1)]
        signs = tuple(sign for sign, _ in around)

        def decide(question, *of_around, place=place):
            keys = [("row", place // columns), ("column", place % columns), *enumerate(of_around)]
            known = [contexts.setdefault((question, key), [0, 0 if key[0] in range(3) else 1024]) for key in keys]
            return stream.decide(known, 65)

        sign = decide("sign", signs[:2], signs[2:], signs)
        of_levels = [min(level, 3) for _, level in around[:2]]
        questions = range(levels - 1)
        level = next((level for level in questions if decide(level, tuple(of_levels), signs, sign)), levels - 1)
        near[place] = sign, level
        found.append(codewords - 1 - magnitudes[level] if sign else magnitudes[level])
    return found


class Turns:
    """ANS in lanes that take turns."""

    def __init__(self, data, lanes):
        self.states = list(struct.unpack(f"<{lanes}I", data[: 4 * lanes]))
        self.words = list(struct.unpack(f"<{len(data) // 2 - 2 * lanes}H", data[4 * lanes :]))[::-1]

    def take(self, lane, slots):
        starts, slot = [0, *accumulate(slots)], self.states[lane] % SLOTS
        symbol = bisect_right(starts, slot) - 1
        state = slots[symbol] * (self.states[lane] // SLOTS) + slot - starts[symbol]
        self.states[lane] = state if state >= 1 << 16 else state << 16 | self.words.pop()
        return symbol


def by_kernels(head, values, size, kept, codewords):
    is_masks, lines = head.byte() == 97, head.byte()
    height, width = lines % 16 + 1, lines // 16 + 1
    places = masks(head, size, kept, height, width) if is_masks else positions(head.rest(), kept, size)
    return places, kernel_values(Cursor(values), list(places), codewords, height, width)


def nibbles(cursor, count):
    return [(number ^ 8) - 8 for number in unpack(cursor.take(-(-count // 2)), count, 4)]


def tilted(slots, tilt):
    return to_slots([count * LONG[min(max(89 + tilt * symbol, 1), 176)] for symbol, count in enumerate(slots)])


def masks(cursor, size, kept, height, width):
    """The places that the masks of kernels keep."""
    area, columns = height * width, cursor.count()
    mean = 64 * kept // (size // area)
    of_row, of_column, *tells = nibbles(cursor, 2 + area + 2)
    of_number, of_masks = table(cursor, area + 1), masks_of(height, width, tells)
    stream, averages, found = Turns(cursor.rest(), 2), [mean] * columns, []
    for kernel in range(size // area):
        column = kernel % columns
        if column == 0:
            before = average = mean
        tilt = of_row * (before - mean) + of_column * (averages[column] - mean) >> 7
        number = stream.take(0, tilted(of_number, min(max(tilt, -16), 15)))
        mask = of_masks[number][0][stream.take(1, of_masks[number][1])]
        before, average = average, average + (64 * number - average >> 3)
        averages[column] += 64 * number - averages[column] >> 3
        found += [kernel * area + place for place in range(area) if mask >> place & 1]
    return found


def masks_of(height, width, tells):
    """For each number of kept weights the masks, and their slots."""
    area, values = height * width, {}
    pairs = [(place, place - 1, tells[-2]) for place in range(area) if place % width]
    pairs += [(place, place - width, tells[-1]) for place in range(width, area)]
    for mask in range(1 << area):
        values[mask] = sum(tells[place] for place in range(area) if mask >> place & 1)
        values[mask] += sum(tell for one, other, tell in pairs if mask >> one & mask >> other & 1)
    found = []
    for number in range(area + 1):
        of_number = [mask for mask in values if mask.bit_count() == number]
        largest = max(values[mask] for mask in of_number)
        weights = [LONG[max(176 + 3 * (values[mask] - largest), 1)] for mask in of_number]
        found.append((of_number, [4 * slots for slots in to_slots(weights, SLOTS // 4)]))
    return found


def kernel_values(cursor, places, codewords, height, width):
    """The indices of the weights at ascending places, by what is around in their kernels."""
    area, slots = height * width, table(cursor, (codewords + 1) // 2)
    slots = slots[: max(symbol for symbol, count in enumerate(slots) if count) + 1]
    by_level, by_number, *of_signs = nibbles(cursor, 6)
    stream, numbers, near, indices = Turns(cursor.rest(), 4), Counter(place // area for place in places), {}, {}
    for which, lane in in_turns([place // area for place in places], 2048 // area):
        kernel, place = divmod(places[which], area)
        row, column = divmod(place, width)
        around = [(row, column - 1), (row - 1, column), (row - 1, column - 1), (row - 1, column + 1)]
        signs, levels = zip(*(near.get((kernel, *other), (0, 0)) for other in around), strict=True)
        tilt = by_level * (levels[0] + levels[1]) + by_number * numbers[kernel] >> 2
        magnitude = stream.take(lane, tilted(slots, min(max(tilt, -32), 31)))
        logit = 112 * sum(tell * sign for tell, sign in zip(of_signs, signs, strict=True))
        ones = 4 * SQUASH[min(max(logit, -2047), 2047) + 2047]
        is_minus = stream.take(lane + 1, [ones, SLOTS - ones])
        near[kernel, row, column] = 1 - 2 * is_minus, len(slots) - magnitude
        indices[which] = magnitude if is_minus else codewords - 1 - magnitude
    return [indices[which] for which in range(len(places))]


def in_turns(kernels, of_block):
    """The order in which weights of these kernels come, each with the first of its lanes."""
    for _, weights in groupby(range(len(kernels)), lambda which: kernels[which] // of_block):
        kinds = [], []
        for which in weights:
            kinds[kernels[which] % of_block % 2].append(which)
        for both in zip_longest(*kinds):
            yield from ((which, lane) for which, lane in zip(both, (0, 2), strict=True) if which is not None)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("give one file: python plain_reader.py network.dqc")
    try:
        tensors = read(sys.argv[1])
    except ValueError as error:
        sys.exit(f"error: {sys.argv[1]}: {error}")
    for name, (dtype, shape, values) in tensors.items():
        print(f"{name}: {dtype} {shape} {values[:6]}")
