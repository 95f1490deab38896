/* Lanes that take turns (turns.py), and rows of tilted tables. */

#pragma once

#include "cursor.h"

#include <string.h>

#define LEAST_STATE (1 << 16)
#define VALUE_LANES 4
#define TURN_BYTES 2
#define BLOCK 2048
#define WORDS_AT_ONCE (2 * BLOCK) /* a block's most: two a weight, or two a kernel */

static inline void take_nibbles(cursor *c, int count, int *values)
{
    const uint8_t *bytes = take_bytes(c, (count + 1) / 2);
    for (int i = 0; i < count && !c->failed; i++)
        values[i] = ((bytes[i / 2] >> (4 * (i & 1)) & 15) ^ 8) - 8;
}

/* Lanes that take turns. left: bytes of words, below 0 where more were taken. The tail is where the last words are
 * brought, so that zeros follow them. */
typedef struct {
    uint32_t states[VALUE_LANES];
    const uint8_t *words;
    int64_t left;
    int lanes;
    uint8_t tail[2 * WORDS_AT_ONCE * TURN_BYTES];
} turns;

static inline void take_turns(cursor *c, turns *stream, int lanes)
{
    const uint8_t *states = take_bytes(c, WORD_BYTES * lanes);
    if (c->failed || (c->end - c->at) % TURN_BYTES) {
        c->failed = 1;
        return;
    }
    memcpy(stream->states, states, (size_t)(WORD_BYTES * lanes));
    stream->words = c->at;
    stream->left = c->end - c->at;
    stream->lanes = lanes;
}

/* The words from the next one on, of which so many may be taken, there or not. */
static inline const uint8_t *words_of(turns *stream)
{
    size_t held = stream->left < 0 ? 0 : (size_t)stream->left;
    if (held >= WORDS_AT_ONCE * TURN_BYTES)
        return stream->words;
    memmove(stream->tail, stream->words, held);
    memset(stream->tail + held, 0, WORDS_AT_ONCE * TURN_BYTES);
    return stream->words = stream->tail;
}

static inline void take_words(turns *stream, const uint8_t *next)
{
    stream->left -= next - stream->words;
    stream->words = next;
}

static inline int has_ended(const turns *stream)
{
    for (int lane = 0; lane < stream->lanes; lane++)
        if (stream->states[lane] != LEAST_STATE)
            return 0;
    return !stream->left;
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
static inline void make_row(const int64_t *frequencies, int64_t alphabet, int64_t tilt, uint16_t *starts, int64_t room)
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
