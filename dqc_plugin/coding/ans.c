/* A small tensor by ANS in one call: what ans.py, ans_heads.py, ans_positions.py and ans_values.py do, bit for bit, of
 * which a call for each step, and what is around it in Python, take longer than the weights do. Where bytes are damaged,
 * or of a form that is rare, the Python beside it says so, or reads them. */

#include "cursor.h"

#include <stdlib.h>
#include <string.h>

#define MARK 0x80
#define HAS_CLASSES 0x40
#define LANES_LOG 0x0F
#define LEFT_OUT 14
#define MOST_LEVELS 16
#define MOST_CONTEXTS (2 * MOST_LEVELS - 1)
#define MOST_SYMBOLS 256
#define STATE_BYTES 8
#define LONGEST_FILLER 255
#define MOST_MATRIX (1 << 20)
enum { ALL_KEPT, GEOMETRIC, OWN_TABLES };
enum { NO_FORM = -1, JOINT, APART, BY_NEIGHBOURS };

/* Memory that is given back at once. */
typedef struct {
    void *blocks[8];
    int used;
} arena;

static void *room(arena *own, int64_t bytes)
{
    return own->blocks[own->used++] = malloc((size_t)(bytes ? bytes : 1));
}

static int is_short(const arena *own)
{
    for (int i = 0; i < own->used; i++)
        if (!own->blocks[i])
            return 1;
    return 0;
}

static void give_back(arena *own)
{
    while (own->used)
        free(own->blocks[--own->used]);
}

/* A stream of rans.py: its words from the next one on, and what comes after it. */
typedef struct {
    uint64_t *states;
    int64_t lanes, next, words;
    const uint8_t *at, *end;
    int is_bare;
} stream;

/* low: the low halves of the states, which the high ones and the words follow at another place. */
static void open_stream(cursor *c, const uint8_t *low, stream *s)
{
    const uint8_t *high = take_bytes(c, WORD_BYTES * s->lanes);
    for (int64_t lane = 0; lane < s->lanes && !c->failed; lane++) {
        uint32_t halves[2];
        memcpy(halves, low + WORD_BYTES * lane, WORD_BYTES);
        memcpy(halves + 1, high + WORD_BYTES * lane, WORD_BYTES);
        s->states[lane] = (uint64_t)halves[1] << 32 | halves[0];
    }
    s->at = c->at, s->end = c->end;
    s->words = (c->end - c->at) / WORD_BYTES;
    s->next = s->is_bare = 0;
}

/* A state without its zeros, and words: see rans.trim. */
static void untrim(cursor *c, uint64_t *state, stream *s)
{
    int64_t length = c->end - c->at, kept = length <= STATE_BYTES ? length : WORD_BYTES + 1 + (length - 1) % WORD_BYTES;
    const uint8_t *bytes = take_bytes(c, kept);
    *state = 0;
    for (int64_t i = 0; i < kept; i++)
        *state |= (uint64_t)bytes[i] << 8 * i;
    *s = (stream){state, 1, 0, (length - kept) / WORD_BYTES, c->at, c->end, 1};
}

/* Symbols of so many runs, see dqc_take; 0 where there are not so many. */
static int take_runs(stream *s, const int64_t *tables, const int64_t *alphabets, const int64_t *kept,
                     const int64_t *fillers, int64_t *lengths, int64_t runs, uint8_t *symbols, int64_t most)
{
    s->next = dqc_take(s->states, s->lanes, tables, alphabets, kept, fillers, lengths, runs, symbols, most, s->at,
                       s->words, s->next, s->is_bare);
    return s->next >= 0;
}

/* The payload of a stream that ends here; its bytes, -1 where it does not end. There is room for 8 a lane. */
static int64_t payload_of(const stream *s, uint8_t *payload)
{
    uint64_t bits = 0;
    int64_t held = 0, at = WORD_BYTES * s->lanes;
    for (int64_t lane = 0; lane < s->lanes; lane++) {
        uint64_t high = s->states[lane] >> 32;
        uint32_t low = (uint32_t)s->states[lane];
        int width = 0;
        if (!high)
            return -1;
        memcpy(payload + WORD_BYTES * lane, &low, WORD_BYTES);
        while (high >> (width + 1))
            width++;
        bits |= (high ^ (uint64_t)1 << width) << held;
        for (held += width; held >= 8; held -= 8, bits >>= 8)
            payload[at++] = (uint8_t)bits;
    }
    return at;
}

/* What a tensor is told to be. places: of the kept weights, NULL of all; columns: of its matrix, 0 if there is none;
 * form: of the values, whose head is left out then, or NO_FORM. */
