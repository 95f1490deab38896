/* What turns.py says, bit for bit, where symbols are encoded. */

#include "native.h"

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
