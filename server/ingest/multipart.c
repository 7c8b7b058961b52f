/* RFC 7578 over RFC 2046: where the parts of a form lie, and what their headers say. Nothing
 * between the first delimiter and the last is passed over. */
#include "ingest/multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* strcspn() and strspn() up to an end. */
static const char *skip_until(const char *at, const char *end, const char *stops)
{
    while (at < end && !strchr(stops, *at)) at++;
    return at;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    return at;
}

/* The value of a parameter behind the header's first ';', without its quotes; NULL: there is none,
 * or its quotes have no end. */
static const char *parameter(const char *at, const char *end, const char *name, size_t *length)
{
    const size_t name_length = strlen(name);
    at = skip_until(at, end, ";");
    while (at < end) {
        at = skip_space(at + 1, end);
        const bool found = (size_t)(end - at) > name_length && at[name_length] == '=' &&
                           !strncasecmp(at, name, name_length);
        at = skip_until(at, end, "=;");
        at += at < end && *at == '=';
        const bool quoted = at < end && *at == '"';
        at += quoted;
        const char *stop = skip_until(at, end, quoted ? "\"" : "; \t");
        if (quoted && stop == end) return NULL;
        *length = (size_t)(stop - at);
        if (found) return at;
        at = skip_until(stop, end, ";");
    }
    return NULL;
}

bool multipart_boundary(const char *content_type, char boundary[MULTIPART_BOUNDARY_SIZE])
{
    size_t length;
    const char *end = content_type + strlen(content_type);
    const char *value = parameter(content_type, end, "boundary", &length);
    if (!value || length == 0 || length >= MULTIPART_BOUNDARY_SIZE) return false;
    memcpy(boundary, value, length);
    boundary[length] = '\0';
    return true;
}

/* The value of a header line, if it is this one. */
static bool is_header(const char *line, const char *end, const char *name, const char **value)
{
    const size_t length = strlen(name);
    if ((size_t)(end - line) <= length || line[length] != ':' || strncasecmp(line, name, length))
        return false;
    *value = skip_space(line + length + 1, end);
    return true;
}

static struct multipart_text text_until(const char *at, const char *end, const char *stops)
{
    return (struct multipart_text){at, (size_t)(skip_until(at, end, stops) - at)};
}

/* Whether a value of Content-Transfer-Encoding leaves the bytes as they are. */
static bool is_plain(const struct multipart_text *encoding)
{
    static const char *const plain[] = {"binary", "8bit", "7bit", "identity"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (encoding->size == strlen(plain[i]) &&
            !strncasecmp(encoding->at, plain[i], encoding->size))
            return true;
    return encoding->size == 0;
}

/* Lines that end with CR LF. */
static void read_headers(const char *line, const char *end, struct multipart_part *part)
{
    for (const char *stop; line < end; line = stop + 2) {
        const char *value;
        size_t length;
        stop = memmem(line, (size_t)(end - line), "\r\n", 2);
        if (!stop) return;
        if (is_header(line, stop, "Content-Disposition", &value)) {
            const char *name = parameter(value, stop, "name", &length);
            part->name = (struct multipart_text){name, name ? length : 0};
        } else if (is_header(line, stop, "Content-Type", &value)) {
            part->type = text_until(value, stop, "; \t");
        } else if (is_header(line, stop, "Content-Transfer-Encoding", &value) ||
                   is_header(line, stop, "Content-Encoding", &value)) {
            const struct multipart_text encoding = text_until(value, stop, "; \t");
            if (!is_plain(&encoding)) part->encoding = encoding;
        }
    }
}

/* Behind the first delimiter, which may be the very beginning; NULL: there is none. */
static const char *find_first(const struct multipart *form, const char *delimiter, size_t length)
{
    if (form->size >= length - 2 && !memcmp(form->bytes, delimiter + 2, length - 2))
        return form->bytes + length - 2;
    const char *at = memmem(form->bytes, form->size, delimiter, length);
    return at ? at + length : NULL;
}

/* The line of the delimiter goes to its end; what a client may have meant by more is not known. */
static bool end_delimiter(const char **at, const char *end, bool *last, const char **problem)
{
    *last = end - *at >= 2 && memcmp(*at, "--", 2) == 0;
    if (*last) return true;
    *at = skip_space(*at, end);
    if (end - *at >= 2 && memcmp(*at, "\r\n", 2) == 0) return true;
    *problem = *at == end ? "the form ends before its last boundary, which has -- behind it"
                          : "something behind a boundary, in its line";
    return false;
}

bool multipart_next(struct multipart *form, struct multipart_part *part, const char **problem)
{
    char delimiter[MULTIPART_BOUNDARY_SIZE + 4];
    const size_t length = (size_t)snprintf(delimiter, sizeof delimiter, "\r\n--%s", form->boundary);
    const char *at = form->at, *end = form->bytes + form->size;
    bool last;
    *part = (struct multipart_part){0};
    *problem = NULL;
    if (!at) at = find_first(form, delimiter, length);
    if (!at) {
        *problem = "the multipart boundary is not in the body";
        return false;
    }
    if (!end_delimiter(&at, end, &last, problem) || last) return false;
    const char *content = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
    if (!content || memmem(at, (size_t)(content - at), delimiter, length)) {
        *problem = "the headers of a part have no end";
        return false;
    }
    read_headers(at + 2, content + 2, part);
    content += 4;
    // an empty content follows its headers' end at once
    const char *behind = memmem(content - 2, (size_t)(end - content + 2), delimiter, length);
    if (!behind) {
        *problem = "a part has no end";
        return false;
    }
    part->content =
        (struct multipart_text){content, behind < content ? 0 : (size_t)(behind - content)};
    form->at = behind + length;
    return true;
}