typedef struct {
    int64_t size, count, codewords, contexts, counts[MOST_CONTEXTS], columns;
    int form;
    int64_t *places;
    uint8_t *indices;
} tensor;

/* Of sign 1 an index counts from the end; -1 is all ones. */
static inline uint8_t index_of(int magnitude, int sign, int64_t codewords)
{
    return (uint8_t)((magnitude ^ -sign) + (codewords & -sign));
}

/* Indices in the place of magnitudes, by their signs. */
static void to_indices(const tensor *t, const uint8_t *signs, int are_packed)
{
    for (int64_t i = 0; i < t->count; i++) {
        int sign = are_packed ? signs[i / 8] >> (i % 8) & 1 : signs[i];
        t->indices[i] = index_of(t->indices[i], sign, t->codewords);
    }
}

static int are_zeros(const uint8_t *at, const uint8_t *end)
{
    while (at < end)
        if (*at++)
            return 0;
    return 1;
}

static int read_neighbours(tensor *t, cursor *c, arena *own)
{
    int64_t columns = take_count(c);
    const uint8_t *distance = take_bytes(c, 1);
    uint8_t *signs = room(own, t->count);
    int64_t *places = t->places ? t->places : room(own, t->count * (int64_t)sizeof(int64_t));
    columns = columns ? columns : t->columns;
    if (is_short(own) || c->failed || columns < 1 || columns > t->size || t->size > MOST_MATRIX)
        return 0;
    if (*distance < 1 || *distance > t->size || (t->size + columns - 1) / columns + columns > t->size)
        return 0;
    for (int64_t i = 0; !t->places && i < t->count; i++)
        places[i] = i;
    uint64_t state;
    stream s;
    untrim(c, &state, &s);
    memset(signs, 0, (size_t)t->count);
    if (dqc_decode_signs(places, t->count, t->size, columns, *distance, signs, state, s.at, s.words))
        return 0;
    to_indices(t, signs, 0);
    return 1;
}

/* What ans_values.py writes, into t->indices. */
static int read_values(tensor *t, cursor *c, arena *own)
{
    int64_t kept[MOST_CONTEXTS], alphabets[MOST_CONTEXTS], none[MOST_CONTEXTS], lengths[MOST_CONTEXTS], runs = 0;
    const int head = t->form == NO_FORM ? take_byte(c) : t->form << 4, form = head >> 4, lanes_log = head & LANES_LOG;
    const int64_t span = t->contexts > 1 ? take_byte(c) : 1;
    int64_t alphabet = form == JOINT ? t->codewords : (t->codewords + 1) / 2;
    int64_t *tables = room(own, MOST_CONTEXTS * MOST_SYMBOLS * (int64_t)sizeof(int64_t));
    stream s = {.lanes = (int64_t)1 << lanes_log};
    s.states = room(own, STATE_BYTES * s.lanes);
    uint8_t *payload = room(own, STATE_BYTES * s.lanes + (c->end - c->at));
    if (is_short(own) || c->failed || form > BY_NEIGHBOURS || !span)
        return 0;
    for (int64_t context = 0; context < t->contexts; context += span) {
        int64_t of_group = 0;
        for (int64_t i = context; i < context + span && i < t->contexts; i++)
            of_group += t->counts[i];
        if (!of_group)
            continue;
        take_table(c, alphabet, tables + runs * alphabet);
        kept[runs] = of_group, alphabets[runs] = alphabet, none[runs++] = -1;
    }
    if (c->failed)
        return 0;
    uint64_t state;
    if (s.lanes == 1 && form == JOINT)
        untrim(c, &state, &s);
    else
        open_stream(c, take_bytes(c, WORD_BYTES * s.lanes), &s);
    if (c->failed || !take_runs(&s, tables, alphabets, kept, none, lengths, runs, t->indices, t->count))
        return 0;
    const uint8_t *rest = s.at + WORD_BYTES * s.next;
    if (s.is_bare && (state != 1 || rest != s.end))
        return 0;
    int64_t held = s.is_bare ? 0 : payload_of(&s, payload), signs_bytes = form == APART ? (t->count + 7) / 8 : 0;
    if (held < 0)
        return 0;
    memcpy(payload + held, rest, (size_t)(s.end - rest));
    cursor tail = {.at = payload, .end = payload + held + (s.end - rest)};
    if (form == BY_NEIGHBOURS)
        return read_neighbours(t, &tail, own);
    if (signs_bytes > tail.end - tail.at || !are_zeros(payload + signs_bytes, tail.end))
        return 0;
    if (form == APART)
        to_indices(t, payload, 1);
    for (int64_t i = 0; form == JOINT && i < t->count; i++)
        t->indices[i] = index_of(t->indices[i] >> 1, t->indices[i] & 1, t->codewords);
    return 1;
}

