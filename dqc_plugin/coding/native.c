/* The inner loops of the coders. Each does what the Python beside it says, bit for bit: rans.py (dqc_take, dqc_push),
 * frequencies.py (dqc_to_slots, dqc_table, dqc_geometric), ans_positions.py (dqc_place), gaps.py (dqc_positions),
 * coders.py (dqc_scatter), signs.py with decisions.py (dqc_encode_signs, dqc_push_decisions, dqc_decode_signs),
 * neighbours.py (dqc_decode_values), floats.py (dqc_encode_floats, dqc_decode_floats), turns.py (dqc_push_turns), and
 * kernels.py with kernel_masks.py and kernel_values.py (dqc_prepare, dqc_decode_kernels, dqc_decode_in_kernels). */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_LOG 14
#define SLOTS (1 << SLOTS_LOG)
#define LONG_CODES 177
#define FIRST_CODE 89
#define WORD_BYTES 4

/* A word of a stream, which lies anywhere in a file. */
static uint64_t word_at(const uint8_t *words, int64_t at)
{
    uint32_t word;
    memcpy(&word, words + WORD_BYTES * at, WORD_BYTES);
    return word;
}

static int64_t refill(uint64_t *states, int64_t lanes, const uint8_t *words, int64_t words_end, int64_t next,
                      int64_t bare)
{
    if (words_end - next >= lanes) { /* without branches, which nothing foretells */
        for (int64_t lane = 0; lane < lanes; lane++) {
            uint64_t state = states[lane], is_low = !(state >> 32), taken = state << 32 | word_at(words, next);
            states[lane] = is_low ? taken : state;
            next += (int64_t)is_low;
        }
        return next;
    }
    for (int64_t lane = 0; lane < lanes; lane++) {
        if (states[lane] >> 32 || (bare && next == words_end))
            continue;
        if (next == words_end)
            return -1;
        states[lane] = states[lane] << 32 | word_at(words, next++);
    }
    return next;
}

/* A part of a stream, from the lanes: of some tables symbols that keep so many, all but the fillers (-1: there are none),
 * and how many these are. Their room is limited. The place of the next word, -1 where the stream is cut. */
int64_t dqc_take(uint64_t *states, int64_t lanes, const int64_t *frequencies, const int64_t *alphabets,
                 const int64_t *kept, const int64_t *fillers, int64_t *lengths, int64_t tables, uint8_t *symbols,
                 int64_t room, const uint8_t *words, int64_t words_end, int64_t next, int64_t bare)
{
    static _Thread_local uint8_t of_slots[SLOTS];
    uint8_t *owners = of_slots; /* to find what belongs to a thread is a call */
    int64_t lane = 0, round = 0;
    for (int64_t table = 0; table < tables; frequencies += alphabets[table], table++) {
        uint32_t starts[256], widths[256];
        int64_t start = 0;
        for (int64_t symbol = 0; symbol < alphabets[table]; symbol++) {
            memset(owners + start, (int)symbol, (size_t)frequencies[symbol]);
            starts[symbol] = (uint32_t)start;
            widths[symbol] = (uint32_t)frequencies[symbol];
            start += frequencies[symbol];
        }
        const uint8_t *first = symbols;
        for (int64_t left = kept[table], filler = fillers[table]; left;) {
            int64_t some = left < lanes - lane ? left : lanes - lane;
            if (some > room)
                return -1;
            room -= some;
            for (int64_t end = lane + some; lane < end; lane++) {
                uint64_t state = states[lane];
                uint32_t slot = state & (SLOTS - 1);
                uint8_t symbol = owners[slot];
                states[lane] = widths[symbol] * (state >> SLOTS_LOG) + slot - starts[symbol];
                *symbols++ = symbol;
                left -= symbol != filler;
            }
            if (lane < lanes)
                continue;
            lane = 0;
            round ^= 1;
            if (!round && (next = refill(states, lanes, words, words_end, next, bare)) < 0)
                return -1;
        }
        lengths[table] = symbols - first;
    }
    return refill(states, lanes, words, words_end, next, bare);
}

/* Put symbols into the states, the last ones first; entries: of two rounds of the lanes, frequency and first slot above
 * it. The words that do not fit come to lie at the end of words, which has room for one a lane and step; how many. */
int64_t dqc_push(uint64_t *states, int64_t lanes, const uint32_t *entries, int64_t steps, uint32_t *words)
{
    int64_t end = steps * lanes, at = end;
    for (int64_t step = steps - 1; step >= 0; step--) {
        const uint32_t *first = entries + step * 2 * lanes, *second = first + lanes;
        for (int64_t lane = lanes - 1; lane >= 0; lane--) {
            uint64_t x = states[lane], f = first[lane] & 0xFFFF, g = second[lane] & 0xFFFF;
            if (x >> 2 * (32 - SLOTS_LOG) >= f * g) {
                words[--at] = (uint32_t)x;
                x >>= 32;
            }
            x += x / g * (SLOTS - g) + (second[lane] >> 16);
            x += x / f * (SLOTS - f) + (first[lane] >> 16);
            states[lane] = x;
        }
    }
    return end - at;
}

/* The slots, so many in all, of the symbols of weights (alphabet,) below 2^40, in their place. */
int64_t dqc_to_slots(int64_t *weights, int64_t alphabet, int64_t slots)
{
    int64_t used = 0, sum = 0, largest = 0, left = slots;
    for (int64_t i = 0; i < alphabet; i++) {
        used += weights[i] > 0;
        sum += weights[i];
        largest = weights[i] > weights[largest] ? i : largest;
    }
    for (int64_t i = 0; i < alphabet; i++) {
        weights[i] = (weights[i] > 0) + weights[i] * (slots - used) / sum;
        left -= weights[i];
    }
    weights[largest] += left;
    return 0;
}

static int64_t weight_of(int64_t code)
{
    return code ? (int64_t)(8 + ((code - 1) & 7)) << ((code - 1) >> 3) : 0;
}

