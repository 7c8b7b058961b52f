/* The digest that names a weights file's content, whatever it is called and wherever it lies. Large
 * files take a while: it is computed beside the rest of the loading, from bytes of its own reading,
 * which base/file.c holds to be the same that everybody else reads. */
#ifndef RN_FORMATS_DIGEST_H
#define RN_FORMATS_DIGEST_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/file.h"
#include "base/error.h"

#define RN_DIGEST_TEXT 65 /* 64 hex digits and the end */

typedef struct {
    rn_file file;
    char text[RN_DIGEST_TEXT]; /* SHA-256, valid after rn_digest_finish() */
    pthread_t thread;
    bool started; /* a thread of its own is at it */
    atomic_bool stop;
    rn_status status;
    rn_error err;
} rn_digest;

/* The file must stay open, and *digest where it is, until rn_digest_finish(), which has to follow.
 */
void rn_digest_start(rn_digest *digest, const rn_file *file);

/* Nobody wants the result any more: finish comes sooner. */
void rn_digest_stop(rn_digest *digest);

/* Waits for the result. */
rn_status rn_digest_finish(rn_digest *digest, rn_error *err);

/* A network in several files: the digest of their digests' texts, the weights file's first. All are
 * finished. */
void rn_digest_join(rn_digest *digest, const rn_digest *side, size_t sides);

#endif
