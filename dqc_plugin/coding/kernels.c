/* The inner loops of kernels.py. Each does what the Python beside it says, bit for bit: turns.py (dqc_push_turns), and
 * kernel_masks.py and kernel_values.py together (dqc_decode_kernels, dqc_decode_in_kernels). */

#include "cursor.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_STATE (1 << 16)
#define MASK_LANES 2
#define VALUE_LANES 4
#define TURN_BYTES 2
#define BLOCK 2048
#define WORDS_AT_ONCE (2 * BLOCK) /* a block's most: two a weight, or two a kernel */

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

static void take_nibbles(cursor *c, int count, int *values)
{
    const uint8_t *bytes = take_bytes(c, (count + 1) / 2);
    for (int i = 0; i < count && !c->failed; i++)
        values[i] = ((bytes[i / 2] >> (4 * (i & 1)) & 15) ^ 8) - 8;
}

/* Lanes that take turns. The tail is where the last words are brought, so that zeros follow them. */
typedef struct {
    uint32_t states[VALUE_LANES];
    const uint8_t *words, *end;
    int lanes, is_cut;
    uint8_t tail[2 * WORDS_AT_ONCE * TURN_BYTES];
} turns;

static void take_turns(cursor *c, turns *stream, int lanes)
{
    const uint8_t *states = take_bytes(c, WORD_BYTES * lanes);
    if (c->failed || (c->end - c->at) % TURN_BYTES) {
        c->failed = 1;
        return;
    }
    memcpy(stream->states, states, (size_t)(WORD_BYTES * lanes));
    stream->words = c->at;
    stream->end = c->end;
    stream->lanes = lanes;
    stream->is_cut = 0;
}

/* So many words may be taken after this, there or not. */
static void allow_words(turns *stream)
{
    int64_t left = stream->end - stream->words;
    if (left >= WORDS_AT_ONCE * TURN_BYTES)
        return;
    stream->is_cut |= left < 0;
    left = left < 0 ? 0 : left;
    memmove(stream->tail, stream->words, (size_t)left);
    memset(stream->tail + left, 0, WORDS_AT_ONCE * TURN_BYTES);
    stream->words = stream->tail;
    stream->end = stream->tail + left;
}

static int has_ended(const turns *stream)
{
    for (int lane = 0; lane < stream->lanes; lane++)
        if (stream->states[lane] != LEAST_STATE)
            return 0;
    return stream->words == stream->end && !stream->is_cut;
}

/* A state with the next word where it is too small. The words are a copy of the stream's: kept beside bytes that are
 * written, the compiler would read them anew each time. A processor foretells that no word is taken, as mostly none is,
 * and so need not wait for one lane to go on with the next. */
static inline uint32_t refilled(uint32_t state, const uint8_t **words)
{
    if (state < LEAST_STATE) {
        uint16_t word;
        memcpy(&word, *words, sizeof(word));
        *words += TURN_BYTES;
        state = state << 16 | word;
    }
    return state;
}

/* The same for lanes that take words often: without a branch, which the processor would foretell badly. */
static inline uint32_t refilled_often(uint32_t state, const uint8_t **words)
{
    uint16_t word;
    uint32_t is_low = state < LEAST_STATE;
    memcpy(&word, *words, sizeof(word));
    *words += is_low * TURN_BYTES;
    return state << (16 * is_low) | (word & -is_low);
}

/* A state without its symbol, which has so many slots from the first on. */
static inline uint32_t less_symbol(uint32_t state, uint32_t width, uint32_t first)
{
    return width * (state >> SLOTS_LOG) + (state & (SLOTS - 1)) - first;
}

#define LEAST_TILT (-32)
#define TILTS 64
#define MOST_SYMBOLS 128
#define ROW_PAD 4

