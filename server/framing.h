/* Whether a request's end, and who it is for, has one reading. More than one is how requests are
 * smuggled past whoever stands in front of the daemon. No state but the caller's: any thread. */
#ifndef SERVER_FRAMING_H
#define SERVER_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

struct framing {
    bool wants_host;  /* of HTTP/1.1 on */
    const char *read; /* what was taken ends here: the request line at first */
    size_t line_end;  /* bytes: all lines end in one way */
    size_t hosts, lengths, encodings;
    const char *length, *encoding; /* the last ones' values */
    bool malformed;
};

/* Start: {.wants_host = ..., .read = ...}. Takes the next header. `name` and `value` point into the
 * request, as libmicrohttpd left it. */
void framing_add(struct framing *framing, const char *name, const char *value);
/* All headers were taken; where libmicrohttpd takes the body to begin. */
void framing_close(struct framing *framing, const char *body);
/* NULL: all is well; else what is wrong, a constant. */
const char *framing_error(const struct framing *framing);

#endif
