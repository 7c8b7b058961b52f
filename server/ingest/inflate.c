/* zlib behind the names of inflate.h: the only zlib.h here. */
#include "ingest/inflate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ZLIB_CONST /* what is read is const */
#include <zlib.h>

/* Text of numbers shrinks to about half, pictures hardly. Nothing but zeros shrinks to a
 * thousandth: of that no more than MIN_SIZE is taken. */
#define MAX_RATIO ((size_t)INFLATE_MAX_RATIO)
#define MIN_SIZE  ((size_t)1 << 20)
#define PIECE     32768

struct inflater {
    z_stream stream;
    size_t max_size;
    size_t in, out; /* bytes so far */
    bool gzip;
    bool ended;
    unsigned char piece[PIECE];
};

bool coding_of(const char *header, enum coding *coding)
{
    static const struct {
        const char *name;
        enum coding coding;
    } known[] = {{"identity", CODING_NONE},
                 {"gzip", CODING_GZIP},
                 {"x-gzip", CODING_GZIP},
                 {"deflate", CODING_DEFLATE}};
    const size_t length = header ? strcspn(header, " \t") : 0;
    *coding = CODING_NONE;
    for (size_t i = 0; header && i < sizeof known / sizeof *known; i++)
        if (length == strlen(known[i].name) && !strncasecmp(header, known[i].name, length) &&
            !header[length + strspn(header + length, " \t")]) {
            *coding = known[i].coding;
            return true;
        }
    return header == NULL;
}

struct inflater *inflater_new(enum coding coding, size_t max_size)
{
    struct inflater *inflater = calloc(1, sizeof *inflater);
    if (!inflater) return NULL;
    inflater->max_size = max_size;
    inflater->gzip = coding == CODING_GZIP;
    const int window = inflater->gzip ? MAX_WBITS + 16 : MAX_WBITS; // 16: gzip's header
    if (inflateInit2(&inflater->stream, window) == Z_OK) return inflater;
    free(inflater);
    return NULL;
}

/* Bytes behind the end: with gzip another stream may follow (RFC 1952: a file is a series of
 * members). */
static bool begin_again(struct inflater *inflater)
{
    inflater->ended = false;
    return inflater->gzip && inflateReset(&inflater->stream) == Z_OK;
}

/* Counts a piece that came out. */
static bool count_out(struct inflater *inflater, size_t size)
{
    inflater->out += size;
    if (inflater->out > inflater->max_size) return false;
    return inflater->out <= MIN_SIZE || inflater->out / MAX_RATIO <= inflater->in;
}

static enum inflater_status status_of(int result)
{
    switch (result) {
    case Z_OK:
    case Z_STREAM_END:
    case Z_BUF_ERROR: return INFLATER_OK; // no more room or bytes: the loop goes on or ends
    case Z_MEM_ERROR: return INFLATER_NO_MEMORY;
    default: return INFLATER_WRONG;
    }
}

enum inflater_status inflater_feed(struct inflater *inflater, const void *bytes, size_t size,
                                   inflater_take_fn *take, void *context)
{
    z_stream *stream = &inflater->stream;
    const unsigned char *at = bytes;
    while (size > 0) {
        const uInt part = size < UINT32_MAX ? (uInt)size : UINT32_MAX;
        stream->next_in = at;
        stream->avail_in = part;
        do {
            if (inflater->ended && !begin_again(inflater)) return INFLATER_WRONG;
            stream->next_out = inflater->piece;
            stream->avail_out = PIECE;
            const uInt before = stream->avail_in;
            const int result = inflate(stream, Z_NO_FLUSH);
            inflater->in += before - stream->avail_in;
            const size_t came = PIECE - stream->avail_out;
            const enum inflater_status status = status_of(result);
            // what came out in front of damage, and of the limit, is taken first, or it would
            // matter how the body is split
            const size_t room =
                inflater->out < inflater->max_size ? inflater->max_size - inflater->out : 0;
            const size_t taken = came < room ? came : room;
            if (taken && !take(context, inflater->piece, taken)) return INFLATER_STOPPED;
            if (!count_out(inflater, came)) return INFLATER_TOO_LONG;
            if (status != INFLATER_OK) return status;
            inflater->ended = result == Z_STREAM_END;
        } while (stream->avail_in > 0 || (stream->avail_out == 0 && !inflater->ended));
        at += part;
        size -= part;
    }
    return INFLATER_OK;
}

bool inflater_complete(const struct inflater *inflater)
{
    return inflater->ended;
}

size_t inflater_size(const struct inflater *inflater)
{
    return inflater->out;
}

void inflater_free(struct inflater *inflater)
{
    if (!inflater) return;
    inflateEnd(&inflater->stream);
    free(inflater);
}
