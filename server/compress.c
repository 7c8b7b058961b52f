/* zlib for answers; see compress.h. */
#include "compress.h"

#include <stdint.h>

#include "accept.h"

#define ZLIB_CONST /* what is read is const */
#include <zlib.h>

/* Numbers as text shrink to half at once; more effort gains a few percent. */
enum { LEVEL = 1, MEMORY = 8, GZIP_HEADER = 16 };

static const struct {
    const char *name;
    int window;
} coding[] = {{"gzip", MAX_WBITS + GZIP_HEADER}, {"deflate", MAX_WBITS}};
enum { CODINGS = sizeof coding / sizeof *coding };

/* False: not smaller, or no memory. */
static bool pack(struct buffer *packed, const struct buffer *body, int window)
{
    z_stream stream = {.next_in = (const Bytef *)body->bytes, .avail_in = (uInt)body->size};
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, window, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bool good = buffer_reserve(packed, body->size);
    if (good) {
        stream.next_out = (Bytef *)packed->bytes;
        stream.avail_out = (uInt)body->size - 1;
        good = deflate(&stream, Z_FINISH) == Z_STREAM_END;
        packed->size = stream.total_out;
    }
    deflateEnd(&stream);
    return good;
}

const char *compress_body(struct buffer *body, const char *accept_encoding)
{
    int best = -1, best_q = 0;
    if (!accept_encoding || body->size < COMPRESS_LEAST || body->size > UINT32_MAX) return NULL;
    for (int i = 0; i < CODINGS; i++) {
        const int q = accept_encoding_q(accept_encoding, coding[i].name, 0);
        if (q <= best_q) continue;
        best = i;
        best_q = q;
    }
    if (best < 0 || best_q < accept_encoding_q(accept_encoding, "identity", 1)) return NULL;
    struct buffer packed = {0};
    if (!pack(&packed, body, coding[best].window)) {
        buffer_free(&packed);
        return NULL;
    }
    buffer_free(body);
    *body = packed;
    return coding[best].name;
}
