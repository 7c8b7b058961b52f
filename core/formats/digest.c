#include "formats/digest.h"

#include <nettle/sha2.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"

#define LARGE ((size_t)1 << 20)   /* bytes that are worth a thread */
#define PIECE ((size_t)256 << 10) /* bytes that are read at once */

static void write_text(rn_digest *digest, struct sha256_ctx *state)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t sum[SHA256_DIGEST_SIZE];
    sha256_digest(state, sizeof sum, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        digest->text[2 * i] = hex[sum[i] >> 4];
        digest->text[2 * i + 1] = hex[sum[i] & 15];
    }
    digest->text[2 * sizeof sum] = '\0';
}

static rn_status read_pieces(rn_digest *digest, struct sha256_ctx *state, uint8_t *piece)
{
    const rn_file *file = &digest->file;
    for (size_t at = 0; at < file->size && !atomic_load(&digest->stop); at += PIECE) {
        const size_t size = rn_min(PIECE, file->size - at);
        const rn_status status = rn_file_read(file, at, size, piece, &digest->err);
        if (status != RN_OK) return status;
        sha256_update(state, size, piece);
    }
    return RN_OK;
}

static void *compute(void *context)
{
    rn_digest *digest = context;
    struct sha256_ctx state;
    sha256_init(&state);
    if (digest->file.bytes) {
        sha256_update(&state, digest->file.size, digest->file.bytes);
    } else {
        uint8_t *piece = rn_alloc(rn_min(PIECE, digest->file.size), 1, &digest->err);
        digest->status = piece ? read_pieces(digest, &state, piece) : RN_ERR_MEMORY;
        rn_free(piece);
    }
    write_text(digest, &state);
    return NULL;
}

void rn_digest_start(rn_digest *digest, const rn_file *file)
{
    *digest = (rn_digest){.file = *file};
    if (file->size >= LARGE)
        digest->started = pthread_create(&digest->thread, NULL, compute, digest) == 0;
}

void rn_digest_stop(rn_digest *digest)
{
    atomic_store(&digest->stop, true);
}

rn_status rn_digest_finish(rn_digest *digest, rn_error *err)
{
    if (digest->started)
        pthread_join(digest->thread, NULL);
    else
        compute(digest);
    digest->started = false;
    if (digest->status != RN_OK && err) *err = digest->err;
    return digest->status;
}

void rn_digest_join(rn_digest *digest, const rn_digest *side, size_t sides)
{
    struct sha256_ctx state;
    sha256_init(&state);
    sha256_update(&state, RN_DIGEST_TEXT - 1, (const uint8_t *)digest->text);
    for (size_t i = 0; i < sides; i++)
        sha256_update(&state, RN_DIGEST_TEXT - 1, (const uint8_t *)side[i].text);
    write_text(digest, &state);
}