/* The step of a table at a place, three bits. */
static int step_at(const uint8_t *steps, int64_t at)
{
    static const int8_t of_steps[] = {-28, -14, -7, -2, 2, 7, 14, 28};
    int64_t bit = 3 * at, shift = bit % 8;
    int bits = steps[bit / 8] >> shift;
    if (shift > 5)
        bits |= steps[bit / 8 + 1] << (8 - shift);
    return of_steps[bits & 7];
}

/* The frequencies (alphabet,) of a table with so many codes of a width, 4 or 8, or 3: steps to the next; each within its
 * bytes; -1 where it is none. */
int64_t dqc_table(const uint8_t *codes, int64_t used, int64_t width, int64_t alphabet, int64_t *frequencies)
{
    static const uint8_t of_short[] = {0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181};
    int64_t sum = 0;
    int code = FIRST_CODE;
    memset(frequencies, 0, (size_t)alphabet * sizeof(int64_t));
    for (int64_t i = 0; i < used; i++) {
        if (width == 8)
            code = codes[i];
        else if (width == 4)
            code = codes[i / 2] >> (4 * (i & 1)) & 15;
        else if (i) {
            code += step_at(codes, i - 1);
            code = code < 1 ? 1 : code < LONG_CODES ? code : LONG_CODES - 1;
        }
        if (code >= LONG_CODES)
            return -1;
        frequencies[i] = width == 4 ? of_short[code] : weight_of(code);
        sum += frequencies[i];
    }
    return sum ? dqc_to_slots(frequencies, alphabet, SLOTS) : -1;
}

/* The frequencies (filler + 1,) of gaps where kept of size weights are kept, none here rather than there. */
int64_t dqc_geometric(int64_t kept, int64_t size, int64_t filler, int64_t *frequencies)
{
    int64_t rest = (size - kept) % size, ratio = (size - kept) / size, left = (int64_t)1 << 40;
    for (int bit = 0; bit < 32; bit++) { /* floor((size - kept) 2^32 / size), of sizes that 2^32 would carry too far */
        rest <<= 1;
        ratio = ratio << 1 | (rest >= size);
        rest -= rest >= size ? size : 0;
    }
    for (int64_t gap = 0; gap <= filler; gap++) {
        int64_t high = (left >> 20) * ratio, low = (left & 0xFFFFF) * ratio; /* left * ratio may have 72 bits */
        int64_t less = gap < filler ? (high + (low >> 20)) >> 12 : 0;
        frequencies[gap] = left > less ? left - less : 1;
        left = less;
    }
    return dqc_to_slots(frequencies, filler + 1, SLOTS);
}

/* Lines (count,) in the order of their classes, those of class 0 left out; ends: of each class, from class 0 on. */
static void sort_lines(const uint8_t *labels, int64_t count, int64_t classes, int64_t *lines, int64_t *ends)
{
    memset(ends, 0, (size_t)(classes + 1) * sizeof(int64_t));
    for (int64_t class = 1; class <= classes; class++) {
        int64_t at = ends[class - 1];
        for (int64_t i = 0; i < count; i++)
            if (labels[i] == class)
                lines[at++] = i;
        ends[class] = at;
    }
}

/* The positions that the gap fields of each context keep, in the order of the contexts; how many, -1 where they do not
 * fit a context or keep another number there, or, unless they are open, do not fill it; -2 where memory is short. Of
 * contexts that keep none there are no fields. */
int64_t dqc_place(const uint8_t *fields, const int64_t *kept, const int64_t *lengths, const int64_t *fillers,
                  const uint8_t *row_labels, int64_t rows, int64_t row_classes, const uint8_t *column_labels,
                  int64_t columns, int64_t column_classes, int64_t open, int64_t *positions)
{
    int64_t row_ends[257], column_ends[257], found = 0, wanted = 0;
    int64_t *of_rows = malloc((size_t)(rows + columns) * sizeof(int64_t)), *of_columns = of_rows + rows;
    if (!of_rows)
        return -2;
    sort_lines(row_labels, rows, row_classes, of_rows, row_ends);
    sort_lines(column_labels, columns, column_classes, of_columns, column_ends);
    for (int64_t context = 0; context < row_classes + column_classes - 1 && found >= 0; context++) {
        int64_t row_class = context < column_classes ? -1 : context - column_classes, at = 0, size = 0, width = 1;
        int64_t row = 0, column = 0; /* of at, in the block of weights of one class of rows */
        const int64_t *block_rows = of_rows, *block_columns = of_columns;
        wanted += kept[context];
        for (const uint8_t *end = fields + lengths[context]; fields < end && found >= 0; fields++) {
            at += *fields;
            column += *fields;
            int is_filler = *fields == fillers[context];
            while (at >= size + is_filler) { /* on to the next class of rows */
                int64_t column_class = context - ++row_class;
                if (row_class >= row_classes || column_class < 0)
                    break;
                at -= size;
                row = 0;
                column = at;
                block_rows = of_rows + row_ends[row_class];
                block_columns = of_columns + column_ends[column_class];
                width = column_ends[column_class + 1] - column_ends[column_class];
                size = (row_ends[row_class + 1] - row_ends[row_class]) * width;
            }
            if (at >= size + is_filler || (!is_filler && found == wanted))
                found = -1;
            else if (!is_filler) {
                for (; column >= width; column -= width)
                    row++;
                positions[found++] = block_rows[row] * columns + block_columns[column];
                at++;
                column++;
            }
        }
        for (row_class++; lengths[context] && row_class < row_classes && row_class <= context; row_class++)
            size += (row_ends[row_class + 1] - row_ends[row_class]) *
                    (column_ends[context - row_class + 1] - column_ends[context - row_class]);
        if (found != wanted || (lengths[context] && !open && size - at >= fillers[context]))
            found = -1;
    }
    free(of_rows);
    return found;
}

/* The positions that gap fields keep, from *reached on, which moves on; how many. There is room for one a field. */
int64_t dqc_positions(const uint8_t *fields, int64_t count, int64_t filler, int64_t *reached, int64_t *positions)
{
    int64_t at = *reached, found = 0;
    for (int64_t i = 0; i < count; i++) {
        at += fields[i];
        positions[found] = at;
        found += fields[i] != filler;
        at += fields[i] != filler;
    }
    *reached = at;
    return found;
}

