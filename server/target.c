/* The request target; see target.h. */
#include "target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char target_no_memory[] = "no memory";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Decodes in place. In a path, an encoded slash would make two spellings of one path: refused. */
static const char *decode(char *text, bool is_path)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        int c = (unsigned char)*from;
        const bool escaped = c == '%';
        if (escaped) {
            const int high = hex_value(from[1]), low = high < 0 ? -1 : hex_value(from[2]);
            if (low < 0) return "broken % escape";
            c = high * 16 + low;
            from += 2;
        } else if (c == '+' && !is_path) {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f) return "control character";
        if (is_path && (c == '\\' || (escaped && c == '/'))) return "escaped slash or backslash";
        *to++ = (char)c;
    }
    *to = '\0';
    return NULL;
}

/* "/a/b": no segment may be empty, "." or "..". */
static const char *check_segments(const char *path)
{
    if (*path != '/') return "does not begin with a slash";
    if (!path[1]) return NULL;
    while (*path) {
        const char *segment = path + 1;
        const size_t length = strcspn(segment, "/");
        if (length == 0) return "empty segment";
        if ((length == 1 && segment[0] == '.') || (length == 2 && !memcmp(segment, "..", 2)))
            return "dot segment";
        path = segment + length;
    }
    return NULL;
}

static const char *read_path(struct target *target, char *path)
{
    static const char *const scheme[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++)
        if (!strncasecmp(path, scheme[i], strlen(scheme[i]))) {
            path += strlen(scheme[i]);
            path += strcspn(path, "/");
            if (!*path) return NULL; /* no path: that of `target` from the start */
        }
    const char *error = decode(path, true);
    if (error) return error;
    const size_t length = strlen(path);
    if (length > 1 && path[length - 1] == '/') path[length - 1] = '\0';
    target->path = path;
    return check_segments(path);
}

static const char *read_query(struct target *target, char *query)
{
    while (*query) {
        char *next = query + strcspn(query, "&");
        if (*next) *next++ = '\0';
        char *value = query + strcspn(query, "=");
        if (*value) *value++ = '\0';
        const char *error = decode(query, false);
        if (!error) error = decode(value, false);
        if (error) return error;
        if (*query) {
            if (target_query(target, query)) return "parameter given twice";
            if (target->queries == TARGET_PARAMETERS) return "too many parameters";
            target->query[target->queries++] = (struct target_parameter){query, value};
        }
        query = next;
    }
    return NULL;
}

bool target_parse(struct target *target, const char *raw, const char **error)
{
    const size_t size = strlen(raw) + 1;
    *target = (struct target){.path = "/", .text = malloc(size)};
    *error = target_no_memory;
    if (!target->text) return false;
    char *path = memcpy(target->text, raw, size);
    char *query = path + strcspn(path, "?");
    if (*query) *query++ = '\0';
    *error = strchr(path, '#') || strchr(query, '#') ? "fragment" : read_path(target, path);
    if (!*error) *error = read_query(target, query);
    return !*error;
}

void target_free(struct target *target)
{
    free(target->text);
    *target = (struct target){.path = "/"};
}

const char *target_query(const struct target *target, const char *name)
{
    for (size_t i = 0; i < target->queries; i++)
        if (!strcmp(target->query[i].name, name)) return target->query[i].value;
    return NULL;
}

const char *target_capture(const struct target *target, const char *name)
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < target->captures; i++) {
        const struct target_capture *capture = &target->capture[i];
        if (!strncmp(capture->name, name, length) && capture->name[length] == '}')
            return capture->value;
    }
    return NULL;
}
