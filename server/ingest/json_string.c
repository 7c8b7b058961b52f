/* Strings of the envelope: UTF-8 checked, escapes decoded, written again in one spelling only, so
 * that equal keys are equal bytes. */
#include "ingest/json_state.h"

#include <stdio.h>
#include <string.h>

const char *json_begin_string(struct json_tensor *json, const char *at, bool is_key)
{
    if (!is_key && json_is_at(json, json->spec.places))
        return json_fail(json, at,
                         "a string, not an array of numbers; a picture is sent as a file, not as "
                         "base64");
    if (!json_copy(json, at, "\"", 1)) return NULL;
    json->string.is_key = is_key;
    json->string.start = json->text_size;
    json->string.utf8 = (struct utf8){0};
    json->string.high = 0;
    json->step = STEP_STRING;
    return at + 1;
}

static uint32_t hash_of(const char *bytes, size_t size)
{
    uint32_t hash = 2166136261; // FNV-1a
    for (size_t i = 0; i < size; i++) hash = (hash ^ (uint8_t)bytes[i]) * 16777619;
    return hash;
}

/* Notes the key that has just ended; it must be new in its object. */
static const char *end_key(struct json_tensor *json, const char *at)
{
    const struct key key = {
        json->string.start, json->text_size - json->string.start,
        hash_of(json->text + json->string.start, json->text_size - json->string.start)};
    const char *name = json->text + key.start;
    for (size_t i = json->level[json->depth - 1].first_key; i < json->key_count; i++) {
        const struct key *other = &json->keys[i];
        if (other->hash == key.hash && other->size == key.size &&
            memcmp(json->text + other->start, name, key.size) == 0)
            return json_fail(json, at, "the key \"%.*s\" is there twice",
                             (int)(key.size < 40 ? key.size : 40), name);
    }
    if (json->key_count == JSON_MAX_KEYS)
        return json_fail_limit(json, at, "more than %d keys", JSON_MAX_KEYS);
    json->keys[json->key_count++] = key;
    if (!json_copy(json, at, "\"", 1)) return NULL;
    json->step = STEP_COLON;
    return at + 1;
}

static const char *end_string(struct json_tensor *json, const char *at)
{
    if (json->string.is_key) return end_key(json, at);
    if (!json_copy(json, at, "\"", 1)) return NULL;
    json->step = STEP_AFTER;
    return at + 1;
}

/* Adds a character to the string in its one spelling. */
static bool add_character(struct json_tensor *json, const char *at, uint32_t character)
{
    char text[8];
    size_t size;
    if (character == '"' || character == '\\') {
        text[0] = '\\';
        text[1] = (char)character;
        size = 2;
    } else if (character < 0x20) {
        size = (size_t)snprintf(text, sizeof text, "\\u%04x", (unsigned)character);
    } else {
        size = utf8_encode(character, text);
    }
    return json_copy(json, at, text, size);
}

const char *json_string(struct json_tensor *json, const char *at, const char *end)
{
    const char *from = at;
    for (; at < end && *at != '"' && *at != '\\'; at++) {
        if ((uint8_t)*at < 0x20) return json_fail(json, at, "a control character in a string");
        if (json->string.high) return json_fail(json, at, "half of a surrogate pair");
        if (!utf8_push(&json->string.utf8, (uint8_t)*at)) return json_fail(json, at, "not UTF-8");
    }
    if (!json_copy(json, at, from, (size_t)(at - from))) return NULL;
    if (at == end) return at;
    if (json->string.utf8.missing) return json_fail(json, at, "not UTF-8");
    if (*at == '\\') {
        json->step = STEP_ESCAPE;
        return at + 1;
    }
    if (json->string.high) return json_fail(json, at, "half of a surrogate pair");
    return end_string(json, at);
}

const char *json_escape(struct json_tensor *json, const char *at, const char *end)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    (void)end; // one byte is always there
    if (*at == 'u') {
        json->string.digits = 0;
        json->string.unit = 0;
        json->step = STEP_HEX;
        return at + 1;
    }
    const char *name = *at ? strchr(names, *at) : NULL;
    if (!name) return json_fail(json, at, "no such escape");
    if (json->string.high) return json_fail(json, at, "half of a surrogate pair");
    if (!add_character(json, at, (uint8_t)values[name - names])) return NULL;
    json->step = STEP_STRING;
    return at + 1;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *json_hex(struct json_tensor *json, const char *at, const char *end)
{
    (void)end;
    const int value = hex_value(*at);
    if (value < 0) return json_fail(json, at, "not a hexadecimal digit");
    json->string.unit = json->string.unit << 4 | (uint32_t)value;
    if (++json->string.digits < 4) return at + 1;
    uint32_t unit = json->string.unit;
    const bool is_high = unit >> 10 == 0xd800 >> 10, is_low = unit >> 10 == 0xdc00 >> 10;
    if (is_low != (json->string.high != 0)) return json_fail(json, at, "half of a surrogate pair");
    if (unit == 0) return json_fail(json, at, "a NUL character");
    json->step = STEP_STRING;
    if (is_high) {
        json->string.high = unit;
        return at + 1;
    }
    if (is_low) unit = 0x10000 + ((json->string.high & 0x3ff) << 10 | (unit & 0x3ff));
    json->string.high = 0;
    return add_character(json, at, unit) ? at + 1 : NULL;
}
