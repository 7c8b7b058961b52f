/* The JSON reader: its steps outside of strings and number arrays, and what holds them together. */
#include "ingest/json_tensor.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/json_state.h"

/* ---- errors and the envelope ----------------------------------------------------------------- */

const char *json_fail_at(struct json_tensor *json, enum json_problem problem, size_t byte,
                         const char *format, ...)
{
    struct json_error *error = &json->error;
    char place[120];
    json_place(json, place, sizeof place);
    error->problem = problem;
    error->byte = byte;
    const int used = snprintf(error->text, sizeof error->text, "byte %zu: %s: ", byte, place);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text + used, sizeof error->text - (size_t)used, format, arguments);
    va_end(arguments);
    return NULL;
}

const char *json_fail_memory(struct json_tensor *json)
{
    json->error = (struct json_error){JSON_NO_MEMORY, json->fed, "no memory for this body"};
    return NULL;
}

bool json_copy(struct json_tensor *json, const char *at, const char *bytes, size_t size)
{
    if (size > json->spec.max_text - json->text_size) {
        json_fail_limit(json, at, "more than %zu bytes beside number arrays", json->spec.max_text);
        return false;
    }
    while (json->text_room - json->text_size <= size) {
        const size_t room = json->text_room ? 2 * json->text_room : 512;
        char *text = realloc(json->text, room);
        if (!text) {
            json_fail_memory(json);
            return false;
        }
        json->text = text;
        json->text_room = room;
    }
    if (size) memcpy(json->text + json->text_size, bytes, size);
    json->text_size += size;
    json->text[json->text_size] = '\0';
    return true;
}

/* ---- structure ------------------------------------------------------------------------------- */

bool json_open(struct json_tensor *json, const char *at, bool object)
{
    if (json->depth == JSON_MAX_DEPTH) {
        json_fail(json, at, "nested deeper than %d", JSON_MAX_DEPTH);
        return false;
    }
    json->level[json->depth++] = (struct level){object, 0, json->key_count};
    return true;
}

static const char *begin_container(struct json_tensor *json, const char *at)
{
    const bool object = *at == '{';
    if (!object && json_is_at(json, json->spec.places)) {
        json->boolean = json_is_at(json, json->spec.boolean_places);
        json->step = STEP_BRACKETS;
        return at;
    }
    if (!json_copy(json, at, at, 1) || !json_open(json, at, object)) return NULL;
    json->step = object ? STEP_FIRST_KEY : STEP_FIRST_VALUE;
    return at + 1;
}

static const char *begin_number(struct json_tensor *json, const char *at)
{
    if (json_is_at(json, json->spec.places)) return json_fail(json, at, "not an array");
    json->number = (struct number){0};
    json->step = STEP_NUMBER;
    return at;
}

static const char *begin_literal(struct json_tensor *json, const char *at, const char *literal)
{
    json->literal = literal;
    json->step = STEP_LITERAL;
    return at;
}

static const char *step_value(struct json_tensor *json, const char *at, const char *end)
{
    at = json_skip_space(at, end);
    if (at == end) return at;
    switch (*at) {
    case '{':
    case '[': return begin_container(json, at);
    case '"': return json_begin_string(json, at, false);
    case 't': return begin_literal(json, at, "true");
    case 'f': return begin_literal(json, at, "false");
    case 'n': return begin_literal(json, at, "null");
    case '\xef':
        if (json_byte(json, at) > 0) break;
        json->literal = "\xef\xbb\xbf";
        json->step = STEP_MARK;
        return at;
    default: break;
    }
    return json_begins_number(*at) ? begin_number(json, at) : json_fail(json, at, "not a value");
}

/* Closes the innermost array or object. */
static const char *end_container(struct json_tensor *json, const char *at)
{
    const struct level *level = &json->level[--json->depth];
    if (level->object) json->key_count = level->first_key;
    json->step = STEP_AFTER;
    return json_copy(json, at, at, 1) ? at + 1 : NULL;
}

static const char *step_first_value(struct json_tensor *json, const char *at, const char *end)
{
    at = json_skip_space(at, end);
    if (at == end) return at;
    if (*at == ']') return end_container(json, at);
    json->step = STEP_VALUE;
    return at;
}

static const char *step_key(struct json_tensor *json, const char *at, const char *end)
{
    at = json_skip_space(at, end);
    if (at == end) return at;
    return *at == '"' ? json_begin_string(json, at, true) : json_fail(json, at, "not a key");
}

static const char *step_first_key(struct json_tensor *json, const char *at, const char *end)
{
    at = json_skip_space(at, end);
    if (at == end) return at;
    if (*at == '}') return end_container(json, at);
    json->step = STEP_KEY;
    return at;
}

static const char *step_colon(struct json_tensor *json, const char *at, const char *end)
{
    at = json_skip_space(at, end);
    if (at == end) return at;
    if (*at != ':') return json_fail(json, at, "no : behind a key");
    json->step = STEP_VALUE;
    return json_copy(json, at, at, 1) ? at + 1 : NULL;
}

