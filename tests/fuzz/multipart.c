/* Any bytes as a Content-Type, up to the first newline, and a multipart body: a part that is found
 * lies inside the body and is followed by the boundary. */
#include "ingest/multipart.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char *copy_of(const void *bytes, size_t size)
{
    char *copy = malloc(size + 1);
    if (!copy) abort();
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

static void check_part(const char *body, size_t size, const char *boundary)
{
    const char *part;
    size_t part_size;
    if (multipart_find(&(struct multipart){body, size, boundary}, "b", &part, &part_size)) return;
    const size_t length = strlen(boundary);
    if (part < body || part_size > size || part + part_size > body + size) abort();
    // "\r\n--boundary" follows; an empty part may share its end of line with the headers
    const char *behind = part + part_size;
    const size_t left = (size_t)(body + size - behind);
    if (left >= 4 && memcmp(behind, "\r\n--", 4) == 0) behind += 2;
    if ((size_t)(body + size - behind) < 2 + length || memcmp(behind, "--", 2) != 0 ||
        memcmp(behind + 2, boundary, length) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char boundary[MULTIPART_BOUNDARY_SIZE];
    const uint8_t *line = memchr(bytes, '\n', size);
    if (!line) return 0;
    const size_t type_size = (size_t)(line - bytes), body_size = size - type_size - 1;
    char *type = copy_of(bytes, type_size);
    char *body = malloc(body_size ? body_size : 1);
    if (!body) abort();
    memcpy(body, line + 1, body_size);
    if (multipart_boundary(type, boundary)) {
        if (!*boundary || strlen(boundary) >= sizeof boundary) abort();
        check_part(body, body_size, boundary);
    }
    free(type);
    free(body);
    return 0;
}
