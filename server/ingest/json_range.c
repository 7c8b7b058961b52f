/* Whether the numbers of an array are whole and within the ranges of integer types: told by their
 * text, since floats have forgotten it. Only arrays whose numbers are all whole so far cost time:
 * the first fraction lies outside of all ranges, and ends the looking. */
#include <string.h>

#include "ingest/json_state.h"

#define EXACT 16777216 /* whole numbers up to here are floats of their own */

void json_range_begin(struct json_tensor *json)
{
    json->in_doubt = json->boolean ? json->spec.range_count : 0;
    for (size_t i = 0; i < JSON_MAX_RANGES; i++) json->now.index[i] = SIZE_MAX;
}

static bool is_inside(const struct whole *whole, const struct json_range *range)
{
    if (!whole->negative || whole->size == 0) return whole->size <= range->most;
    return range->least < 0 && whole->size <= 0 - (uint64_t)range->least;
}

/* whole: NULL for a number that is not. */
static void note(struct json_tensor *json, size_t index, const struct whole *whole)
{
    for (size_t i = 0; i < json->spec.range_count; i++) {
        if (json->now.index[i] != SIZE_MAX) continue;
        if (whole && is_inside(whole, &json->spec.ranges[i])) continue;
        json->now.index[i] = index;
        json->in_doubt--;
    }
}

static void note_number(struct json_tensor *json, size_t index, const struct number *number)
{
    struct whole whole;
    note(json, index, number_whole(number, &whole) ? &whole : NULL);
}

void json_range_number(struct json_tensor *json, const struct number *number)
{
    if (json->in_doubt) note_number(json, json->floats.count - json->first, number);
}

/* Not all digits are cleared: those behind `count` are never looked at. */
static const char *read_token(struct number *number, const char *at, const char *end)
{
    number->state = NUMBER_START;
    number->exponent_negative = false;
    number->exponent = 0;
    number->decimal.negative = number->decimal.more = false;
    number->decimal.count = 0;
    number->decimal.point = 0;
    return number_push(number, at, end);
}

void json_range_token(struct json_tensor *json, const char *begin, const char *end)
{
    struct number number;
    if (!json->in_doubt) return;
    read_token(&number, begin, end);
    json_range_number(json, &number);
}

/* Whether floats of whole numbers from `low` to `high` show that these lie in the range. */
static bool are_inside(float low, float high, const struct json_range *range)
{
    const float least = (float)range->least, most = (float)range->most;
    return (range->least >= -EXACT ? low >= least : low > least) &&
           (range->most <= EXACT ? high <= most : high < most);
}

/* Whether the numbers show at a glance that they are whole: no exponents, and no other digits than
 * 0 behind a point. */
static bool are_plain(const char *begin, const char *end)
{
    const size_t size = (size_t)(end - begin);
    if (memchr(begin, 'e', size) || memchr(begin, 'E', size)) return false;
    while ((begin = memchr(begin, '.', (size_t)(end - begin))) != NULL) {
        begin++;
        while (begin < end && *begin == '0') begin++;
        if (begin < end && (unsigned char)(*begin - '0') <= 9) return false;
    }
    return true;
}

/* Whether the floats of such a run tell enough. */
static bool is_clear(const struct json_tensor *json, size_t count)
{
    const float *value = json->floats.data + json->floats.count - count;
    float low = value[0], high = value[0];
    for (size_t i = 1; i < count; i++) {
        low = value[i] < low ? value[i] : low;
        high = value[i] > high ? value[i] : high;
    }
    for (size_t i = 0; i < json->spec.range_count; i++)
        if (json->now.index[i] == SIZE_MAX && !are_inside(low, high, &json->spec.ranges[i]))
            return false;
    return true;
}

void json_range_run(struct json_tensor *json, const char *begin, const char *end, size_t count)
{
    if (!json->in_doubt || count == 0) return;
    if (are_plain(begin, end) && is_clear(json, count)) return;
    const size_t first = json->floats.count - count - json->first;
    struct number number;
    for (size_t i = 0; i < count && json->in_doubt; i++) {
        begin = read_token(&number, json_skip_space(begin, end), end);
        note_number(json, first + i, &number);
        begin = json_skip_space(begin, end) + 1; // the comma
    }
}