static const char *step_after(struct json_tensor *json, const char *at, const char *end)
{
    at = json_skip_space(at, end);
    if (at == end) return at;
    if (json->depth == 0) return json_fail(json, at, "something behind the JSON");
    struct level *level = &json->level[json->depth - 1];
    const char close = level->object ? '}' : ']';
    if (*at == close) return end_container(json, at);
    if (*at != ',') return json_fail(json, at, "neither , nor %c behind a value", close);
    level->index++;
    json->step = level->object ? STEP_KEY : STEP_VALUE;
    return json_copy(json, at, at, 1) ? at + 1 : NULL;
}

static const char *step_literal(struct json_tensor *json, const char *at, const char *end)
{
    for (; at < end && *json->literal; at++, json->literal++) {
        if (*at != *json->literal) return json_fail(json, at, "not a value");
        if (!json_copy(json, at, at, 1)) return NULL;
    }
    if (!*json->literal) json->step = STEP_AFTER;
    return at;
}

/* Editors of Windows write it; JSON may not begin with it (RFC 8259, section 8.1). */
static const char *step_mark(struct json_tensor *json, const char *at, const char *end)
{
    for (; at < end && *json->literal; at++, json->literal++)
        if (*at != *json->literal) return json_fail_at(json, JSON_WRONG, 0, "not a value");
    if (*json->literal) return at;
    return json_fail_at(json, JSON_WRONG, 0,
                        "begins with a byte order mark: send the JSON without it");
}

/* After a mistake in the first two bytes of the text: a NUL there, or a byte that no UTF-8 has, is
 * half of a wider character. */
static void explain_encoding(struct json_tensor *json, const char *bytes)
{
    const size_t byte = json->error.byte;
    if (json->error.problem != JSON_WRONG || byte > 1 || byte < json->fed) return;
    const unsigned char wrong = (unsigned char)bytes[byte - json->fed];
    if (wrong != 0 && (byte != 0 || wrong < 0xfe)) return;
    json->depth = json->open = 0; // the place is the body
    json_fail_at(json, JSON_WRONG, byte, "UTF-16 or UTF-32: send the JSON as UTF-8");
}

static const char *step_number(struct json_tensor *json, const char *at, const char *end)
{
    const char *behind = number_push(&json->number, at, end);
    if (!json_copy(json, at, at, (size_t)(behind - at))) return NULL;
    if (behind == end) return behind;
    if (!number_complete(&json->number)) return json_fail(json, behind, "not a number");
    json->step = STEP_AFTER;
    return behind;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static json_step_fn *const steps[STEPS] = {
    [STEP_VALUE] = step_value,
    [STEP_FIRST_VALUE] = step_first_value,
    [STEP_KEY] = step_key,
    [STEP_FIRST_KEY] = step_first_key,
    [STEP_COLON] = step_colon,
    [STEP_AFTER] = step_after,
    [STEP_LITERAL] = step_literal,
    [STEP_NUMBER] = step_number,
    [STEP_STRING] = json_string,
    [STEP_ESCAPE] = json_escape,
    [STEP_HEX] = json_hex,
    [STEP_BRACKETS] = json_brackets,
    [STEP_ELEMENT] = json_element,
    [STEP_ELEMENT_MORE] = json_element_more,
    [STEP_ELEMENT_END] = json_element_end,
    [STEP_WORD] = json_word,
    [STEP_MARK] = step_mark,
};

struct json_tensor *json_tensor_new(const struct json_spec *spec)
{
    struct json_tensor *json = malloc(sizeof *json);
    if (!json) return NULL;
    memset(json, 0, offsetof(struct json_tensor, keys));
    json->spec = *spec;
    return json;
}

bool json_tensor_feed(struct json_tensor *json, const void *bytes, size_t size)
{
    if (json->error.problem) return false;
    const char *at = bytes, *end = size ? at + size : at;
    json->piece = at;
    while (at && at < end) at = steps[json->step](json, at, end);
    if (at)
        json->fed += size;
    else
        explain_encoding(json, bytes);
    return at == end;
}

bool json_tensor_finish(struct json_tensor *json, struct json_result *result)
{
    if (json->error.problem) return false;
    json->piece = "";
    if (json->step == STEP_NUMBER && json->depth == 0 && number_complete(&json->number))
        json->step = STEP_AFTER;
    if (json->step != STEP_AFTER || json->depth > 0) {
        json_fail(json, json->piece, "the JSON ends too early");
        return false;
    }
    *result = (struct json_result){.floats = json->floats.data,
                                   .float_count = json->floats.count,
                                   .arrays = json->arrays,
                                   .outside = json->outside,
                                   .array_count = json->array_count,
                                   .text = json->text,
                                   .text_size = json->text_size};
    return true;
}

const struct json_error *json_tensor_error(const struct json_tensor *json)
{
    return &json->error;
}

float *json_tensor_take(struct json_tensor *json)
{
    float *floats = json->floats.data;
    json->floats = (struct floats){0};
    return floats;
}

void json_tensor_free(struct json_tensor *json)
{
    if (!json) return;
    floats_free(&json->floats);
    free(json->arrays);
    free(json->outside);
    free(json->text);
    free(json);
}
