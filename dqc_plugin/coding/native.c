/* The inner loops of the coders. Each does what the Python beside it says, bit for bit: rans.py (dqc_take, dqc_push),
 * frequencies.py (dqc_to_slots, dqc_table, dqc_geometric), ans_positions.py (dqc_place), gaps.py (dqc_positions,
 * dqc_gap_histogram), positions.py (dqc_octet_histogram), coders.py (dqc_scatter), signs.py with decisions.py
 * (dqc_encode_signs, dqc_push_decisions, dqc_decode_signs), neighbours.py (dqc_decode_values), and floats.py
 * (dqc_encode_floats, dqc_decode_floats). Other files are named as the Python is. */

#include "native.h"

#include <stdlib.h>
#include <string.h>

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

#define EXACT (1LL << 36) /* so far below it doubles are as good as integers, and are divided in a fraction of the time */

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
        int64_t share = weights[i] * (slots - used);
        share = sum < EXACT ? (int64_t)((double)share / (double)sum) : share / sum;
        weights[i] = (weights[i] > 0) + share;
        left -= weights[i];
    }
    weights[largest] += left;
    return 0;
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

/* How many gaps before ascending positions, and after the last, are of each length below longest (longest,); the others
 * one by one, for which there is room; how many. */
int64_t dqc_gap_histogram(const int64_t *positions, int64_t count, int64_t size, int64_t longest, int64_t *short_gaps,
                          int64_t *long_gaps)
{
    int64_t reached = 0, found = 0;
    for (int64_t i = 0; i <= count; i++) {
        int64_t at = i < count ? positions[i] : size, gap = at - reached;
        if (gap < longest)
            short_gaps[gap]++;
        else
            long_gaps[found++] = gap;
        reached = at + 1;
    }
    return found;
}

/* How often each octet (256,) occurs in a mask of so many weights with ones at ascending positions. */
int64_t dqc_octet_histogram(const int64_t *positions, int64_t count, int64_t size, int64_t *octets)
{
    int64_t at = 0, octet = 0, zeros = (size + 7) / 8;
    for (int64_t i = 0; i < count; i++) {
        if (positions[i] >> 3 != at) {
            octets[octet]++;
            zeros--;
            at = positions[i] >> 3;
            octet = 0;
        }
        octet |= (int64_t)1 << (positions[i] & 7);
    }
    octets[octet]++;
    octets[0] += zeros - 1;
    return 0;
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

#define MOST_CERTAIN 65535
#define LINE_CERTAINTY 1024
#define SIGNS_RESERVE 25
#define VALUES_RESERVE 65
#define FLOATS_RESERVE 25
#define PAIRS 9 /* of signs around */

typedef struct {
    int32_t weight, certainty;
} context;

int16_t dqc_squash[2 * FARTHEST + 1];
static int32_t sign_rates[(MOST_CERTAIN >> 5) + 1], value_rates[(MOST_CERTAIN >> 5) + 1], float_rates[(MOST_CERTAIN >> 5) + 1];

static void make_rates(int32_t *rates, int reserve)
{
    for (int certainty = 0; certainty <= MOST_CERTAIN >> 5; certainty++)
        rates[certainty] = (1 << 16) / (2 * certainty + reserve);
}

/* To be called before all else; squash: of -2047 .. 2047. */
int64_t dqc_prepare(const int16_t *squash)
{
    memcpy(dqc_squash, squash, sizeof(dqc_squash));
    make_rates(sign_rates, SIGNS_RESERVE);
    make_rates(value_rates, VALUES_RESERVE);
    make_rates(float_rates, FLOATS_RESERVE);
    dqc_prepare_masks();
    return 0;
}

typedef struct {
    const int32_t *rates;
    uint64_t state;
    const uint8_t *words, *words_end;
    uint16_t *decisions; /* of an encoder, else NULL: chance of a 1, and the bit above it */
} coder;

static inline int decide(coder *c, int decodes, context *const *contexts, int count, int bit)
{
    int32_t logit = 0;
    for (int k = 0; k < count; k++)
        logit += contexts[k]->weight;
    logit >>= 8;
    logit = logit < -FARTHEST ? -FARTHEST : logit > FARTHEST ? FARTHEST : logit;
    int32_t chance = dqc_squash[logit + FARTHEST];
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
int64_t dqc_encode_signs(const int64_t *positions, int64_t kept, int64_t size, int64_t columns,
                         int64_t distance, uint8_t *signs, uint16_t *decisions)
{
    coder c = {.rates = sign_rates, .decisions = decisions};
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
int64_t dqc_decode_signs(const int64_t *positions, int64_t kept, int64_t size, int64_t columns,
                         int64_t distance, uint8_t *signs, uint64_t state, const uint8_t *words, int64_t words_end)
{
    coder c = {.rates = sign_rates, .state = state, .words = words, .words_end = words + WORD_BYTES * words_end};
    int failed = walk_signs(&c, 1, positions, kept, size, columns, distance, signs);
    return failed ? failed : c.state != 1 || c.words != c.words_end;
}

#define LEVELS 25 /* pairs of levels around */
#define AROUND (LEVELS + SIGNS + 2) /* at least 2 * PAIRS + SIGNS */
#define MOST_NEAR 3

/* Indices of the weights at ascending positions; table: of the levels of sign 0, then of sign 1. 0; -1 where memory is
 * short, 1 where positions do not ascend below size or the stream does not end with the values. A row's contexts of all
 * questions lie together, as do a column's. */
int64_t dqc_decode_values(const int64_t *positions, int64_t kept, int64_t size, int64_t columns,
                          int64_t distance, int64_t levels, const uint8_t *table, uint8_t *indices, uint64_t state,
                          const uint8_t *words, int64_t words_end)
{
    coder c = {.rates = value_rates, .state = state, .words = words, .words_end = words + WORD_BYTES * words_end};
    int64_t rows = (size + columns - 1) / columns, lines = (rows + columns) * levels;
    context *contexts = calloc((size_t)(lines + levels * AROUND), sizeof(context));
    uint8_t *near = calloc((size_t)(size + distance + 1), 1);
    if (!contexts || !near) {
        free(contexts), free(near);
        return -1;
    }
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

#define MOST_STEPS 128

/* The codes of so many floats, of which kept are not 0; 1 where one takes too many steps, else 0. */
static inline int walk_floats(coder *c, int decodes, int64_t kept, uint16_t *codes, int64_t count)
{
    context contexts[2 + MOST_STEPS] = {{0}};
    context *of_kept[] = {contexts}, *of_sign[] = {contexts + 1};
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
int64_t dqc_encode_floats(int64_t kept, uint16_t *codes, int64_t count, uint16_t *decisions)
{
    coder c = {.rates = float_rates, .decisions = decisions};
    walk_floats(&c, 0, kept, codes, count);
    return c.decisions - decisions;
}

/* 0; 1 where the stream does not end with the codes. */
int64_t dqc_decode_floats(int64_t kept, uint16_t *codes, int64_t count, uint64_t state,
                          const uint8_t *words, int64_t words_end)
{
    coder c = {.rates = float_rates, .state = state, .words = words, .words_end = words + WORD_BYTES * words_end};
    return walk_floats(&c, 1, kept, codes, count) || c.state != 1 || c.words != c.words_end;
}