#define SCATTER(type) \
    for (int64_t i = 0; i < count; i++) { \
        at += fields[i]; \
        if (fields[i] != filler && at < size && found < kept) \
            ((type *)weights)[at++] = ((const type *)table)[indices[found++]]; \
    }

/* Values of a table of 256 to the weights that gap fields keep; of 1, 2, 4 or 8 bytes. How many. */
int64_t dqc_scatter(const uint8_t *fields, int64_t count, int64_t filler, const uint8_t *indices, int64_t kept,
                    const void *table, int64_t bytes, void *weights, int64_t size)
{
    int64_t at = 0, found = 0;
    if (bytes == 1)
        SCATTER(uint8_t)
    else if (bytes == 2)
        SCATTER(uint16_t)
    else if (bytes == 4)
        SCATTER(uint32_t)
    else
        SCATTER(uint64_t)
    return found;
}

#define CHANCE_LOG 12
#define MOST_CERTAIN 65535
#define LINE_CERTAINTY 1024
#define SIGNS_RESERVE 25
#define VALUES_RESERVE 65
#define PAIRS 9 /* of signs around */
#define SIGNS 81

typedef struct {
    int32_t weight, certainty;
} context;

typedef struct {
    const int16_t *squash; /* of -2047 .. 2047 */
    uint64_t state;
    const uint8_t *words, *words_end;
    uint16_t *decisions; /* of an encoder, else NULL: chance of a 1, and the bit above it */
    int32_t rates[(MOST_CERTAIN >> 5) + 1];
} coder;

static void set_rates(coder *c, int reserve)
{
    for (int certainty = 0; certainty <= MOST_CERTAIN >> 5; certainty++)
        c->rates[certainty] = (1 << 16) / (2 * certainty + reserve);
}

static inline int decide(coder *c, int decodes, context *const *contexts, int count, int bit)
{
    int32_t logit = 0;
    for (int k = 0; k < count; k++)
        logit += contexts[k]->weight;
    logit >>= 8;
    logit = logit < -2047 ? -2047 : logit > 2047 ? 2047 : logit;
    int32_t chance = c->squash[logit + 2047];
    if (decodes) {
        uint64_t slot = c->state & ((1 << CHANCE_LOG) - 1), rest = c->state >> CHANCE_LOG;
        bit = slot < (uint64_t)chance;
        uint64_t mask = -(uint64_t)bit, one = (uint64_t)chance * rest;
        c->state = slot + (mask & one) + (~mask & ((rest << CHANCE_LOG) - one - (uint64_t)chance));
        if (!(c->state >> 32) && c->words < c->words_end) {
            c->state = c->state << 32 | word_at(c->words, 0);
            c->words += WORD_BYTES;
        }
    } else
        *c->decisions++ = (uint16_t)(chance | bit << 15);
    int32_t error = (bit << CHANCE_LOG) - chance;
    int32_t information = 1 + (chance * (4096 - chance) >> 16);
    for (int k = 0; k < count; k++) {
        context *one = contexts[k];
        int32_t certainty = one->certainty;
        one->weight += error * c->rates[certainty >> 5] >> 8;
        certainty += information;
        one->certainty = certainty < MOST_CERTAIN ? certainty : MOST_CERTAIN;
    }
    return bit;
}

static int lowest_bit(uint64_t word)
{
#ifdef __GNUC__
    return __builtin_ctzll(word);
#else
    int bit = 0;
    for (; !(word & 1); word >>= 1)
        bit++;
    return bit;
#endif
}

/* The signs at positions below size, in any order; 0, -1 where memory is short. */
static inline int walk_signs(coder *c, int decodes, const int64_t *positions, int64_t kept, int64_t size, int64_t columns,
                             int64_t distance, uint8_t *signs)
{
    int64_t rows = (size + columns - 1) / columns, lines = rows + columns, sets = size / 64 + 1;
    context *row = calloc((size_t)(lines + PAIRS + SIGNS), sizeof(context)), *to_free = row;
    uint64_t *is_kept = calloc((size_t)(2 * sets), sizeof(uint64_t)), *is_one = is_kept + sets;
    uint8_t *near = calloc((size_t)(size + distance + 1), 1);
    if (!row || !is_kept || !near) {
        free(to_free), free(is_kept), free(near);
        return -1;
    }
    for (int64_t i = 0; i < kept; i++) {
        is_kept[positions[i] >> 6] |= (uint64_t)1 << (positions[i] & 63);
        if (!decodes)
            is_one[positions[i] >> 6] |= (uint64_t)signs[i] << (positions[i] & 63);
    }
    for (int64_t i = 0; i < lines; i++)
        row[i].certainty = LINE_CERTAINTY;
    context *of_columns = row + rows, *around = row + lines;
    uint8_t *here = near + distance + 1; /* 0, or 1 + sign */
    int64_t row_end = columns;
    set_rates(c, SIGNS_RESERVE);
    for (int64_t set = 0; set < sets; set++)
        for (uint64_t left = is_kept[set]; left; left &= left - 1) {
            int bit = lowest_bit(left);
            int64_t position = 64 * set + bit;
            for (; position >= row_end; row_end += columns)
                row++;
            const uint8_t *at = here + position;
            int pair = at[-1] + 3 * at[-distance], all = pair + PAIRS * (at[-distance - 1] + 3 * at[1 - distance]);
            context *contexts[] = {row, of_columns + (position - row_end + columns), around + pair, around + PAIRS + all};
            here[position] = (uint8_t)(1 + decide(c, decodes, contexts, 4, is_one[set] >> bit & 1));
        }
    for (int64_t i = 0; i < kept; i++)
        signs[i] = here[positions[i]] - 1;
    free(to_free), free(is_kept), free(near);
    return 0;
}

/* The decisions that say signs, one after another; how many, -1 where memory is short. */
int64_t dqc_encode_signs(const int16_t *squash, const int64_t *positions, int64_t kept, int64_t size, int64_t columns,
                         int64_t distance, uint8_t *signs, uint16_t *decisions)
{
    coder c = {.squash = squash, .decisions = decisions};
    return walk_signs(&c, 0, positions, kept, size, columns, distance, signs) ? -1 : c.decisions - decisions;
}

