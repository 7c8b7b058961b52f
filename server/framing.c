/* What is wrong with the lengths and the form of headers; see framing.h. */
#include "framing.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { MAX_GAP = 65536 }; /* bytes from one name or value to the next */

static bool is_token(const char *text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (const char *c = text; *c; c++) {
        const bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        if (!letter && !(*c >= '0' && *c <= '9') && !strchr(marks, *c)) return false;
    }
    return *text != '\0';
}

/* libmicrohttpd 0.9.75 reads headers where they lie, and puts NULs behind each name and in place of
 * the ends of lines. So it can be seen what it has passed over: what follows a NUL in a value, and
 * a line without a name, which it takes for the empty one at the end.
 *
 * The bytes of the ends of lines between the two, spaces left out; 0: there is something else. */
static size_t line_ends(const char *from, const char *to)
{
    size_t ends = 0;
    if ((uintptr_t)to - (uintptr_t)from > MAX_GAP) return 0;
    for (const char *c = from; c < to; c++) {
        if (*c == ' ' || *c == '\t') continue;
        if (*c != '\0' && *c != '\r' && *c != '\n') return 0;
        ends++;
    }
    return ends;
}

/* It also takes "Name : value", and glues a folded line to the name above it. The first is no
 * token; of the second, the name no longer stands right in front of its value. */
static bool is_malformed(const char *name, const char *value)
{
    const uintptr_t gap = (uintptr_t)value - (uintptr_t)name - strlen(name);
    for (const char *c = value; *c; c++)
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f) return true;
    return !is_token(name) || gap < 1 || gap > MAX_GAP;
}

void framing_add(struct framing *framing, const char *name, const char *value)
{
    const size_t ends = line_ends(framing->read, name);
    if (!framing->line_end) framing->line_end = ends; /* of the request line */
    framing->malformed |= !value || is_malformed(name, value) || ends != framing->line_end;
    framing->read = value ? value + strlen(value) : name;
    framing->hosts += !strcasecmp(name, "Host");
    if (!strcasecmp(name, "Content-Length")) {
        framing->lengths++;
        framing->length = value;
    }
    if (!strcasecmp(name, "Transfer-Encoding")) {
        framing->encodings++;
        framing->encoding = value;
    }
}

void framing_close(struct framing *framing, const char *body)
{
    const size_t ends = line_ends(framing->read, body), line_end = framing->line_end;
    if (!line_end)
        framing->malformed |= ends != 2 && ends != 4; /* no header at all */
    else
        framing->malformed |= line_end > 2 || ends != 2 * line_end;
}

const char *framing_error(const struct framing *framing)
{
    if (framing->malformed) return "a malformed or folded header";
    if (framing->lengths && framing->encodings) return "Content-Length and Transfer-Encoding";
    if (framing->lengths > 1 || framing->encodings > 1) return "more than one length";
    if (framing->encodings && strcasecmp(framing->encoding, "chunked"))
        return "a Transfer-Encoding other than chunked";
    if (framing->lengths && strspn(framing->length, "0123456789") != strlen(framing->length))
        return "a Content-Length that is no number";
    if (framing->hosts > 1) return "more than one Host";
    if (framing->wants_host && framing->hosts == 0) return "no Host";
    return NULL;
}
