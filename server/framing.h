/* Whether a request's end has one reading. More than one is how requests are smuggled past whoever
 * stands in front of the daemon. No state but the caller's: any thread. */
#ifndef SERVER_FRAMING_H
#define SERVER_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

struct framing {
    size_t lengths, encodings;
    const char *length, *encoding; /* the last ones' values */
    bool malformed;
};

/* Takes a header. `name` and `value` point into the request, as libmicrohttpd left it. */
void framing_add(struct framing *framing, const char *name, const char *value);
/* NULL: all is well; else what is wrong, a constant. */
const char *framing_error(const struct framing *framing);

#endif