/* Words of the stream of decisions, from the end of words on, which has room for one a decision; how many. The state is
 * left in *state. */
int64_t dqc_push_decisions(const uint16_t *decisions, int64_t decided, uint32_t *words, uint64_t *state)
{
    uint64_t x = 1;
    int64_t at = decided;
    for (int64_t i = decided - 1; i >= 0; i--) {
        uint64_t chance = decisions[i] & 0x7FFF, bit = decisions[i] >> 15;
        uint64_t width = bit ? chance : 4096 - chance;
        if (x >= width << 52) {
            words[--at] = (uint32_t)x;
            x >>= 32;
        }
        x = (x / width << CHANCE_LOG) + x % width + (bit ? 0 : chance);
    }
    *state = x;
    return decided - at;
}

/* 0; -1 where memory is short, 1 where the stream does not end with the signs. */
int64_t dqc_decode_signs(const int16_t *squash, const int64_t *positions, int64_t kept, int64_t size, int64_t columns,
                         int64_t distance, uint8_t *signs, uint64_t state, const uint8_t *words, int64_t words_end)
{
    coder c = {.squash = squash, .state = state, .words = words, .words_end = words + WORD_BYTES * words_end};
    int failed = walk_signs(&c, 1, positions, kept, size, columns, distance, signs);
    return failed ? failed : c.state != 1 || c.words != c.words_end;
}

#define LEVELS 25 /* pairs of levels around */
#define AROUND (LEVELS + SIGNS + 2) /* at least 2 * PAIRS + SIGNS */
#define MOST_NEAR 3

/* Indices of the weights at ascending positions; table: of the levels of sign 0, then of sign 1. 0; -1 where memory is
 * short, 1 where positions do not ascend below size or the stream does not end with the values. A row's contexts of all
 * questions lie together, as do a column's. */
int64_t dqc_decode_values(const int16_t *squash, const int64_t *positions, int64_t kept, int64_t size, int64_t columns,
                          int64_t distance, int64_t levels, const uint8_t *table, uint8_t *indices, uint64_t state,
                          const uint8_t *words, int64_t words_end)
{
    coder c = {.squash = squash, .state = state, .words = words, .words_end = words + WORD_BYTES * words_end};
    int64_t rows = (size + columns - 1) / columns, lines = (rows + columns) * levels;
    context *contexts = calloc((size_t)(lines + levels * AROUND), sizeof(context));
    uint8_t *near = calloc((size_t)(size + distance + 1), 1);
    if (!contexts || !near) {
        free(contexts), free(near);
        return -1;
    }
    set_rates(&c, VALUES_RESERVE);
    for (int64_t i = 0; i < lines; i++)
        contexts[i].certainty = LINE_CERTAINTY;
    int64_t i = 0, before = -1;
    context *row = contexts, *of_columns = contexts + rows * levels, *around = contexts + lines;
    for (int64_t row_end = columns; i < kept; i++) {
        int64_t position = positions[i];
        if (position <= before || position >= size)
            break;
        before = position;
        for (; position >= row_end; row_end += columns)
            row += levels;
        context *column = of_columns + (position - (row_end - columns)) * levels;
        uint8_t *here = near + position + distance + 1; /* 0, or 1 + sign + 2 * level */
        const int left = here[-1], above = here[-distance], other = here[-distance - 1], next = here[1 - distance];
#define SIGN(code) ((code) ? 2 - ((code) & 1) : 0)
        int pair = SIGN(left) + 3 * SIGN(above), diagonal = SIGN(other) + 3 * SIGN(next), all = pair + PAIRS * diagonal;
        context *of_sign[] = {row, column, around + pair, around + PAIRS + diagonal, around + 2 * PAIRS + all};
        int sign = decide(&c, 1, of_sign, 5, 0), rank = 0;
        context *pairs = around + 5 * ((left + 1) >> 1) + ((above + 1) >> 1);
        context *of_all = around + LEVELS + all, *of_own = around + LEVELS + SIGNS + sign;
        for (; rank < levels - 1; rank++) {
            int64_t shift = (rank + 1) * AROUND;
            context *of_level[] = {row + rank + 1, column + rank + 1, pairs + shift, of_all + shift, of_own + shift};
            if (decide(&c, 1, of_level, 5, 0))
                break;
        }
        indices[i] = table[sign ? levels + rank : rank];
        *here = (uint8_t)(1 + sign + 2 * (rank < MOST_NEAR ? rank : MOST_NEAR));
    }
    free(contexts), free(near);
    return i < kept || c.state != 1 || c.words != c.words_end;
}

#define FLOATS_RESERVE 25
#define MOST_STEPS 128

/* The codes of so many floats, of which kept are not 0; 1 where one takes too many steps, else 0. */
static inline int walk_floats(coder *c, int decodes, int64_t kept, uint16_t *codes, int64_t count)
{
    context contexts[2 + MOST_STEPS] = {{0}};
    context *of_kept[] = {contexts}, *of_sign[] = {contexts + 1};
    set_rates(c, FLOATS_RESERVE);
    for (int64_t i = 0; i < count; i++) {
        if (!(0 < kept && kept < count ? decide(c, decodes, of_kept, 1, codes[i] > 0) : kept > 0))
            continue;
        int known = codes[i] - 1, steps = 0, sign = decide(c, decodes, of_sign, 1, known & 1);
        for (; steps < MOST_STEPS; steps++) {
            context *of_step[] = {contexts + 2 + steps};
            if (decide(c, decodes, of_step, 1, steps == known >> 1))
                break;
        }
        if (steps == MOST_STEPS)
            return 1;
        codes[i] = (uint16_t)(1 + 2 * steps + sign);
    }
    return 0;
}

/* The decisions that say the codes, one after another; how many. */
int64_t dqc_encode_floats(const int16_t *squash, int64_t kept, uint16_t *codes, int64_t count, uint16_t *decisions)
{
    coder c = {.squash = squash, .decisions = decisions};
    walk_floats(&c, 0, kept, codes, count);
    return c.decisions - decisions;
}