/* The first slots of a table's symbols where it is tilted, then SLOTS. */
static void make_row(const int64_t *frequencies, int64_t alphabet, int64_t tilt, uint16_t *starts, int64_t room)
{
    int64_t weights[MOST_SYMBOLS], start = 0;
    for (int64_t i = 0; i < alphabet; i++) {
        int64_t code = FIRST_CODE + i * tilt;
        weights[i] = frequencies[i] * weight_of(code < 1 ? 1 : code < LONG_CODES ? code : LONG_CODES - 1);
    }
    dqc_to_slots(weights, alphabet, SLOTS);
    for (int64_t i = 0; i < alphabet; start += weights[i++])
        starts[i] = (uint16_t)start;
    for (int64_t i = alphabet; i < room; i++)
        starts[i] = SLOTS;
}

static inline int within(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

#define MOST_LINES 16
#define MOST_AREA 128
#define SLACK 16
#define AT_ONCE 8
#define AROUND_SIGNS 4
#define NO_SIGN 1 /* and 0 and 2 for the others: digits of base 3 */

/* A weight of a grid. A dropped one, or a mark around a kernel, has a magnitude of the alphabet's length. */
typedef struct {
    uint8_t sign, magnitude;
} cell;

/* Kept weights of every other kernel of a block: their cells, where the tilts of their kernel begin above these, and
 * their magnitudes, those of sign 1 inverted. */
typedef struct {
    int64_t count;
    uint32_t homes[BLOCK + SLACK];
    uint8_t values[BLOCK + SLACK];
} sequence;

/* What kernel_values.py says of values. rows: of the table of magnitudes, tilted; tilts: where in these, for each number
 * of kept weights by the magnitudes of two neighbours. The grid has for each kernel its weights, row by row, a mark
 * around them, and a row above. */
typedef struct {
    turns stream;
    int64_t alphabet, kernels;
    int area, cells, width, codewords, block;
    uint16_t chances[SIGNS];
    uint16_t tilts[(MOST_AREA + 1) * (2 * MOST_SYMBOLS + 1)];
    uint16_t rows[TILTS * (MOST_SYMBOLS + ROW_PAD)];
    sequence sequences[2];
    uint8_t counts[BLOCK];
    cell empty, grid[6 * BLOCK];
} value_model;

static void make_tilts(value_model *model, const int64_t *frequencies, int by_levels, int by_kept)
{
    uint8_t is_made[TILTS] = {0};
    uint16_t *tilts = model->tilts;
    int64_t room = model->alphabet + ROW_PAD;
    for (int kept = 0; kept <= model->area; kept++)
        for (int64_t levels = 2 * model->alphabet; levels >= 0; levels--) {
            int told = within(((int)levels * by_levels + by_kept * kept) >> 2, LEAST_TILT, LEAST_TILT + TILTS - 1);
            int row = told - LEAST_TILT;
            *tilts++ = (uint16_t)(row * room);
            if (!is_made[row])
                make_row(frequencies, model->alphabet, told, model->rows + row * room, room);
            is_made[row] = 1;
        }
}

static void make_chances(value_model *model, const int *tells)
{
    uint16_t *chance = model->chances;
    for (int next = -1; next <= 1; next++)
        for (int other = -1; other <= 1; other++)
            for (int above = -1; above <= 1; above++)
                for (int left = -1; left <= 1; left++) {
                    int told = 112 * (left * tells[0] + above * tells[1] + other * tells[2] + next * tells[3]);
                    int squashed = dqc_squash[within(told, -FARTHEST, FARTHEST) + FARTHEST];
                    *chance++ = (uint16_t)(squashed << (SLOTS_LOG - CHANCE_LOG));
                }
}

static void take_values(cursor *c, value_model *model, int height, int width, int codewords)
{
    int numbers[2 + AROUND_SIGNS];
    int64_t frequencies[MOST_SYMBOLS];
    take_table(c, model->alphabet = (codewords + 1) / 2, frequencies);
    take_nibbles(c, 2 + AROUND_SIGNS, numbers);
    take_turns(c, &model->stream, VALUE_LANES);
    if (c->failed)
        return;
    while (!frequencies[model->alphabet - 1])
        model->alphabet--;
    model->width = width, model->codewords = codewords;
    model->area = height * width, model->cells = (height + 1) * (width + 2), model->block = BLOCK / model->area;
    model->empty = (cell){NO_SIGN, (uint8_t)model->alphabet};
    make_tilts(model, frequencies, numbers[0], numbers[1]);
    make_chances(model, numbers + 2);
}

/* A block's weight of one of the sequences. The width of the grid and whether there are at most 4 magnitudes may be known
 * to the compiler. */
static inline void decode_value(value_model *model, int which, int64_t i, uint32_t *states, const uint8_t **words,
                                int64_t wide, int is_short)
{
    sequence *own = &model->sequences[which];
    uint32_t *of_magnitudes = states + 2 * which, *of_signs = of_magnitudes + 1;
    uint32_t home = own->homes[i], slot = *of_magnitudes & (SLOTS - 1);
    cell *here = model->grid + (home & 0xFFFF);
    const cell *left = here - 1, *above = here - wide;
    const uint16_t *starts = model->rows + model->tilts[(home >> 16) + left->magnitude + above->magnitude];
    uint32_t magnitude = (slot >= starts[1]) + (slot >= starts[2]) + (slot >= starts[3]);
    for (int64_t k = 4; !is_short && k < model->alphabet; k += 4)
        magnitude += (slot >= starts[k]) + (slot >= starts[k + 1]) + (slot >= starts[k + 2]) + (slot >= starts[k + 3]);
    uint32_t first = starts[magnitude], width = starts[magnitude + 1] - first;
    *of_magnitudes = refilled(less_symbol(*of_magnitudes, width, first), words);
    uint32_t chance = model->chances[left->sign + 3 * (above->sign + 3 * (above[-1].sign + 3 * above[1].sign))];
    uint32_t of_ones = chance * (*of_signs >> SLOTS_LOG), of_rest = *of_signs & (SLOTS - 1), is_one = of_rest < chance;
    uint32_t one = of_ones + of_rest, zero = *of_signs - of_ones - chance, mask = -is_one;
    *of_signs = refilled(zero ^ ((zero ^ one) & mask), words); /* no branch, since nothing foretells signs */
    here->sign = (uint8_t)(2 * is_one);
    here->magnitude = (uint8_t)magnitude;
    own->values[i] = (uint8_t)(magnitude ^ mask);
}

static inline void decode_sequences(value_model *model, int64_t wide, int is_short)
{
    const int64_t evens = model->sequences[0].count, odds = model->sequences[1].count, both = evens < odds ? evens : odds;
    const uint8_t *words = model->stream.words;
    uint32_t states[VALUE_LANES];
    memcpy(states, model->stream.states, sizeof(states));
    for (int64_t i = 0; i < both; i++) { /* two at once: neither waits for the other */
        decode_value(model, 0, i, states, &words, wide, is_short);
        decode_value(model, 1, i, states, &words, wide, is_short);
    }
    for (int64_t i = both; i < evens; i++)
        decode_value(model, 0, i, states, &words, wide, is_short);
    for (int64_t i = both; i < odds; i++)
        decode_value(model, 1, i, states, &words, wide, is_short);
    memcpy(model->stream.states, states, sizeof(states));
    model->stream.words = words;
}

/* The indices of a block's weights, which are gone then; the end of them. There is room for a kernel more. */
static uint8_t *decode_block(value_model *model, uint8_t *indices)
{
    const cell empty = model->empty;
    const int64_t cells = model->kernels * model->cells;
    const int codewords = model->codewords;
    allow_words(&model->stream);
    for (int64_t i = 0; i < cells; i++)
        model->grid[i] = empty;
    if (model->width == 3 && model->alphabet <= 4)
        decode_sequences(model, 5, 1);
    else
        decode_sequences(model, model->width + 2, 0);
    uint8_t *to = indices;
    const uint8_t *next = model->sequences[0].values, *other = model->sequences[1].values;
    for (int kernel = 0; kernel < model->kernels; kernel++) { /* the two take turns */
        int64_t kept = model->counts[kernel];
        const uint8_t *end = next + kept;
        memcpy(to, next, model->area <= SLACK ? SLACK : (size_t)kept);
        to += kept;
        next = other;
        other = end;
    }
    for (; indices < to; indices++) /* the sign is the highest bit */
        *indices = (uint8_t)(*indices + (codewords & -(*indices >> 7)));
    return to;
}

/* The home of a weight, less that of its kernel. */
static uint8_t home_of(const value_model *model, int place)
{
    return (uint8_t)((place / model->width + 1) * (model->width + 2) + place % model->width + 1);
}

/* Where the next kernel of a block comes to lie: its sequence, and the other one, whose turn is after it. tilts: how much
 * farther these begin for each kept weight. */
typedef struct {
    uint32_t *homes, *other, base, cells, tilts;
    uint8_t *counts;
} adder;

static adder new_block(value_model *model)
{
    uint32_t tilts = (uint32_t)(2 * model->alphabet + 1) << 16;
    return (adder){model->sequences[0].homes, model->sequences[1].homes, 0, (uint32_t)model->cells, tilts, model->counts};
}

static inline void put_homes(uint32_t *restrict to, const uint8_t *homes, uint32_t base)
{
#pragma GCC unroll 1 /* else the compiler sees no vector in it */
    for (int i = 0; i < AT_ONCE; i++)
        to[i] = homes[i] + base;
}

/* The next kernel, of so many kept weights at homes; there may be read and written some more. */
static inline void add_kernel(adder *block, const uint8_t *homes, int64_t kept)
{
    uint32_t base = block->base + block->tilts * (uint32_t)kept, *to = block->homes;
    put_homes(to, homes, base);
    for (int64_t at = AT_ONCE; at < kept; at += AT_ONCE)
        put_homes(to + at, homes + at, base);
    *block->counts++ = (uint8_t)kept;
    block->base += block->cells;
    block->homes = block->other;
    block->other = to + kept;
}

static uint8_t *decode_added(value_model *model, adder *block, uint8_t *indices)
{
    model->kernels = block->counts - model->counts;
    uint32_t *of_evens = model->kernels % 2 ? block->other : block->homes;
    uint32_t *of_odds = model->kernels % 2 ? block->homes : block->other;
    model->sequences[0].count = of_evens - model->sequences[0].homes;
    model->sequences[1].count = of_odds - model->sequences[1].homes;
    *block = new_block(model);
    return decode_block(model, indices);
}

/* Indices of the weights that gap fields keep; 0, 1 where the bytes do not say them, -1 where memory is short. There is
 * room for 16 indices more. */
int64_t dqc_decode_in_kernels(const uint8_t *values, int64_t length, const uint8_t *fields,
                              int64_t left, int64_t filler, int64_t codewords, int64_t height, int64_t width,
                              uint8_t *indices)
{
    cursor c = {.at = values, .end = values + length};
    value_model *model = malloc(sizeof(value_model));
    int64_t area = height * width, at = 0, end = 0;
    if (!model)
        return -1;
    take_values(&c, model, (int)height, (int)width, (int)codewords);
    adder block = new_block(model);
    for (int64_t kernels = 1; !c.failed && left; kernels++) {
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
        add_kernel(&block, homes, kept);
        if (kernels % model->block == 0 || !left)
            indices = decode_added(model, &block, indices);
    }
    int failed = c.failed || !has_ended(&model->stream);
    free(model);
    return failed;
}

#define LARGEST_KERNEL 9
#define MASKS (1 << LARGEST_KERNEL)
#define COUNTS (LARGEST_KERNEL + 1)
#define MASK_SLOTS_LOG 12

/* Of a mask (bit i is weight i) how many weights it keeps, which, the dropped ones before each, and the place after them. */
typedef struct {
    uint8_t places[LARGEST_KERNEL], gaps[LARGEST_KERNEL], kept, end;
} mask;

/* The same for any kernel: all masks, and those of each count, ascending: of a smaller kernel these are the first ones. */
typedef struct {
    mask masks[MASKS];
    uint16_t of_counts[COUNTS][MASKS / 4];
} mask_list;

static mask_list all_masks;

void dqc_prepare_masks(void)
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
}

