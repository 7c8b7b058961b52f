/* A body that says nothing until it is whole, a picture or a .npy file: its bytes are collected as
 * they arrive, and the form's own function turns them into floats. */
#include <stdlib.h>

#include "buffer.h"
#include "ingest/form.h"

struct whole {
    struct buffer body;
    ingest_read read;
};

bool ingest_whole_begin(struct ingest *ingest, ingest_read read)
{
    struct whole *whole = calloc(1, sizeof *whole);
    ingest->state = whole;
    if (!whole) return false;
    whole->read = read;
    return buffer_reserve(&whole->body, ingest->spec.body_size);
}

bool ingest_whole_feed(struct ingest *ingest, const void *bytes, size_t size)
{
    struct whole *whole = ingest->state;
    buffer_append(&whole->body, bytes, size);
    return !whole->body.failed || ingest_fail_memory(ingest);
}

bool ingest_whole_finish(struct ingest *ingest)
{
    struct whole *whole = ingest->state;
    const struct buffer *all = &whole->body;
    const struct whole_body body = {all->size ? all->bytes : "", all->size, &ingest->spec};
    const bool good = whole->read(&body, &ingest->result.tensor, &ingest->error);
    buffer_free(&whole->body); // the request may wait for long
    return good;
}

void ingest_whole_release(struct ingest *ingest)
{
    struct whole *whole = ingest->state;
    if (whole) buffer_free(&whole->body);
    free(whole);
}