/* 0; 1 where the stream does not end with the codes. */
int64_t dqc_decode_floats(const int16_t *squash, int64_t kept, uint16_t *codes, int64_t count, uint64_t state,
                          const uint8_t *words, int64_t words_end)
{
    coder c = {.squash = squash, .state = state, .words = words, .words_end = words + WORD_BYTES * words_end};
    return walk_floats(&c, 1, kept, codes, count) || c.state != 1 || c.words != c.words_end;
}

#define LEAST_STATE (1 << 16)
#define MASK_LANES 2
#define VALUE_LANES 4

/* Symbols into the states, the last ones first; entries (n,): frequency, and first slot above it. The words come to lie
 * at the end of words, which has room for one an entry; how many. */
int64_t dqc_push_turns(uint32_t *states, const uint32_t *entries, const uint8_t *lanes, int64_t count, uint16_t *words)
{
    int64_t at = count;
    for (int64_t i = count - 1; i >= 0; i--) {
        uint32_t x = states[lanes[i]], width = entries[i] & 0xFFFF;
        if (x >= (uint64_t)width << (32 - SLOTS_LOG)) {
            words[--at] = (uint16_t)x;
            x >>= 16;
        }
        states[lanes[i]] = (x / width << SLOTS_LOG) + x % width + (entries[i] >> 16);
    }
    return count - at;
}

/* A place in bytes; failed: something was not there. */
typedef struct {
    const uint8_t *at, *end;
    int failed;
} cursor;

static int64_t take_count(cursor *c)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 63 && c->at < c->end; shift += 7) {
        value |= (uint64_t)(*c->at & 0x7F) << shift;
        if (*c->at++ < 0x80)
            return (int64_t)value;
    }
    c->failed = 1;
    return 0;
}

static const uint8_t *take_bytes(cursor *c, int64_t length)
{
    if (c->failed || length > c->end - c->at) {
        c->failed = 1;
        return c->end;
    }
    c->at += length;
    return c->at - length;
}

static void take_nibbles(cursor *c, int count, int *values)
{
    const uint8_t *bytes = take_bytes(c, (count + 1) / 2);
    for (int i = 0; i < count && !c->failed; i++)
        values[i] = ((bytes[i / 2] >> (4 * (i & 1)) & 15) ^ 8) - 8;
}

/* The frequencies of a table, see dqc_table. */
static void take_table(cursor *c, int64_t alphabet, int64_t *frequencies)
{
    int64_t count = take_count(c), used = count >> 1, is_steps = used > alphabet;
    int64_t width = is_steps ? 3 : count & 1 ? 8 : 4;
    if ((used -= is_steps ? alphabet : 0) > alphabet || (is_steps && (count & 1)))
        c->failed = 1;
    else {
        const uint8_t *codes = take_bytes(c, ((used - is_steps) * width + 7) / 8);
        c->failed = c->failed || dqc_table(codes, used, width, alphabet, frequencies) < 0;
    }
}

/* Lanes that take turns. */
typedef struct {
    uint32_t states[VALUE_LANES];
    const uint8_t *words, *end;
    int lanes;
} turns;

static void take_turns(cursor *c, turns *stream, int lanes)
{
    const uint8_t *states = take_bytes(c, WORD_BYTES * lanes);
    if (c->failed || (c->end - c->at) % 2) {
        c->failed = 1;
        return;
    }
    memcpy(stream->states, states, (size_t)(WORD_BYTES * lanes));
    stream->words = c->at;
    stream->end = c->end;
    stream->lanes = lanes;
}

static int has_ended(const turns *stream)
{
    for (int lane = 0; lane < stream->lanes; lane++)
        if (stream->states[lane] != LEAST_STATE)
            return 0;
    return stream->words == stream->end;
}

/* A lane's state without its symbol, which has so many slots from the first on. The words are a copy of the stream's:
 * kept beside bytes that are written, the compiler would read all of it anew for each symbol. */
static inline uint32_t popped(uint32_t state, uint32_t width, uint32_t first, const uint8_t **words, const uint8_t *end)
{
    state = width * (state >> SLOTS_LOG) + (state & (SLOTS - 1)) - first;
    if (state < LEAST_STATE) {
        uint16_t word = 0;
        if (*words < end)
            memcpy(&word, *words, sizeof(word));
        *words += sizeof(word); /* beyond the end where the stream is cut */
        state = state << 16 | word;
    }
    return state;
}

#define LEAST_TILT (-32)
#define TILTS 64
#define MOST_SYMBOLS 128
#define STARTS 256 /* at least MOST_SYMBOLS + 1; a power of two for its address */

/* A table, and the first slots of its symbols where it is tilted by -32 .. 31, made when they are needed first. */
typedef struct {
    int64_t frequencies[MOST_SYMBOLS], alphabet;
    uint8_t is_made[TILTS];
    uint16_t starts[TILTS][STARTS];
} tilted;

static void make_tilted(tilted *table, int tilt)
{
    int64_t weights[MOST_SYMBOLS], start = 0;
    for (int64_t i = 0; i < table->alphabet; i++) {
        int64_t code = FIRST_CODE + i * (tilt + LEAST_TILT);
        weights[i] = table->frequencies[i] * weight_of(code < 1 ? 1 : code < LONG_CODES ? code : LONG_CODES - 1);
    }
    dqc_to_slots(weights, table->alphabet, SLOTS);
    for (int64_t i = 0; i < table->alphabet; start += weights[i++])
        table->starts[tilt][i] = (uint16_t)start;
    for (int64_t i = table->alphabet; i < table->alphabet + 4; i++)
        table->starts[tilt][i] = SLOTS;
    table->is_made[tilt] = 1;
}

