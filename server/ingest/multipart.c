/* RFC 7578, as far as one part of it goes: the part's headers are skipped. */
#include "ingest/multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool multipart_boundary(const char *content_type, char boundary[MULTIPART_BOUNDARY_SIZE])
{
    static const char name[] = "boundary=";
    const char *at = strchr(content_type, ';');
    while (at) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, name, sizeof name - 1) == 0) break;
        at = strchr(at, ';');
    }
    if (!at) return false;
    at += sizeof name - 1;
    const bool quoted = *at == '"';
    at += quoted;
    const size_t length = strcspn(at, quoted ? "\"" : "; \t");
    if (length == 0 || length >= MULTIPART_BOUNDARY_SIZE || (quoted && !at[length])) return false;
    memcpy(boundary, at, length);
    boundary[length] = '\0';
    return true;
}

const char *multipart_first(const char *body, size_t size, const char *boundary, const char **part,
                            size_t *part_size)
{
    char delimiter[MULTIPART_BOUNDARY_SIZE + 4];
    const size_t length = (size_t)snprintf(delimiter, sizeof delimiter, "\r\n--%s", boundary);
    const char *end = body + size;
    // the first delimiter may be the very beginning
    const char *at = size >= length - 2 && memcmp(body, delimiter + 2, length - 2) == 0
                         ? body + length - 2
                         : memmem(body, size, delimiter, length);
    if (!at) return "the multipart boundary is not in the body";
    if (at != body + length - 2) at += length;
    const char *headers = memmem(at, (size_t)(end - at), "\r\n", 2);
    if (!headers || (end - at >= 2 && memcmp(at, "--", 2) == 0)) return "no part in the body";
    const char *content = memmem(headers, (size_t)(end - headers), "\r\n\r\n", 4);
    if (!content) return "the headers of the first part have no end";
    content += 4;
    // an empty content follows its headers' end at once
    const char *stop = memmem(content - 2, (size_t)(end - content + 2), delimiter, length);
    if (!stop) return "the first part has no end";
    *part = content;
    *part_size = stop < content ? 0 : (size_t)(stop - content);
    return NULL;
}
