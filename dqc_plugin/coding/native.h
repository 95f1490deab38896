/* What the coders' inner loops share. */

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

int64_t dqc_to_slots(int64_t *weights, int64_t alphabet, int64_t slots);
int64_t dqc_table(const uint8_t *codes, int64_t used, int64_t width, int64_t alphabet, int64_t *frequencies);

/* Of a long code of a table. */
static inline int64_t weight_of(int64_t code)
{
    return code ? (int64_t)(8 + ((code - 1) & 7)) << ((code - 1) >> 3) : 0;
}