/* The symbol of a slot where the table is tilted, and its slots from the first on. The tilt is less the least one. */
static inline uint32_t tilted_symbol(tilted *table, int64_t tilt, uint32_t slot, int64_t alphabet, uint32_t *first,
                                     uint32_t *width)
{
    const uint16_t *starts = table->starts[tilt];
    if (!table->is_made[tilt])
        make_tilted(table, (int)tilt);
    uint32_t symbol = (slot >= starts[1]) + (slot >= starts[2]) + (slot >= starts[3]);
    for (int64_t i = 4; i < alphabet; i += 4)
        symbol += (slot >= starts[i]) + (slot >= starts[i + 1]) + (slot >= starts[i + 2]) + (slot >= starts[i + 3]);
    *first = starts[symbol];
    *width = starts[symbol + 1] - starts[symbol];
    return symbol;
}

static inline int within(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

#define MOST_LINES 16
#define MOST_AREA 128
#define BLOCK 2048
#define SLACK 16
#define AT_ONCE 16
#define AROUND_SIGNS 4

/* Kept weights of every other kernel of a block: their places in the grid, where the tilts of their kernel begin, and
 * their indices. */
typedef struct {
    int64_t count;
    uint16_t homes[BLOCK + SLACK], tilts[BLOCK + SLACK];
    uint8_t indices[BLOCK + SLACK];
} sequence;

/* What kernel_values.py says of values. tilts: less the least one, for each number of kept weights by the levels of two
 * neighbours. The grid has for each kernel its weights, row by row, a mark around them, and a row above. */
typedef struct {
    tilted magnitudes;
    turns stream;
    int numbers[2 + AROUND_SIGNS], height, width, area, cells, codewords, block, kernels;
    uint16_t chances[SIGNS];
    uint8_t tilts[(MOST_AREA + 1) * (2 * MOST_SYMBOLS + 1)];
    sequence sequences[2];
    uint8_t counts[BLOCK], levels[6 * BLOCK];
    int8_t signs[6 * BLOCK];
} value_model;

static void take_values(cursor *c, value_model *model, const int16_t *squash, int height, int width, int codewords)
{
    memset(model->magnitudes.is_made, 0, sizeof(model->magnitudes.is_made));
    take_table(c, model->magnitudes.alphabet = (codewords + 1) / 2, model->magnitudes.frequencies);
    take_nibbles(c, 2 + AROUND_SIGNS, model->numbers);
    take_turns(c, &model->stream, VALUE_LANES);
    if (c->failed)
        return;
    while (!model->magnitudes.frequencies[model->magnitudes.alphabet - 1])
        model->magnitudes.alphabet--;
    model->height = height, model->width = width, model->codewords = codewords;
    model->area = height * width, model->cells = (height + 1) * (width + 2), model->block = BLOCK / model->area;
    model->kernels = model->sequences[0].count = model->sequences[1].count = 0;
    uint8_t *tilt = model->tilts;
    for (int kept = 0; kept <= model->area; kept++)
        for (int levels = 0; levels <= 2 * model->magnitudes.alphabet; levels++) {
            int told = (model->numbers[0] * levels + model->numbers[1] * kept) >> 2;
            *tilt++ = (uint8_t)(within(told, LEAST_TILT, LEAST_TILT + TILTS - 1) - LEAST_TILT);
        }
    uint16_t *chance = model->chances;
    const int *tells = model->numbers + 2;
    for (int next = -1; next <= 1; next++)
        for (int other = -1; other <= 1; other++)
            for (int above = -1; above <= 1; above++)
                for (int left = -1; left <= 1; left++) {
                    int told = left * tells[0] + above * tells[1] + other * tells[2] + next * tells[3];
                    *chance++ = (uint16_t)(squash[within(112 * told, -2047, 2047) + 2047] << (SLOTS_LOG - CHANCE_LOG));
                }
}

/* A sequence as it is decoded: its lanes, and what is not to be read anew for each weight. */
typedef struct {
    uint32_t of_magnitudes, of_signs;
    const uint16_t *homes, *tilts;
    uint8_t *indices;
} walker;

static walker walker_of(value_model *model, int which)
{
    sequence *own = &model->sequences[which];
    const uint32_t *states = model->stream.states + 2 * which;
    return (walker){states[0], states[1], own->homes, own->tilts, own->indices};
}

static inline void decode_value(value_model *model, walker *own, int64_t i, const uint8_t **words, const uint8_t *end,
                                int64_t wide, int64_t alphabet, uint32_t codewords)
{
    uint32_t first, width;
    int8_t *sign = model->signs + own->homes[i];
    uint8_t *level = model->levels + own->homes[i];
    int tilt = model->tilts[own->tilts[i] + level[-1] + level[-wide]];
    uint32_t magnitude = tilted_symbol(&model->magnitudes, tilt, own->of_magnitudes & (SLOTS - 1), alphabet, &first, &width);
    own->of_magnitudes = popped(own->of_magnitudes, width, first, words, end);
    int64_t seen = sign[-1] + 3 * (sign[-wide] + 3 * (sign[-wide - 1] + 3 * sign[1 - wide]));
    uint32_t chance = model->chances[SIGNS / 2 + seen], is_one = (own->of_signs & (SLOTS - 1)) < chance;
    uint32_t is_zero = is_one - 1; /* all ones, else 0: no branches, since nothing foretells signs */
    own->of_signs = popped(own->of_signs, (chance ^ is_zero) + (is_zero & (SLOTS + 1)), chance & is_zero, words, end);
    *sign = (int8_t)(is_zero | 1);
    *level = (uint8_t)(alphabet - magnitude);
    own->indices[i] = (uint8_t)((magnitude ^ ~is_zero) + (codewords & ~is_zero));
}

/* The indices of a block's weights, which are gone then; the end of them. There is room for a kernel more. */
static uint8_t *decode_block(value_model *model, uint8_t *indices)
{
    sequence *both = model->sequences;
    turns *stream = &model->stream;
    walker even = walker_of(model, 0), odd = walker_of(model, 1);
    const uint8_t *words = stream->words, *end = stream->end;
    const int64_t wide = model->width + 2, alphabet = model->magnitudes.alphabet;
    const uint32_t codewords = (uint32_t)model->codewords;
    int64_t i = 0, evens = both[0].count, odds = both[1].count;
    memset(model->signs, 0, (size_t)(model->kernels * model->cells));
    memset(model->levels, 0, (size_t)(model->kernels * model->cells));
    for (; i < evens && i < odds; i++) { /* two at once: neither waits for the other */
        decode_value(model, &even, i, &words, end, wide, alphabet, codewords);
        decode_value(model, &odd, i, &words, end, wide, alphabet, codewords);
    }
    for (int64_t k = i; k < evens; k++)
        decode_value(model, &even, k, &words, end, wide, alphabet, codewords);
    for (int64_t k = i; k < odds; k++)
        decode_value(model, &odd, k, &words, end, wide, alphabet, codewords);
    const uint8_t *of_evens = both[0].indices, *of_odds = both[1].indices;
    for (int kernel = 0; kernel < model->kernels; kernel++) {
        int64_t kept = model->counts[kernel];
        memcpy(indices, of_evens, model->area <= SLACK ? SLACK : (size_t)kept);
        indices += kept;
        const uint8_t *next = of_evens + kept; /* the other kind's turn */
        of_evens = of_odds;
        of_odds = next;
    }
    uint32_t states[] = {even.of_magnitudes, even.of_signs, odd.of_magnitudes, odd.of_signs};
    memcpy(stream->states, states, sizeof(states));
    stream->words = words;
    model->kernels = 0;
    both[0].count = both[1].count = 0;
    return indices;
}

/* The home of a weight, less that of its kernel. */
static uint8_t home_of(const value_model *model, int place)
{
    return (uint8_t)((place / model->width + 1) * (model->width + 2) + place % model->width + 1);
}

/* The next kernel, of so many kept weights at homes; there may be read and written some more. */
static inline void add_kernel(value_model *model, const uint8_t *homes, int64_t kept)
{
    sequence *own = &model->sequences[model->kernels & 1];
    uint16_t base = (uint16_t)(model->kernels * model->cells), some[AT_ONCE];
    uint16_t tilts = (uint16_t)(kept * (2 * model->magnitudes.alphabet + 1));
    for (int64_t at = 0; at == 0 || at < kept; at += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++)
            some[i] = (uint16_t)(homes[at + i] + base);
        memcpy(own->homes + own->count + at, some, sizeof(some));
        for (int i = 0; i < AT_ONCE; i++)
            some[i] = tilts;
        memcpy(own->tilts + own->count + at, some, sizeof(some));
    }
    own->count += kept;
    model->counts[model->kernels++] = (uint8_t)kept;
}

