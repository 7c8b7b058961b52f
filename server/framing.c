/* What is wrong with the lengths and the form of headers; see framing.h. */
#include "framing.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { MAX_GAP = 65536 }; /* bytes from the end of a name to its value */

static bool is_token(const char *text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (const char *c = text; *c; c++) {
        const bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        if (!letter && !(*c >= '0' && *c <= '9') && !strchr(marks, *c)) return false;
    }
    return *text != '\0';
}

/* libmicrohttpd 0.9.75 takes "Name : value", and glues a folded line to the name of the header
 * above it. The first is no token; of the second, the name no longer stands right in front of its
 * value. */
static bool is_malformed(const char *name, const char *value)
{
    const uintptr_t gap = (uintptr_t)value - (uintptr_t)name - strlen(name);
    for (const char *c = value; *c; c++)
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f) return true;
    return !is_token(name) || gap < 1 || gap > MAX_GAP;
}

void framing_add(struct framing *framing, const char *name, const char *value)
{
    framing->malformed |= !value || is_malformed(name, value);
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
    if (framing->hosts < framing->wants_host) return "no Host";
    return NULL;
}
