/* Bodies that were compressed with gzip or deflate (the zlib format), unpacked while they arrive.
 *
 * What comes out is counted: it may be no more than a limit, nor more than a multiple of what came
 * in, so that a small body can't become a large one. One thread at a time. */
#ifndef SERVER_INGEST_INFLATE_H
#define SERVER_INGEST_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

enum coding { CODING_NONE, CODING_GZIP, CODING_DEFLATE };

/* What comes out may be so many times what came in, once it is more than 1 MiB. */
enum { INFLATE_MAX_RATIO = 200 };

/* The coding of a Content-Encoding header, NULL for none; false when it is not understood. */
bool coding_of(const char *header, enum coding *coding);

struct inflater;

/* Takes the bytes that come out; false ends the reading. */
typedef bool inflater_take_fn(void *context, const void *bytes, size_t size);

enum inflater_status {
    INFLATER_OK,
    INFLATER_STOPPED,  /* take() said so */
    INFLATER_WRONG,    /* not this coding, or damaged */
    INFLATER_TOO_LONG, /* longer than max_size, or beyond the ratio */
    INFLATER_NO_MEMORY,
};

/* NULL: no memory. max_size: bytes in all that may come out. */
struct inflater *inflater_new(enum coding coding, size_t max_size);

/* Unpacks the bytes and hands what comes out to take(), in pieces. */
enum inflater_status inflater_feed(struct inflater *inflater, const void *bytes, size_t size,
                                   inflater_take_fn *take, void *context);

/* Whether the compressed stream is at an end. */
bool inflater_complete(const struct inflater *inflater);

/* Bytes that came out. */
size_t inflater_size(const struct inflater *inflater);

void inflater_free(struct inflater *inflater);

#endif
