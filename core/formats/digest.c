#include "formats/digest.h"

#include <nettle/sha2.h>

void rn_digest(const uint8_t *bytes, size_t size, char text[RN_DIGEST_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t sum[SHA256_DIGEST_SIZE];
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, size, bytes);
    sha256_digest(&context, sizeof sum, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        text[2 * i] = hex[sum[i] >> 4];
        text[2 * i + 1] = hex[sum[i] & 15];
    }
    text[2 * sizeof sum] = '\0';
}
