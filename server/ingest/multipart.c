/* RFC 7578, as far as one part of it goes: which part, and where its content lies. */
#include "ingest/multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The value of a parameter behind the header's first ';', without its quotes; NULL: there is none,
 * or its quotes have no end. */
static const char *parameter(const char *header, const char *name, size_t *length)
{
    const size_t name_length = strlen(name);
    const char *at = header + strcspn(header, ";");
    while (*at) {
        at += 1 + strspn(at + 1, " \t");
        const bool found = !strncasecmp(at, name, name_length) && at[name_length] == '=';
        at += strcspn(at, "=;");
        at += *at == '=';
        const bool quoted = *at == '"';
        at += quoted;
        *length = strcspn(at, quoted ? "\"" : "; \t");
        if (quoted && !at[*length]) return NULL;
        if (found) return at;
        at += *length;
        at += strcspn(at, ";");
    }
    return NULL;
}

bool multipart_boundary(const char *content_type, char boundary[MULTIPART_BOUNDARY_SIZE])
{
    size_t length;
    const char *value = parameter(content_type, "boundary", &length);
    if (!value || length == 0 || length >= MULTIPART_BOUNDARY_SIZE) return false;
    memcpy(boundary, value, length);
    boundary[length] = '\0';
    return true;
}

/* Whether a part's headers, lines that end with CR LF, name it so. */
static bool has_name(const char *headers, const char *end, const char *name)
{
    static const char header[] = "Content-Disposition:";
    enum { MOST = 256 }; /* of a line: longer ones name something else */
    for (const char *line = headers, *stop; line < end; line = stop + 2) {
        char text[MOST];
        size_t length;
        stop = memmem(line, (size_t)(end - line), "\r\n", 2);
        if (!stop) return false;
        snprintf(text, sizeof text, "%.*s", (int)(stop - line < MOST ? stop - line : MOST - 1),
                 line);
        if (strncasecmp(text, header, sizeof header - 1) != 0) continue;
        const char *value = parameter(text, "name", &length);
        return value && length == strlen(name) && !memcmp(value, name, length);
    }
    return false;
}

const char *multipart_find(const struct multipart *body, const char *name, const char **part,
                           size_t *part_size)
{
    char delimiter[MULTIPART_BOUNDARY_SIZE + 4];
    const size_t length = (size_t)snprintf(delimiter, sizeof delimiter, "\r\n--%s", body->boundary);
    const char *end = body->bytes + body->size;
    // the first delimiter may be the very beginning
    const bool first = body->size >= length - 2 && !memcmp(body->bytes, delimiter + 2, length - 2);
    const char *at = first ? body->bytes : memmem(body->bytes, body->size, delimiter, length);
    if (!at) return "the multipart boundary is not in the body";
    *part = NULL;
    for (at += first ? length - 2 : length;; at += length) {
        const char *headers = memmem(at, (size_t)(end - at), "\r\n", 2);
        const bool last = end - at >= 2 && memcmp(at, "--", 2) == 0;
        if (!headers || last) return *part ? NULL : "no part in the body";
        const char *content = memmem(headers, (size_t)(end - headers), "\r\n\r\n", 4);
        if (!content) return "the headers of a part have no end";
        const bool wanted = has_name(headers + 2, content + 2, name);
        content += 4;
        // an empty content follows its headers' end at once
        at = memmem(content - 2, (size_t)(end - content + 2), delimiter, length);
        if (!at) return "a part has no end";
        if (!*part || wanted) {
            *part = content;
            *part_size = at < content ? 0 : (size_t)(at - content);
        }
        if (wanted) return NULL;
    }
}