/* All that a decoder needs of a mask, in half a line of the cache: its slots, and what it keeps. */
typedef struct {
    uint16_t width, first;
    uint8_t homes[2 * AT_ONCE - 4], gaps[LARGEST_KERNEL], end, rest[6];
} told_mask;

#define COUNT_TILTS 32
#define COUNT_ROW 16 /* at least COUNTS + ROW_PAD */

/* What kernel_masks.py says of masks. rows: of the table of counts, tilted by -16 .. 15, made when they are needed first;
 * of each count its masks, NULL before they are needed, and who owns a slot. */
typedef struct {
    turns stream;
    int64_t columns, frequencies[COUNTS];
    int numbers[2 + LARGEST_KERNEL + 2], area, mean, values[MASKS];
    uint8_t homes[LARGEST_KERNEL], is_made[COUNT_TILTS];
    uint16_t rows[COUNT_TILTS][COUNT_ROW];
    told_mask *of_counts[COUNTS], masks[MASKS], *free;
    uint8_t owners[COUNTS][1 << MASK_SLOTS_LOG];
} mask_model;

static void take_masks(cursor *c, mask_model *model, int height, int width, int64_t kernels, int64_t count)
{
    memset(model->is_made, 0, sizeof(model->is_made));
    memset(model->of_counts, 0, sizeof(model->of_counts));
    model->free = model->masks;
    model->area = height * width;
    model->mean = (int)(64 * count / kernels);
    model->columns = take_count(c);
    c->failed = c->failed || !model->columns || kernels % model->columns;
    take_nibbles(c, 2 + model->area + 2, model->numbers);
    take_table(c, model->area + 1, model->frequencies);
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

static void make_count(mask_model *model, int kept)
{
    const uint16_t *masks = all_masks.of_counts[kept];
    told_mask *to = model->of_counts[kept] = model->free;
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
    for (int64_t i = 0; i < count; start += weights[i++], to++) {
        const mask *one = &all_masks.masks[masks[i]];
        to->first = (uint16_t)(start << shift);
        to->width = (uint16_t)(weights[i] << shift);
        memset(model->owners[kept] + start, (int)i, (size_t)weights[i]);
        for (int k = 0; k < LARGEST_KERNEL; k++)
            to->homes[k] = model->homes[one->places[k]];
        memcpy(to->gaps, one->gaps, sizeof(to->gaps));
        to->end = one->end;
    }
    model->free = to;
}

/* How many weights of a kernel are kept, by a row of the table of counts, which is tilted. */
static inline int count_of(mask_model *model, int tilt, uint32_t slot, uint32_t *first, uint32_t *width)
{
    uint16_t *starts = model->rows[tilt];
    if (!model->is_made[tilt]) {
        make_row(model->frequencies, model->area + 1, tilt - COUNT_TILTS / 2, starts, COUNT_ROW);
        model->is_made[tilt] = 1;
    }
    int kept = (slot >= starts[1]) + (slot >= starts[2]) + (slot >= starts[3]);
    int more = (slot >= starts[4]) + (slot >= starts[5]) + (slot >= starts[6]);
    kept += more + ((slot >= starts[7]) + (slot >= starts[8]) + (slot >= starts[9]));
    *first = starts[kept];
    *width = starts[kept + 1] - starts[kept];
    return kept;
}

/* The masks of kernels, one after another: the gap fields and, in of_kernels, the values. See dqc_decode_kernels. */
static int64_t walk_masks(mask_model *model, value_model *of_kernels, int32_t *of_columns, int64_t kernels, int64_t count,
                          uint8_t *fields, uint8_t *indices)
{
    const int mean = model->mean, area = model->area, of_rows = model->numbers[0], by_columns = model->numbers[1];
    const int64_t columns = model->columns, of_block = of_kernels->block;
    uint32_t of_counts = model->stream.states[0], state = model->stream.states[1], first, width;
    int64_t pending = 0, found = 0, column = 0;
    int before = mean, of_row = mean; /* the average before the kernel before, and before this one */
    const uint8_t *first_field = fields;
    adder block = new_block(of_kernels);
    for (int64_t kernel = 0; kernel < kernels && found <= count;) {
        allow_words(&model->stream);
        const uint8_t *words = model->stream.words;
        for (int64_t end = kernels - kernel < of_block ? kernels : kernel + of_block; kernel < end; kernel++, column++) {
            if (column == columns)
                column = 0, before = of_row = mean;
            int told = of_rows * (before - mean) + by_columns * (of_columns[column] - mean);
            int kept = count_of(model, within(told >> 7, -16, 15) + 16, of_counts & (SLOTS - 1), &first, &width);
            of_counts = refilled(less_symbol(of_counts, width, first), &words);
            if (!model->of_counts[kept])
                make_count(model, kept);
            int owner = model->owners[kept][(state & (SLOTS - 1)) >> (SLOTS_LOG - MASK_SLOTS_LOG)];
            const told_mask *one = model->of_counts[kept] + owner;
            state = refilled_often(less_symbol(state, one->width, one->first), &words);
            before = of_row;
            of_row += (64 * kept - of_row) >> 3;
            of_columns[column] += (64 * kept - of_columns[column]) >> 3;
            for (; pending + one->gaps[0] >= 255; pending -= 255)
                *fields++ = 255;
            memcpy(fields, one->gaps, LARGEST_KERNEL);
            *fields = (uint8_t)(one->gaps[0] + pending);
            fields += kept;
            found += kept;
            pending = area - one->end + (kept ? 0 : pending);
            add_kernel(&block, one->homes, kept);
        }
        model->stream.words = words;
        if (found <= count)
            indices = decode_added(of_kernels, &block, indices);
    }
    model->stream.states[0] = of_counts, model->stream.states[1] = state;
    return found == count && has_ended(&model->stream) && has_ended(&of_kernels->stream) ? fields - first_field : -2;
}

/* The gap fields, with filler 255, of the weights that masks keep, and their indices; how many fields, -1 where memory is
 * short, -2 where the bytes do not say so. The positions have a sound head, for masks. There is room for count, one for
 * each 255 weights and 2064 fields, and for 16 indices more. */
int64_t dqc_decode_kernels(const uint8_t *positions, int64_t positions_length, const uint8_t *values,
                           int64_t values_length, int64_t size, int64_t count, int64_t codewords, uint8_t *fields,
                           uint8_t *indices)
{
    const int64_t height = (positions[1] & 15) + 1, width = (positions[1] >> 4) + 1;
    cursor of_masks = {.at = positions + 2, .end = positions + positions_length};
    cursor of_values = {.at = values, .end = values + values_length};
    mask_model *model = malloc(sizeof(mask_model));
    value_model *of_kernels = malloc(sizeof(value_model));
    int32_t *of_columns = NULL;
    int64_t kernels = size / (height * width), found = -1;
    if (model && of_kernels) {
        take_masks(&of_masks, model, (int)height, (int)width, kernels, count);
        take_values(&of_values, of_kernels, (int)height, (int)width, (int)codewords);
        for (int place = 0; place < model->area && !of_values.failed; place++)
            model->homes[place] = home_of(of_kernels, place);
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
