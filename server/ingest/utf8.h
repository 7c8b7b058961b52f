/* UTF-8, checked byte by byte: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef INGEST_UTF8_H
#define INGEST_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start: {0}. */
struct utf8 {
    unsigned missing;  /* bytes of the character that are still to come */
    uint8_t low, high; /* what the next one of them may be */
};

/* False when the byte can't come next. */
static inline bool utf8_push(struct utf8 *utf8, uint8_t byte)
{
    if (utf8->missing) {
        if (byte < utf8->low || byte > utf8->high) return false;
        *utf8 = (struct utf8){utf8->missing - 1, 0x80, 0xbf};
        return true;
    }
    *utf8 = (struct utf8){0, 0x80, 0xbf};
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    utf8->missing = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte == 0xe0) utf8->low = 0xa0;
    if (byte == 0xed) utf8->high = 0x9f;
    if (byte == 0xf0) utf8->low = 0x90;
    if (byte == 0xf4) utf8->high = 0x8f;
    return true;
}

/* Writes a character that is no surrogate and at most U+10FFFF; returns its bytes. */
static inline size_t utf8_encode(uint32_t character, char out[4])
{
    const size_t more = character < 0x80 ? 0 : character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    static const uint8_t lead[4] = {0, 0xc0, 0xe0, 0xf0};
    for (size_t i = more; i > 0; i--, character >>= 6) out[i] = (char)(0x80 | (character & 0x3f));
    out[0] = (char)(lead[more] | character);
    return more + 1;
}

#endif