/* The classes of a matrix and, of each context, how many weights have a place in it. */
typedef struct {
    int64_t rows, columns, levels[2], sizes[MOST_CONTEXTS];
    uint8_t *labels;
} classes;

static int64_t take_classes(cursor *c, classes *of, int64_t size, int64_t *tables)
{
    of->columns = take_count(c);
    const uint8_t *levels = take_bytes(c, 1);
    if (c->failed || !of->columns || size % of->columns)
        return c->failed = 1;
    of->rows = size / of->columns;
    of->levels[0] = (*levels & 15) + 1, of->levels[1] = (*levels >> 4) + 1;
    take_table(c, of->levels[0] + 1, tables);
    take_table(c, of->levels[1] + 1, tables + of->levels[0] + 1);
    return of->levels[0] + of->levels[1] - 1;
}

static int read_classes(stream *s, classes *of, const int64_t *tables)
{
    int64_t kept[] = {of->rows, of->columns}, alphabets[] = {of->levels[0] + 1, of->levels[1] + 1};
    int64_t none[] = {-1, -1}, lengths[2], counts[2][MOST_LEVELS + 1] = {{0}};
    if (!take_runs(s, tables, alphabets, kept, none, lengths, 2, of->labels, of->rows + of->columns))
        return 0;
    for (int64_t i = 0; i < of->rows + of->columns; i++)
        counts[i >= of->rows][of->labels[i]]++;
    memset(of->sizes, 0, sizeof(of->sizes));
    for (int64_t i = 1; i <= of->levels[0]; i++)
        for (int64_t j = 1; j <= of->levels[1]; j++)
            of->sizes[i + j - 2] += counts[0][i] * counts[1][j];
    return 1;
}

/* The gap fields of the contexts, to places. tables: those of the head, NULL if they are geometric. */
static int read_places(tensor *t, stream *s, const classes *of, int64_t filler, const int64_t *tables, arena *own)
{
    int64_t kept[MOST_CONTEXTS], alphabets[MOST_CONTEXTS], fillers[MOST_CONTEXTS], lengths[MOST_CONTEXTS], runs = 0;
    int64_t of_contexts[3][MOST_CONTEXTS] = {{0}}, most = 0, reached = 0;
    int64_t *geometric = room(own, MOST_CONTEXTS * MOST_SYMBOLS * (int64_t)sizeof(int64_t)), *next = geometric;
    for (int64_t i = 0; i < t->contexts && !is_short(own); i++) {
        int64_t of_context = t->counts[i], size = of->labels ? of->sizes[i] : t->size;
        if (!of_context)
            continue;
        if (of_context > size)
            return 0;
        int64_t longest = 4 * size / of_context + 1, own_filler = longest < LONGEST_FILLER ? longest : LONGEST_FILLER;
        own_filler = filler ? filler : own_filler;
        if (!tables)
            dqc_geometric(of_context, size, own_filler, next);
        next += own_filler + 1;
        kept[runs] = of_context, fillers[runs] = of_contexts[2][i] = own_filler, alphabets[runs++] = own_filler + 1;
        most += of_context + (size - of_context) / own_filler;
    }
    uint8_t *fields = room(own, most);
    if (is_short(own) || !take_runs(s, tables ? tables : geometric, alphabets, kept, fillers, lengths, runs, fields, most))
        return 0;
    int64_t fields_count = 0;
    for (int64_t i = 0, run = 0; i < t->contexts; i++) {
        of_contexts[0][i] = t->counts[i];
        of_contexts[1][i] = t->counts[i] ? lengths[run++] : 0;
        fields_count += of_contexts[1][i];
    }
    if (of->labels)
        return dqc_place(fields, of_contexts[0], of_contexts[1], of_contexts[2], of->labels, of->rows, of->levels[0],
                         of->labels + of->rows, of->columns, of->levels[1], 1, t->places) == t->count;
    int64_t *found = room(own, fields_count * (int64_t)sizeof(int64_t));
    if (is_short(own))
        return 0;
    dqc_positions(fields, fields_count, fillers[0], &reached, found);
    memcpy(t->places, found, (size_t)t->count * sizeof(int64_t));
    return reached <= t->size;
}

/* The counts of contexts, all but the last; that is what is left. */
static void take_counts(cursor *c, tensor *t)
{
    int64_t left = t->count;
    for (int64_t i = 0; i < t->contexts - 1; i++) {
        t->counts[i] = take_count(c);
        c->failed |= t->counts[i] > left;
        left -= c->failed ? 0 : t->counts[i];
    }
    t->counts[t->contexts - 1] = left;
}

