/* The digest that names a weights file's content, whatever it is called and wherever it lies. Large
 * files take a while: it is computed beside the rest of the loading. */
#ifndef RN_FORMATS_DIGEST_H
#define RN_FORMATS_DIGEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/tensors.h"

#define RN_DIGEST_TEXT 65 /* 64 hex digits and the end */

typedef struct {
    const uint8_t *bytes;
    size_t size;
    char text[RN_DIGEST_TEXT]; /* SHA-256, valid after rn_digest_finish() */
    pthread_t thread;
    bool started; /* a thread of its own is at it */
} rn_digest;

/* The bytes must stay until rn_digest_finish(), which has to follow. */
void rn_digest_start(rn_digest *digest, const uint8_t *bytes, size_t size);
void rn_digest_finish(rn_digest *digest);

/* A network in several files: the digest of their digests' texts, the weights file's first. */
rn_status rn_digest_join(rn_digest *digest, const rn_side_file *side, size_t sides, rn_error *err);

#endif