/* Indices of the weights that gap fields keep; 0, 1 where the bytes do not say them, -1 where memory is short. There is
 * room for 16 indices more. */
int64_t dqc_decode_in_kernels(const int16_t *squash, const uint8_t *values, int64_t length, const uint8_t *fields,
                              int64_t left, int64_t filler, int64_t codewords, int64_t height, int64_t width,
                              uint8_t *indices)
{
    cursor c = {.at = values, .end = values + length};
    value_model *model = malloc(sizeof(value_model));
    int64_t area = height * width, at = 0, end = 0;
    if (!model)
        return -1;
    take_values(&c, model, squash, (int)height, (int)width, (int)codewords);
    while (!c.failed && left) {
        uint8_t homes[MOST_AREA + SLACK];
        int kept = 0;
        for (end += area;; fields++, left--) { /* those of one kernel */
            for (; left && *fields == filler; fields++, left--)
                at += filler;
            if (!left || at + *fields >= end)
                break;
            at += *fields;
            homes[kept++] = home_of(model, (int)(at++ - (end - area)));
        }
        add_kernel(model, homes, kept);
        if (model->kernels == model->block || !left)
            indices = decode_block(model, indices);
    }
    int failed = c.failed || !has_ended(&model->stream);
    free(model);
    return failed;
}

#define LARGEST_KERNEL 9
#define MASKS (1 << LARGEST_KERNEL)
#define COUNTS (LARGEST_KERNEL + 1)
#define MASK_SLOTS_LOG 12

/* Of a mask (bit i is weight i) the kept weights, the dropped ones before each, how many are kept, the place after them. */
typedef struct {
    uint8_t places[LARGEST_KERNEL], gaps[LARGEST_KERNEL], kept, end;
} mask;

/* The same for any kernel: all masks, and those of each count, ascending: of a smaller kernel these are the first ones. */
typedef struct {
    mask masks[MASKS];
    uint16_t of_counts[COUNTS][MASKS / 4];
} mask_list;

static mask_list all_masks;

/* To be called before all else. */
int64_t dqc_prepare(void)
{
    int counts[COUNTS] = {0};
    memset(&all_masks, 0, sizeof(all_masks));
    for (int bits = 0; bits < MASKS; bits++) {
        mask *one = &all_masks.masks[bits];
        for (int place = 0; place < LARGEST_KERNEL; place++)
            if (bits >> place & 1) {
                one->places[one->kept] = (uint8_t)place;
                one->gaps[one->kept++] = (uint8_t)(place - one->end);
                one->end = (uint8_t)(place + 1);
            }
        all_masks.of_counts[one->kept][counts[one->kept]++] = (uint16_t)bits;
    }
    return 0;
}

/* What kernel_masks.py says of masks: of each count the slots of its masks, and who owns a slot. */
typedef struct {
    tilted counts;
    turns stream;
    int64_t columns;
    int numbers[2 + LARGEST_KERNEL + 2], area, mean, is_made[COUNTS], values[MASKS];
    uint16_t widths[COUNTS][MASKS / 4], starts[COUNTS][MASKS / 4];
    uint8_t homes[COUNTS][MASKS / 4][AT_ONCE];
    uint8_t owners[COUNTS][1 << MASK_SLOTS_LOG];
} mask_model;

