#include "formats/digest.h"

#include <nettle/sha2.h>

#define LARGE ((size_t)1 << 20) /* bytes that are worth a thread */

static void *compute(void *context)
{
    static const char hex[] = "0123456789abcdef";
    rn_digest *digest = context;
    uint8_t sum[SHA256_DIGEST_SIZE];
    struct sha256_ctx state;
    sha256_init(&state);
    sha256_update(&state, digest->size, digest->bytes);
    sha256_digest(&state, sizeof sum, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        digest->text[2 * i] = hex[sum[i] >> 4];
        digest->text[2 * i + 1] = hex[sum[i] & 15];
    }
    digest->text[2 * sizeof sum] = '\0';
    return NULL;
}

void rn_digest_start(rn_digest *digest, const uint8_t *bytes, size_t size)
{
    *digest = (rn_digest){.bytes = bytes, .size = size};
    if (size >= LARGE)
        digest->started = pthread_create(&digest->thread, NULL, compute, digest) == 0;
}

void rn_digest_finish(rn_digest *digest)
{
    if (digest->started)
        pthread_join(digest->thread, NULL);
    else
        compute(digest);
}
