/* Reading binary fields one after another, never past their end: what cursor.py is to Python. */

#pragma once

#include "native.h"

/* A place in bytes; failed: something was not there. */
typedef struct {
    const uint8_t *at, *end;
    int failed;
} cursor;

static inline int64_t take_count(cursor *c)
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

static inline const uint8_t *take_bytes(cursor *c, int64_t length)
{
    if (c->failed || length > c->end - c->at) {
        c->failed = 1;
        return c->end;
    }
    c->at += length;
    return c->at - length;
}

static inline int take_byte(cursor *c)
{
    const uint8_t *byte = take_bytes(c, 1);
    return c->failed ? 0 : *byte;
}

/* The frequencies of a table, see dqc_table. */
static inline void take_table(cursor *c, int64_t alphabet, int64_t *frequencies)
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
