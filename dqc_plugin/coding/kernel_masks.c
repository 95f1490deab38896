/* What kernel_masks.py says, bit for bit, where masks are decoded, and with them the values of their kernels. */

#include "kernel_values.h"

#include <stdlib.h>

#define MASK_LANES 2
#define LARGEST_KERNEL 9
#define MASKS (1 << LARGEST_KERNEL)
#define COUNTS (LARGEST_KERNEL + 1)
#define MASK_SLOTS_LOG 12

/* All that a decoder needs of a mask (bit i is weight i), in half a line of the cache: its slots; of the weights that it
 * keeps the homes and the dropped ones before each; and the place after them. */
typedef struct {
    uint16_t width, first;
    uint8_t homes[2 * AT_ONCE - 4], gaps[LARGEST_KERNEL], end, rest[6];
} told_mask;

/* The same for any kernel: the masks of each count, ascending: of a smaller kernel these are the first ones. And what is
 * kept of kernels as wide as most; slots are of a tensor. */
static uint16_t masks_of_counts[COUNTS][MASKS / 4];
static told_mask masks_of_most[MASKS];

static int fill_mask(told_mask *to, int bits, int width)
{
    int kept = 0;
    *to = (told_mask){.end = 0};
    for (int place = 0; bits >> place; place++)
        if (bits >> place & 1) {
            to->homes[kept] = dqc_home_of(place, width);
            to->gaps[kept++] = (uint8_t)(place - to->end);
            to->end = (uint8_t)(place + 1);
        }
    return kept;
}

void dqc_prepare_masks(void)
{
    int counts[COUNTS] = {0};
    for (int bits = 0; bits < MASKS; bits++) {
        int kept = fill_mask(&masks_of_most[bits], bits, WIDTH_OF_MOST);
        masks_of_counts[kept][counts[kept]++] = (uint16_t)bits;
    }
}

#define COUNT_TILTS 32
#define COUNT_ROW 16 /* at least COUNTS + ROW_PAD */

/* What kernel_masks.py says of masks. rows: of the table of counts, tilted by -16 .. 15, made when they are needed first;
 * of each count its masks, NULL before they are needed, and who owns a slot. */
typedef struct {
    turns stream;
    int64_t columns, frequencies[COUNTS];
    int numbers[2 + LARGEST_KERNEL + 2], area, mean, values[MASKS];
    uint8_t is_made[COUNT_TILTS];
    uint16_t rows[COUNT_TILTS][COUNT_ROW];
    const told_mask *all_masks;
    told_mask *of_counts[COUNTS], masks[MASKS], *free, own_masks[MASKS];
    uint8_t owners[COUNTS][1 << MASK_SLOTS_LOG];
} mask_model;

static void take_masks(cursor *c, mask_model *model, int height, int width, int64_t kernels, int64_t count)
{
    memset(model->is_made, 0, sizeof(model->is_made));
    memset(model->of_counts, 0, sizeof(model->of_counts));
    model->free = model->masks;
    model->area = height * width;
    model->all_masks = width == WIDTH_OF_MOST ? masks_of_most : model->own_masks;
    for (int bits = 0; width != WIDTH_OF_MOST && bits < 1 << model->area; bits++)
        fill_mask(&model->own_masks[bits], bits, width);
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
    const uint16_t *masks = masks_of_counts[kept];
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
        *to = model->all_masks[masks[i]];
        to->first = (uint16_t)(start << shift);
        to->width = (uint16_t)(weights[i] << shift);
        memset(model->owners[kept] + start, (int)i, (size_t)weights[i]);
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
    for (int64_t kernel = 0; kernel < kernels;) {
        const uint8_t *words = words_of(&model->stream);
        for (int64_t end = kernels - kernel < of_block ? kernels : kernel + of_block; kernel < end; kernel++, column++) {
            if (column == columns)
                column = 0, before = of_row = mean;
            int told = of_rows * (before - mean) + by_columns * (of_columns[column] - mean);
            int kept = count_of(model, within(told >> 7, -16, 15) + 16, of_counts & (SLOTS - 1), &first, &width);
            of_counts = refilled_often(less_symbol(of_counts, width, first), &words);
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
        take_words(&model->stream, words);
        if (found > count)
            return -2;
        indices = dqc_decode_added(of_kernels, &block, indices);
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
        dqc_take_values(&of_values, of_kernels, (int)height, (int)width, (int)codewords);
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
