/* What kernel_values.py says, bit for bit, where values are decoded. */

#include "kernel_values.h"

#include <stdlib.h>

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

void dqc_take_values(cursor *c, value_model *model, int height, int width, int codewords)
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
    *of_magnitudes = refilled_often(less_symbol(*of_magnitudes, width, first), words);
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
    const uint8_t *words = words_of(&model->stream);
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
    take_words(&model->stream, words);
}

/* The indices of a block's weights, which are gone then; the end of them. There is room for a kernel more. */
static uint8_t *decode_block(value_model *model, uint8_t *indices)
{
    const cell empty = model->empty;
    const int64_t cells = model->kernels * model->cells;
    const int codewords = model->codewords;
    for (int64_t i = 0; i < cells; i++)
        model->grid[i] = empty;
    if (model->width == WIDTH_OF_MOST && model->alphabet <= 4)
        decode_sequences(model, WIDTH_OF_MOST + 2, 1);
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

uint8_t dqc_home_of(int place, int width)
{
    return (uint8_t)((place / width + 1) * (width + 2) + place % width + 1);
}

/* The indices of the kernels that were added to a block, which is empty then: see decode_block. */
uint8_t *dqc_decode_added(value_model *model, adder *block, uint8_t *indices)
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
    dqc_take_values(&c, model, (int)height, (int)width, (int)codewords);
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
            homes[kept++] = dqc_home_of((int)(at++ - (end - area)), (int)width);
        }
        add_kernel(&block, homes, kept);
        if (kernels % model->block == 0 || !left)
            indices = dqc_decode_added(model, &block, indices);
    }
    int failed = c.failed || !has_ended(&model->stream);
    free(model);
    return failed;
}
