/* Any bytes as a Content-Type, up to the first newline, and a multipart body: each part lies inside
 * the body, behind the one before it, and is followed by the boundary. */
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

static void check_inside(const struct multipart_text *text, const char *from, const char *end)
{
    if (text->size && (text->at < from || text->at > end || text->size > (size_t)(end - text->at)))
        abort();
}

static const char *check_part(const struct multipart *form, const struct multipart_part *part,
                              const char *from)
{
    const char *end = form->bytes + form->size, *behind = part->content.at + part->content.size;
    const size_t length = strlen(form->boundary);
    if (part->content.at < from || part->content.at > end || behind > end) abort();
    check_inside(&part->name, from, part->content.at);
    check_inside(&part->type, from, part->content.at);
    check_inside(&part->encoding, from, part->content.at);
    // "\r\n--boundary" follows; an empty part may share its end of line with the headers
    if (end - behind >= 4 && memcmp(behind, "\r\n--", 4) == 0) behind += 2;
    if ((size_t)(end - behind) < 2 + length || memcmp(behind, "--", 2) != 0 ||
        memcmp(behind + 2, form->boundary, length) != 0)
        abort();
    return part->content.at + part->content.size;
}

static void check_parts(const char *body, size_t size, const char *boundary)
{
    struct multipart form = {.bytes = body, .size = size, .boundary = boundary};
    struct multipart_part part;
    const char *problem, *from = body;
    while (multipart_next(&form, &part, &problem)) from = check_part(&form, &part, from);
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
        check_parts(body, body_size, boundary);
    }
    free(type);
    free(body);
    return 0;
}
