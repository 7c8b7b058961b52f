/* Bodies of answers for clients that take them compressed. No state: any thread. */
#ifndef SERVER_COMPRESS_H
#define SERVER_COMPRESS_H

#include "buffer.h"

enum { COMPRESS_LEAST = 1024 }; /* bytes below which nothing is gained */

/* Compresses the body in the coding that the Accept-Encoding header (NULL: there was none) likes
 * best, when it likes one no less than the plain body, and the body gets smaller. The coding's
 * name, for Content-Encoding; NULL: the body is as it was. */
const char *compress_body(struct buffer *body, const char *accept_encoding);

#endif
