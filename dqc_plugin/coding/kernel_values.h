/* A block of kernels that are decoded at once: what kernel_values.c knows of values, and kernel_masks.c adds to. */

#pragma once

#include "turns.h"

#define MOST_LINES 16
#define MOST_AREA 128
#define SLACK 16
#define AT_ONCE 8
#define AROUND_SIGNS 4
#define WIDTH_OF_MOST 3 /* kernels: for these more is known beforehand */
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

/* Where the next kernel of a block comes to lie: its sequence, and the other one, whose turn is after it. tilts: how much
 * farther these begin for each kept weight. */
typedef struct {
    uint32_t *homes, *other, base, cells, tilts;
    uint8_t *counts;
} adder;

static inline adder new_block(value_model *model)
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

void dqc_take_values(cursor *c, value_model *model, int height, int width, int codewords);
uint8_t *dqc_decode_added(value_model *model, adder *block, uint8_t *indices);
uint8_t dqc_home_of(int place, int width); /* of a weight in the grid, less that of its kernel */
