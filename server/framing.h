/* Whether a request's end, and who it is for, has one reading. More than one is how requests are
 * smuggled past whoever stands in front of the daemon. No state but the caller's: any thread. */
#ifndef SERVER_FRAMING_H
#define SERVER_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

struct framing {
    bool wants_host; /* of HTTP/1.1 on */
    size_t hosts, lengths, encodings;
    const char *length, *encoding; /* the last ones' values */
    bool malformed;
};

/* Start: {.wants_host = ...}. Takes a header. `name` and `value` point into the request, as
 * libmicrohttpd left it. */
void framing_add(struct framing *framing, const char *name, const char *value);
/* NULL: all is well; else what is wrong, a constant. */
const char *framing_error(const struct framing *framing);

#endif
