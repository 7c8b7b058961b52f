/* Any bytes as a compressed body: whole and in pieces the same comes out, and never more than the
 * limit. The first byte chooses coding and pieces. */
#include "ingest/inflate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 5000 };

struct sink {
    char bytes[MOST];
    size_t size;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool take(void *context, const void *bytes, size_t size)
{
    struct sink *sink = context;
    if (size > MOST - sink->size) abort();
    memcpy(sink->bytes + sink->size, bytes, size);
    sink->size += size;
    return true;
}

static enum inflater_status unpack(struct sink *sink, enum coding coding, const uint8_t *bytes,
                                   size_t size, size_t piece)
{
    struct inflater *inflater = inflater_new(coding, MOST);
    enum inflater_status status = INFLATER_OK;
    if (!inflater) abort();
    for (size_t at = 0; at < size && status == INFLATER_OK; at += piece)
        status =
            inflater_feed(inflater, bytes + at, size - at < piece ? size - at : piece, take, sink);
    if (status == INFLATER_OK && inflater_size(inflater) != sink->size) abort();
    inflater_free(inflater);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2) return 0;
    struct sink whole = {.size = 0}, pieces = {.size = 0};
    const enum coding coding = bytes[0] & 1 ? CODING_GZIP : CODING_DEFLATE;
    const enum inflater_status a = unpack(&whole, coding, bytes + 1, size - 1, size);
    const enum inflater_status b = unpack(&pieces, coding, bytes + 1, size - 1, 1 + bytes[0] / 2);
    // a ratio that is too high may show itself earlier in pieces
    if (a == INFLATER_TOO_LONG || b == INFLATER_TOO_LONG) return 0;
    if (a != b) abort();
    if (a == INFLATER_OK &&
        (whole.size != pieces.size || memcmp(whole.bytes, pieces.bytes, whole.size) != 0))
        abort();
    return 0;
}
