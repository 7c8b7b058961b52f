/* Number arrays: from text to floats, and their shape. */
#include "ingest/json_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SHORT_ROW 8 /* rows of fewer numbers don't pay for a run */

/* The brackets were no number array's: they go to the envelope. */
static const char *give_up(struct json_tensor *json, const char *at)
{
    const size_t open = json->open;
    json->open = 0;
    for (size_t i = 0; i < open; i++)
        if (!json_copy(json, at, "[", 1) || !json_open(json, at, false)) return NULL;
    json->step = STEP_VALUE;
    return at;
}

/* Where a number is expected. Begins one of the words that clients write for what is none; NULL:
 * another text stands there. */
static const char *begin_word(struct json_tensor *json, const char *at)
{
    static const char *const words[] = {"null", "true", "false", "NaN", "Infinity"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (*words[i] != *at) continue;
        json->word = json->literal = words[i];
        json->number_start = json_byte(json, at);
        json->step = STEP_WORD;
        return at;
    }
    return NULL;
}

const char *json_word(struct json_tensor *json, const char *at, const char *end)
{
    for (; at < end && *json->literal; at++, json->literal++)
        if (*at != *json->literal)
            return json_fail_at(json, JSON_WRONG, json->number_start, "not a number");
    if (*json->literal) return at;
    return json_fail_at(json, JSON_WRONG, json->number_start, "%s is no number", json->word);
}

/* An array begins with something else than a number: it may be one of another kind. */
static const char *begin_other(struct json_tensor *json, const char *at)
{
    const bool boolean = *at == 't' || *at == 'f';
    const char *word = boolean && json->boolean ? NULL : begin_word(json, at);
    return word ? word : give_up(json, at);
}

const char *json_brackets(struct json_tensor *json, const char *at, const char *end)
{
    at = json_skip_space(at, end);
    if (at == end) return at;
    if (*at == '[') {
        if (json->depth + json->open == JSON_MAX_DEPTH)
            return json_fail(json, at, "nested deeper than %d", JSON_MAX_DEPTH);
        json->index[json->open++] = 0;
        return at + 1;
    }
    if (*at == ']') {
        json->open--;
        return json_fail(json, at, "an empty array");
    }
    if (!json_begins_number(*at)) return begin_other(json, at);
    if (json->open > JSON_MAX_RANK)
        return json_fail(json, at, "more than %d dimensions", JSON_MAX_RANK);
    if (json->array_count == json->spec.max_arrays)
        return json_fail_limit(json, at, "more than %zu number arrays", json->spec.max_arrays);
    json->rank = json->open;
    for (size_t i = 0; i < JSON_MAX_RANK; i++) json->dim[i] = 0;
    json->first = json->floats.count;
    json_range_begin(json);
    json->step = STEP_ELEMENT;
    return at;
}

/* For one more number at least, as far as the limit lets there be one. */
static bool make_room(struct json_tensor *json)
{
    const size_t most = json->spec.max_numbers;
    size_t want = json->floats.count + 1;
    if (want < json->spec.room) want = json->spec.room;
    return floats_reserve(&json->floats, want < most ? want : most, most);
}

static const char *add_number(struct json_tensor *json, const char *at, float value)
{
    json->floats.data[json->floats.count++] = value;
    json->step = STEP_ELEMENT_END;
    return at;
}

/* As many numbers of the row as are simple; a value is expected before and after. */
static const char *take_run(struct json_tensor *json, const char *at, const char *end)
{
    struct floats *floats = &json->floats;
    const size_t known = json->dim[json->rank - 1];
    if ((known && known < SHORT_ROW) || !floats->data) return at;
    struct number_text text = {json->piece, at, end};
    const size_t room = floats->capacity - floats->count;
    const size_t count = number_run(&text, floats->data + floats->count, room);
    floats->count += count;
    json->index[json->rank - 1] += count;
    json_range_run(json, at, text.at, count);
    return text.at;
}

static const char *begin_number(struct json_tensor *json, const char *at, const char *end)
{
    float value;
    if (json->floats.count == json->spec.max_numbers)
        return json_fail_limit(json, at, TOO_MANY_NUMBERS, json->spec.max_numbers);
    if (!make_room(json)) return json_fail_memory(json);
    const char *behind = number_scan(at, end, &value);
    if (behind) {
        json_range_token(json, at, behind);
        return add_number(json, behind, value);
    }
    json->number = (struct number){0};
    json->number_start = json_byte(json, at);
    json->step = STEP_ELEMENT_MORE;
    return at;
}

const char *json_element(struct json_tensor *json, const char *at, const char *end)
{
    const bool is_row = json->open == json->rank;
    if (is_row) at = take_run(json, at, end);
    at = json_skip_space(at, end);
    if (at == end) return at;
    if (is_row && json_begins_number(*at)) return begin_number(json, at, end);
    const char *word = is_row ? begin_word(json, at) : NULL;
    if (word) return word;
    if (is_row || *at != '[') return json_fail(json, at, is_row ? "not a number" : "not an array");
    json->index[json->open++] = 0;
    return at + 1;
}

const char *json_element_more(struct json_tensor *json, const char *at, const char *end)
{
    at = number_push(&json->number, at, end);
    if (at == end) return at;
    if (!number_complete(&json->number)) return json_fail(json, at, "not a number");
    const float value = number_value(&json->number);
    if (isfinite(value)) {
        json_range_number(json, &json->number);
        return add_number(json, at, value);
    }
    return json_fail_at(json, JSON_WRONG, json->number_start, "beyond float32");
}

static bool grow_arrays(struct json_tensor *json)
{
    const size_t room = json->array_room ? 2 * json->array_room : 1;
    struct json_array *arrays = realloc(json->arrays, room * sizeof *arrays);
    if (!arrays) return false;
    json->arrays = arrays;
    if (json->spec.range_count) {
        struct json_outside *outside = realloc(json->outside, room * sizeof *outside);
        if (!outside) return false;
        json->outside = outside;
    }
    json->array_room = room;
    return true;
}

static struct json_array *new_array(struct json_tensor *json)
{
    if (json->array_count == json->array_room && !grow_arrays(json)) return NULL;
    if (json->outside) json->outside[json->array_count] = json->now;
    return &json->arrays[json->array_count++];
}

/* A bracket closes an array of the number array. */
static const char *close_array(struct json_tensor *json, const char *at)
{
    size_t *dim = &json->dim[json->open - 1];
    const size_t size = json->index[json->open - 1] + 1;
    json->open--;
    if (*dim == 0) *dim = size;
    if (*dim != size)
        return json_fail(json, at, "%zu %s, %zu needed", size,
                         json->open + 1 == json->rank ? "numbers" : "elements", *dim);
    if (json->open > 0) return at + 1;

    struct json_array *array = new_array(json);
    if (!array) return json_fail_memory(json);
    *array = (struct json_array){json->first, json->floats.count - json->first, json->rank, {0}};
    for (size_t i = 0; i < json->rank; i++) array->dim[i] = json->dim[i];
    char index[24];
    const int length = snprintf(index, sizeof index, "%zu", json->array_count - 1);
    json->step = STEP_AFTER;
    return json_copy(json, at, index, (size_t)length) ? at + 1 : NULL;
}

const char *json_element_end(struct json_tensor *json, const char *at, const char *end)
{
    at = json_skip_space(at, end);
    if (at == end) return at;
    if (*at == ']') return close_array(json, at);
    if (*at != ',') return json_fail(json, at, "neither , nor ] behind an element");
    json->index[json->open - 1]++;
    json->step = STEP_ELEMENT;
    return at + 1;
}
