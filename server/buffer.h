/* A growing run of bytes: what answers, log lines and metrics are written into.
 *
 * A failed allocation is remembered in `failed` and later calls do nothing, so a writer checks once
 * at its end. The bytes are always followed by a NUL that size does not count (once anything was
 * written). One thread at a time. */
#ifndef SERVER_BUFFER_H
#define SERVER_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *bytes;
    size_t size, capacity;
    bool failed;
    bool fixed; /* the bytes are the caller's, and stay as many */
};

/* A buffer in an array of the caller's, which never allocates: what does not fit fails. */
#define BUFFER_IN(array)                                           \
    {                                                              \
        .bytes = (array), .capacity = sizeof(array), .fixed = true \
    }

/* Makes room for `more` bytes behind the present ones; false: no memory, or no room. */
bool buffer_reserve(struct buffer *buffer, size_t more);
void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* units / 10^decimals, decimals <= 9: (12045, 3) is 12.045. What is written for every request goes
 * through this one: printf takes some ten times as long. */
void buffer_decimal(struct buffer *buffer, uint64_t units, unsigned decimals);
/* The text as a JSON string in quotes: control characters, quotes and backslashes escaped, bytes
 * that are not UTF-8 replaced by U+FFFD. */
void buffer_json_string(struct buffer *buffer, const char *text);
void buffer_free(struct buffer *buffer);

#endif
