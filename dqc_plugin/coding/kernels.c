/* The inner loops of kernels.py. Each does what the Python beside it says, bit for bit: turns.py (dqc_push_turns), and
 * kernel_masks.py and kernel_values.py together (dqc_prepare, dqc_decode_kernels, dqc_decode_in_kernels). */

#include "native.h"

#include <stdlib.h>
#include <string.h>

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
