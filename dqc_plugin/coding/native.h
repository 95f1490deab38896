/* What the coders' inner loops share. */

#pragma once

#include <stdint.h>

#define SLOTS_LOG 14
#define SLOTS (1 << SLOTS_LOG)
#define LONG_CODES 177
#define FIRST_CODE 89
#define WORD_BYTES 4
#define CHANCE_LOG 12
#define SIGNS 81 /* of four neighbours, each a sign or none */
#define FARTHEST 2047

extern int16_t dqc_squash[2 * FARTHEST + 1]; /* of -2047 .. 2047 */
void dqc_prepare_masks(void);

int64_t dqc_take(uint64_t *states, int64_t lanes, const int64_t *frequencies, const int64_t *alphabets,
                 const int64_t *kept, const int64_t *fillers, int64_t *lengths, int64_t tables, uint8_t *symbols,
                 int64_t room, const uint8_t *words, int64_t words_end, int64_t next, int64_t bare);
int64_t dqc_geometric(int64_t kept, int64_t size, int64_t filler, int64_t *frequencies);
int64_t dqc_place(const uint8_t *fields, const int64_t *kept, const int64_t *lengths, const int64_t *fillers,
                  const uint8_t *row_labels, int64_t rows, int64_t row_classes, const uint8_t *column_labels,
                  int64_t columns, int64_t column_classes, int64_t open, int64_t *positions);
int64_t dqc_positions(const uint8_t *fields, int64_t count, int64_t filler, int64_t *reached, int64_t *positions);
int64_t dqc_decode_signs(const int64_t *positions, int64_t kept, int64_t size, int64_t columns, int64_t distance,
                         uint8_t *signs, uint64_t state, const uint8_t *words, int64_t words_end);
int64_t dqc_to_slots(int64_t *weights, int64_t alphabet, int64_t slots);
int64_t dqc_table(const uint8_t *codes, int64_t used, int64_t width, int64_t alphabet, int64_t *frequencies);

/* Of a long code of a table. */
static inline int64_t weight_of(int64_t code)
{
    return code ? (int64_t)(8 + ((code - 1) & 7)) << ((code - 1) >> 3) : 0;
}
