/* The inner loops of decoding and of the values by neighbours. Each does what the Python beside it says, bit for bit:
 * rans.py (dqc_take, dqc_push), coders.py (dqc_scatter), decisions.py and neighbours.py (dqc_encode_values, dqc_decode_values). */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_LOG 14
#define SLOTS (1 << SLOTS_LOG)

/* Symbols of one table from the lanes of a stream; the place of the next word, -1 where the stream is cut. */
int64_t dqc_take(uint64_t *states, int64_t lanes, int64_t at, const int64_t *frequencies, int64_t alphabet,
                 int64_t count, uint8_t *symbols, const uint32_t *words, int64_t words_end, int64_t next, int64_t bare)
{
    static _Thread_local uint8_t owners[SLOTS];
    uint32_t starts[256];
    int64_t start = 0, lane = at % lanes, round = at / lanes % 2;
    for (int64_t symbol = 0; symbol < alphabet; symbol++) {
        memset(owners + start, (int)symbol, (size_t)frequencies[symbol]);
        starts[symbol] = (uint32_t)start;
        start += frequencies[symbol];
    }
    for (int64_t i = 0; i < count; i++) {
        uint64_t state = states[lane];
        uint32_t slot = state & (SLOTS - 1);
        uint8_t symbol = owners[slot];
        states[lane] = (uint64_t)frequencies[symbol] * (state >> SLOTS_LOG) + slot - starts[symbol];
        symbols[i] = symbol;
        if (++lane < lanes)
            continue;
        lane = 0;
        round ^= 1;
        if (round)
            continue;
        for (int64_t l = 0; l < lanes; l++) {
            if (states[l] >> 32 || (bare && next == words_end))
                continue;
            if (next == words_end)
                return -1;
            states[l] = states[l] << 32 | words[next++];
        }
    }
    return next;
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

#define SCATTER(type) \
    for (int64_t i = 0; i < count; i++) { \
        at += fields[i]; \
        if (fields[i] != filler && at < size && found < kept) \
            ((type *)weights)[at++] = ((const type *)table)[indices[found++]]; \
    }

/* Values of a table of 256 to the weights that gap fields keep; of 2, 4 or 8 bytes. How many. */
int64_t dqc_scatter(const uint8_t *fields, int64_t count, int64_t filler, const uint8_t *indices, int64_t kept,
                    const void *table, int64_t bytes, void *weights, int64_t size)
{
    int64_t at = 0, found = 0;
    if (bytes == 2)
        SCATTER(uint16_t)
    else if (bytes == 4)
        SCATTER(uint32_t)
    else
        SCATTER(uint64_t)
    return found;
}

#define CHANCE_LOG 12
#define MOST_SEEN 255
#define CONTEXTS 4
#define SIGNS_AROUND 81
#define MAGNITUDES_AROUND 25
#define MOST_NEAR 3

typedef struct {
    uint16_t chance, seen;
} counter;

typedef struct {
    const int16_t *stretch, *squash; /* of 4096 chances, and of -2047 .. 2047 */
    int decodes;
    uint64_t state;
    const uint32_t *words;
    int64_t next, words_end;
    uint16_t *decisions; /* of an encoder: chance of a 1, and the bit above it */
    int64_t decided;
    int32_t rates[MOST_SEEN + 1];
} coder;

static int decide(coder *c, int64_t *weights, counter **counters, int contexts, int bit)
{
    int64_t inputs[CONTEXTS], sum = 0;
    for (int k = 0; k < contexts; k++) {
        inputs[k] = c->stretch[counters[k]->chance >> 4];
        sum += weights[k] * inputs[k];
    }
    sum >>= 16;
    sum = sum < -2047 ? -2047 : sum > 2047 ? 2047 : sum;
    int64_t chance = c->squash[sum + 2047];
    if (c->decodes) {
        uint64_t slot = c->state & ((1 << CHANCE_LOG) - 1);
        bit = slot < (uint64_t)chance;
        c->state = bit ? (uint64_t)chance * (c->state >> CHANCE_LOG) + slot
                       : (uint64_t)(4096 - chance) * (c->state >> CHANCE_LOG) + slot - (uint64_t)chance;
        if (!(c->state >> 32) && c->next < c->words_end)
            c->state = c->state << 32 | c->words[c->next++];
    } else
        c->decisions[c->decided++] = (uint16_t)(chance | bit << 15);
    int64_t error = ((bit << CHANCE_LOG) - chance) * 14;
    for (int k = 0; k < contexts; k++) {
        counter *seen = counters[k];
        weights[k] += (inputs[k] * error + 32768) >> 16;
        seen->chance += (uint16_t)((int64_t)((bit ? 65535 : 0) - seen->chance) * c->rates[seen->seen] >> 16);
        seen->seen += seen->seen < MOST_SEEN;
    }
    return bit;
}

/* Signs and magnitudes of the weights at ascending positions; 0, 1 where they do not ascend below size, -1 where memory
 * is short. */
static int walk(coder *c, const int64_t *positions, int64_t kept, int64_t size, int64_t columns, int64_t distance,
                int64_t levels, uint8_t *signs, uint8_t *magnitudes)
{
    int64_t rows = (size + columns - 1) / columns, lines = rows + columns;
    int64_t of_signs = lines + SIGNS_AROUND, of_level = lines + MAGNITUDES_AROUND + SIGNS_AROUND;
    int64_t all = of_signs + (levels - 1) * of_level;
    counter *counters = malloc((size_t)all * sizeof(counter));
    int64_t *weights = malloc((size_t)(levels * CONTEXTS) * sizeof(int64_t));
    uint8_t *near = calloc((size_t)(size + distance + 1), 1);
    if (!counters || !weights || !near) {
        free(counters), free(weights), free(near);
        return -1;
    }
    for (int seen = 0; seen <= MOST_SEEN; seen++)
        c->rates[seen] = 131072 / (2 * seen + 3);
    for (int64_t i = 0; i < all; i++)
        counters[i] = (counter){32768, 0};
    for (int64_t i = 0; i < levels * CONTEXTS; i++)
        weights[i] = 19661;
    int64_t i = 0;
    for (int64_t row = 0, row_end = columns; i < kept; i++) {
        int64_t position = positions[i];
        if (position < (i ? positions[i - 1] + 1 : 0) || position >= size)
            break;
        for (; position >= row_end; row_end += columns)
            row++;
        int64_t column = rows + position - (row_end - columns);
        uint8_t *here = near + position + distance + 1; /* 0, or 1 + sign + 2 * magnitude */
        const uint8_t left = here[-1], above = here[-distance];
        const uint8_t around[4] = {left, above, here[-distance - 1], here[1 - distance]};
        int64_t signs_around = 0, power = 1, magnitudes_around;
        for (int k = 0; k < 4; k++, power *= 3)
            signs_around += power * (around[k] ? 1 + ((around[k] - 1) & 1) : 0);
        magnitudes_around = 5 * (left ? 1 + ((left - 1) >> 1) : 0) + (above ? 1 + ((above - 1) >> 1) : 0);
        counter *of_sign[CONTEXTS] = {counters + row, counters + column, counters + lines + signs_around};
        int sign = decide(c, weights, of_sign, 3, signs[i]);
        int64_t magnitude = 0;
        for (; magnitude < levels - 1; magnitude++) {
            counter *base = counters + of_signs + magnitude * of_level;
            counter *of_magnitude[CONTEXTS] = {base + row, base + column, base + lines + magnitudes_around,
                                               base + lines + MAGNITUDES_AROUND + signs_around};
            if (decide(c, weights + CONTEXTS * (magnitude + 1), of_magnitude, 4, magnitudes[i] == magnitude))
                break;
        }
        signs[i] = (uint8_t)sign;
        magnitudes[i] = (uint8_t)magnitude;
        *here = (uint8_t)(1 + sign + 2 * (magnitude < MOST_NEAR ? magnitude : MOST_NEAR));
    }
    free(counters), free(weights), free(near);
    return i < kept;
}

/* The decisions that say so, one after another; how many, -1 where memory is short. */
int64_t dqc_encode_values(const int16_t *stretch, const int16_t *squash, const int64_t *positions, int64_t kept,
                          int64_t size, int64_t columns, int64_t distance, int64_t levels, uint8_t *signs,
                          uint8_t *magnitudes, uint16_t *decisions)
{
    coder c = {.stretch = stretch, .squash = squash, .decisions = decisions};
    return walk(&c, positions, kept, size, columns, distance, levels, signs, magnitudes) ? -1 : c.decided;
}

/* Words of the stream of decisions, the last one first, into words; how many. The state is left in *state. */
int64_t dqc_push_decisions(const uint16_t *decisions, int64_t decided, uint32_t *words, uint64_t *state)
{
    uint64_t x = 1;
    int64_t written = 0;
    for (int64_t i = decided - 1; i >= 0; i--) {
        uint64_t chance = decisions[i] & 0x7FFF, bit = decisions[i] >> 15;
        uint64_t width = bit ? chance : 4096 - chance;
        if (x >= width << 52) {
            words[written++] = (uint32_t)x;
            x >>= 32;
        }
        x = (x / width << CHANCE_LOG) + x % width + (bit ? 0 : chance);
    }
    *state = x;
    return written;
}

/* 0; -1 where memory is short, 1 where the stream does not end with the values. */
int64_t dqc_decode_values(const int16_t *stretch, const int16_t *squash, const int64_t *positions, int64_t kept,
                          int64_t size, int64_t columns, int64_t distance, int64_t levels, uint8_t *signs,
                          uint8_t *magnitudes, uint64_t state, const uint32_t *words, int64_t words_end)
{
    coder c = {.stretch = stretch, .squash = squash, .decodes = 1, .state = state, .words = words, .words_end = words_end};
    int failed = walk(&c, positions, kept, size, columns, distance, levels, signs, magnitudes);
    return failed ? failed : c.state != 1 || c.next != words_end;
}