/* The logarithm of the number of lanes that a first byte says, and the form of the values if it says that. */
static int take_lanes(tensor *t, uint8_t first)
{
    const int in_place = first & LANES_LOG;
    t->form = in_place < LEFT_OUT ? NO_FORM : in_place - LEFT_OUT;
    return in_place < LEFT_OUT ? in_place : 0;
}

/* Positions with a stream, and in *of_values what is left for the values. */
static int read_positions(tensor *t, cursor *c, cursor *of_values, arena *own)
{
    const uint8_t first = *take_bytes(c, 1);
    const int kind = first >> 4 & 3;
    int64_t of_classes[2 * (MOST_LEVELS + 1)], filler = 0;
    int64_t *tables = room(own, MOST_CONTEXTS * MOST_SYMBOLS * (int64_t)sizeof(int64_t));
    classes of = {.labels = NULL};
    stream s = {.lanes = (int64_t)1 << take_lanes(t, first)};
    s.states = room(own, STATE_BYTES * s.lanes);
    uint8_t *payload = room(own, STATE_BYTES * s.lanes + (of_values->end - of_values->at));
    if (is_short(own) || (kind != GEOMETRIC && kind != OWN_TABLES))
        return 0;
    if (first & HAS_CLASSES)
        t->contexts = take_classes(c, &of, t->size, of_classes);
    if (c->failed)
        return 0;
    take_counts(c, t);
    if (kind == OWN_TABLES)
        filler = c->failed ? 0 : *take_bytes(c, 1);
    if (c->failed || (kind == OWN_TABLES && !filler))
        return 0;
    int64_t *next = tables;
    for (int64_t i = 0; i < t->contexts && filler; i++)
        if (t->counts[i]) {
            take_table(c, filler + 1, next);
            next += filler + 1;
        }
    const uint8_t *low = take_bytes(of_values, WORD_BYTES * s.lanes);
    if (c->failed || of_values->failed)
        return 0;
    open_stream(c, low, &s);
    if (first & HAS_CLASSES)
        of.labels = room(own, of.rows + of.columns);
    if (is_short(own) || c->failed || (of.labels && !read_classes(&s, &of, of_classes)))
        return 0;
    if (!read_places(t, &s, &of, filler, filler ? tables : NULL, own))
        return 0;
    int64_t held = payload_of(&s, payload);
    if (held < 0 || s.at + WORD_BYTES * s.next != s.end)
        return 0;
    memcpy(payload + held, of_values->at, (size_t)(of_values->end - of_values->at));
    *of_values = (cursor){.at = payload, .end = payload + held + (of_values->end - of_values->at)};
    t->columns = of.columns;
    return 1;
}

/* The positions of the kept weights, in the order of their contexts, and their indices: 0. 1 where all are kept. -1 where
 * it is for Python to say more. */
int64_t dqc_decode_ans(const uint8_t *positions, int64_t positions_length, const uint8_t *values, int64_t values_length,
                       int64_t size, int64_t count, int64_t codewords, int64_t *places, uint8_t *indices)
{
    arena own = {.used = 0}, of_positions = {.used = 0};
    cursor c = {.at = positions, .end = positions + positions_length}, of_values = {.at = values, .end = values + values_length};
    tensor t = {.size = size, .count = count, .codewords = codewords, .contexts = 1, .counts = {count}, .indices = indices};
    const int are_all = positions_length == 1 && count == size && (*positions & ~LANES_LOG) == MARK && !take_lanes(&t, *positions);
    t.places = are_all ? NULL : places;
    int is_read = are_all || (*positions & MARK && read_positions(&t, &c, &of_values, &of_positions));
    is_read = is_read && read_values(&t, &of_values, &own);
    give_back(&own);
    give_back(&of_positions);
    return is_read ? are_all : -1;
}

/* The indices of the weights at ascending places, by ans_values.py: 0; -1 where it is for Python to say more. */
int64_t dqc_decode_ans_values(const uint8_t *values, int64_t length, int64_t size, int64_t *places, int64_t count,
                              int64_t codewords, uint8_t *indices)
{
    arena own = {.used = 0};
    cursor c = {.at = values, .end = values + length};
    tensor t = {.size = size, .count = count, .codewords = codewords, .contexts = 1, .counts = {count},
                .places = places, .indices = indices, .form = NO_FORM};
    int is_read = read_values(&t, &c, &own);
    give_back(&own);
    return is_read ? 0 : -1;
}
