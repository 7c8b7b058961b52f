/* A growing run of bytes; see buffer.h. */
#include "buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->failed) return false;
    if (more < buffer->capacity - buffer->size) return true; /* one byte stays for the NUL */
    size_t want;
    if (buffer->fixed) goto fail;
    if (__builtin_add_overflow(buffer->size, more, &want) || want > SIZE_MAX / 2) goto fail;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity <= want) capacity *= 2;
    char *bytes = realloc(buffer->bytes, capacity);
    if (!bytes) goto fail;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
fail:
    buffer->failed = true;
    return false;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
    if (!buffer_reserve(buffer, size)) return;
    if (size) memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
    buffer->bytes[buffer->size] = '\0';
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    enum { USUAL = 128 };
    va_list arguments, again;
    if (!buffer_reserve(buffer, USUAL)) return;
    va_start(arguments, format);
    va_copy(again, arguments);
    const size_t room = buffer->capacity - buffer->size;
    const int length = vsnprintf(buffer->bytes + buffer->size, room, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < room) {
        buffer->size += (size_t)length;
    } else if (length >= 0 && buffer_reserve(buffer, (size_t)length)) {
        vsnprintf(buffer->bytes + buffer->size, (size_t)length + 1, format, again);
        buffer->size += (size_t)length;
    }
    va_end(again);
}

void buffer_decimal(struct buffer *buffer, uint64_t units, unsigned decimals)
{
    char text[32], *const end = text + sizeof text, *at = end;
    for (unsigned digits = 0; units || digits <= decimals; digits++) {
        if (decimals && digits == decimals) *--at = '.';
        *--at = (char)('0' + units % 10);
        units /= 10;
    }
    buffer_append(buffer, at, (size_t)(end - at));
}

/* Bytes of the UTF-8 character at text, 0 when it is not one. Stops at the NUL by itself. */
static size_t utf8_length(const unsigned char *text)
{
    if (text[0] < 0x80) return 1;
    size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4) return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80) return 0;
    const bool overlong =
        (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    const bool surrogate = text[0] == 0xed && text[1] > 0x9f;
    const bool beyond = text[0] == 0xf4 && text[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

void buffer_json_string(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, "\"", 1);
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        const size_t length = utf8_length(c);
        if (*c == '"' || *c == '\\')
            buffer_format(buffer, "\\%c", *c);
        else if (*c < 0x20 || *c == 0x7f)
            buffer_format(buffer, "\\u%04x", *c);
        else if (length == 0)
            buffer_text(buffer, "\\ufffd");
        else
            buffer_append(buffer, c, length);
        c += length ? length : 1;
    }
    buffer_append(buffer, "\"", 1);
}

void buffer_free(struct buffer *buffer)
{
    if (!buffer->fixed) free(buffer->bytes);
    *buffer = (struct buffer){0};
}
