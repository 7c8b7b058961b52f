/* Content negotiation (RFC 9110, section 12.5): what of the things offered a client wants most.
 *
 * Works on the headers' text as it came, and takes more than the grammar has, as clients send more:
 * ".2" and "1." for a q, "*" for all types, "x-gzip" for gzip (section 8.4.1.3). A q that can't be
 * read is the least one, above 0. No state: any thread. */
#ifndef SERVER_ACCEPT_H
#define SERVER_ACCEPT_H

#include <stddef.h>

enum { ACCEPT_NONE = -1 };

/* Accept: the index of the offered media type ("application/json") with the highest q, the first of
 * equals; ACCEPT_NONE: the client refuses all. header NULL or without an element: whatever there
 * is. */
int accept_type(const char *header, const char *const *offers, size_t count);

/* The q of a name in Accept-Encoding in thousandths, 0: refused; `absent` where neither it nor "*"
 * is named. */
int accept_encoding_q(const char *header, const char *name, int absent);

#endif