static void take_masks(cursor *c, mask_model *model, int height, int width, int64_t kernels, int64_t count)
{
    memset(model->is_made, 0, sizeof(model->is_made));
    memset(model->counts.is_made, 0, sizeof(model->counts.is_made));
    model->area = height * width;
    model->mean = (int)(64 * count / kernels);
    model->columns = take_count(c);
    c->failed = c->failed || !model->columns || kernels % model->columns;
    take_nibbles(c, 2 + model->area + 2, model->numbers);
    take_table(c, model->counts.alphabet = model->area + 1, model->counts.frequencies);
    take_turns(c, &model->stream, MASK_LANES);
    const int *tells = model->numbers + 2;
    model->values[0] = 0;
    for (int place = 0; place < model->area && !c->failed; place++)
        for (int rest = 0; rest < 1 << place; rest++) {
            int told = tells[place];
            told += place % width && rest >> (place - 1) & 1 ? tells[model->area] : 0;
            told += place >= width && rest >> (place - width) & 1 ? tells[model->area + 1] : 0;
            model->values[rest | 1 << place] = model->values[rest] + told;
        }
}

static void make_count(mask_model *model, const value_model *of_kernels, int kept)
{
    const uint16_t *masks = all_masks.of_counts[kept];
    int64_t weights[MASKS / 4], count = 1, start = 0;
    int largest = INT32_MIN, shift = SLOTS_LOG - MASK_SLOTS_LOG;
    for (int i = 0; i < kept; i++)
        count = count * (model->area - i) / (i + 1);
    for (int64_t i = 0; i < count; i++)
        largest = model->values[masks[i]] > largest ? model->values[masks[i]] : largest;
    for (int64_t i = 0; i < count; i++) {
        int code = LONG_CODES - 1 + 3 * (model->values[masks[i]] - largest);
        weights[i] = weight_of(code < 1 ? 1 : code);
    }
    dqc_to_slots(weights, count, 1 << MASK_SLOTS_LOG);
    for (int64_t i = 0; i < count; start += weights[i++]) {
        model->starts[kept][i] = (uint16_t)(start << shift);
        model->widths[kept][i] = (uint16_t)(weights[i] << shift);
        memset(model->owners[kept] + start, (int)i, (size_t)weights[i]);
        for (int k = 0; k < kept; k++)
            model->homes[kept][i][k] = home_of(of_kernels, all_masks.masks[masks[i]].places[k]);
    }
    model->is_made[kept] = 1;
}

/* The masks of kernels, one after another: the gap fields and, in of_kernels, the values. See dqc_decode_kernels. */
static int64_t walk_masks(mask_model *model, value_model *of_kernels, int32_t *of_columns, int64_t kernels, int64_t count,
                          uint8_t *fields, uint8_t *indices)
{
    const uint8_t *words = model->stream.words, *end = model->stream.end;
    const int mean = model->mean, area = model->area, of_rows = model->numbers[0], by_columns = model->numbers[1];
    uint32_t of_counts = model->stream.states[0], state = model->stream.states[1], first, width;
    int64_t at = 0, pending = 0, found = 0;
    int before = mean, of_row = mean; /* the average before the kernel before, and before this one */
    for (int64_t kernel = 0, column = 0; kernel < kernels; kernel++, column++) {
        if (column == model->columns)
            column = 0, before = of_row = mean;
        int told = of_rows * (before - mean) + by_columns * (of_columns[column] - mean);
        int tilt = within(told >> 7, -16, 15) - LEAST_TILT;
        int kept = (int)tilted_symbol(&model->counts, tilt, of_counts & (SLOTS - 1), area + 1, &first, &width);
        of_counts = popped(of_counts, width, first, &words, end);
        if (!model->is_made[kept])
            make_count(model, of_kernels, kept);
        int owner = model->owners[kept][(state & (SLOTS - 1)) >> (SLOTS_LOG - MASK_SLOTS_LOG)];
        state = popped(state, model->widths[kept][owner], model->starts[kept][owner], &words, end);
        before = of_row;
        of_row += (64 * kept - of_row) >> 3;
        of_columns[column] += (64 * kept - of_columns[column]) >> 3;
        if ((found += kept) > count)
            return -2;
        const mask *one = &all_masks.masks[all_masks.of_counts[kept][owner]];
        for (; kept && pending + one->gaps[0] >= 255; pending -= 255)
            fields[at++] = 255;
        memcpy(fields + at, one->gaps, LARGEST_KERNEL);
        fields[at] = (uint8_t)(fields[at] + pending);
        at += kept;
        pending = kept ? area - one->end : pending + area;
        add_kernel(of_kernels, model->homes[kept][owner], kept);
        if (of_kernels->kernels == of_kernels->block || kernel == kernels - 1)
            indices = decode_block(of_kernels, indices);
    }
    model->stream.states[0] = of_counts, model->stream.states[1] = state, model->stream.words = words;
    return found == count && has_ended(&model->stream) && has_ended(&of_kernels->stream) ? at : -2;
}

/* The gap fields, with filler 255, of the weights that masks keep, and their indices; how many fields, -1 where memory is
 * short, -2 where the bytes do not say so. There is room for count, one for each 255 weights and 16 fields, and for 16
 * indices more. */
int64_t dqc_decode_kernels(const int16_t *squash, const uint8_t *masks, int64_t masks_length, const uint8_t *values,
                           int64_t values_length, int64_t size, int64_t count, int64_t codewords, int64_t height,
                           int64_t width, uint8_t *fields, uint8_t *indices)
{
    cursor of_masks = {.at = masks, .end = masks + masks_length}, of_values = {.at = values, .end = values + values_length};
    mask_model *model = malloc(sizeof(mask_model));
    value_model *of_kernels = malloc(sizeof(value_model));
    int32_t *of_columns = NULL;
    int64_t kernels = size / (height * width), found = -1;
    if (model && of_kernels) {
        take_masks(&of_masks, model, (int)height, (int)width, kernels, count);
        take_values(&of_values, of_kernels, squash, (int)height, (int)width, (int)codewords);
        if (of_masks.failed || of_values.failed)
            found = -2;
        else
            of_columns = malloc((size_t)model->columns * sizeof(int32_t));
    }
    for (int64_t column = 0; of_columns && column < model->columns; column++)
        of_columns[column] = model->mean;
    if (of_columns)
        found = walk_masks(model, of_kernels, of_columns, kernels, count, fields, indices);
    free(model), free(of_kernels), free(of_columns);
    return found;
}
