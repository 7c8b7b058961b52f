#include "formats/digest.h"

#include <nettle/sha2.h>
#include <string.h>

#include "base/mem.h"

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

rn_status rn_digest_join(rn_digest *digest, const rn_side_file *side, size_t sides, rn_error *err)
{
    const size_t each = RN_DIGEST_TEXT - 1;
    rn_digest *all = rn_alloc(sides, sizeof *all, err);
    uint8_t *texts = rn_alloc(sides + 1, each, err);
    for (size_t i = 0; all && texts && i < sides; i++)
        rn_digest_start(&all[i], side[i].file.bytes, side[i].file.size);
    for (size_t i = 0; all && texts && i < sides; i++) {
        rn_digest_finish(&all[i]);
        memcpy(texts + (i + 1) * each, all[i].text, each);
    }
    if (all && texts) {
        memcpy(texts, digest->text, each);
        *digest = (rn_digest){.bytes = texts, .size = (sides + 1) * each};
        compute(digest);
    }
    const rn_status status = all && texts ? RN_OK : RN_ERR_MEMORY;
    rn_free(all);
    rn_free(texts);
    return status;
}
