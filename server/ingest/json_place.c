/* Where in the JSON the reader is: for error messages, and to find the number arrays. */
#include "ingest/json_state.h"

#include <stdio.h>
#include <string.h>

#define KEY_SHOWN 40 /* bytes of a key in a message */

/* The key that is being read, or was read last, of each open object: the last of its keys. */
static const struct key *key_of(const struct json_tensor *json, size_t depth)
{
    size_t end = json->key_count;
    for (size_t i = depth + 1; i < json->depth; i++)
        if (json->level[i].object) {
            end = json->level[i].first_key;
            break;
        }
    return end > json->level[depth].first_key ? &json->keys[end - 1] : NULL;
}

/* Both add to a place; what does not fit is cut. */
static void add_name(char *text, size_t size, const char *name, size_t length)
{
    const size_t used = strlen(text);
    if (length > KEY_SHOWN) length = KEY_SHOWN;
    snprintf(text + used, size - used, "%s%.*s", used ? "." : "", (int)length, name);
}

static void add_index(char *text, size_t size, size_t index)
{
    const size_t used = strlen(text);
    snprintf(text + used, size - used, "[%zu]", index);
}

void json_place(const struct json_tensor *json, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < json->depth; i++) {
        const struct key *key = json->level[i].object ? key_of(json, i) : NULL;
        if (key)
            add_name(text, size, json->text + key->start, key->size);
        else if (!json->level[i].object)
            add_index(text, size, json->level[i].index);
    }
    for (size_t i = 0; i < json->open; i++) add_index(text, size, json->index[i]);
    if (!*text) add_name(text, size, "body", 4);
}

/* Takes one step of a place off its pattern; NULL when the level is another one. */
static const char *match_level(const struct json_tensor *json, size_t depth, const char *pattern)
{
    if (!json->level[depth].object) return strncmp(pattern, "[]", 2) == 0 ? pattern + 2 : NULL;
    const struct key *key = key_of(json, depth);
    pattern += *pattern == '.';
    const size_t length = strcspn(pattern, ".[");
    if (!key || length == 0) return NULL;
    const bool any = length == 1 && *pattern == '*';
    if (!any && (length != key->size || memcmp(pattern, json->text + key->start, length) != 0))
        return NULL;
    return pattern + length;
}

bool json_is_at(const struct json_tensor *json, const char *const *places)
{
    for (const char *const *place = places; place && *place; place++) {
        const char *pattern = *place;
        for (size_t i = 0; pattern && i < json->depth; i++) pattern = match_level(json, i, pattern);
        if (pattern && !*pattern) return true;
    }
    return false;
}
