/* One event, one line, on stderr: logfmt or JSON, with the time, the level and named fields.
 *
 * Control characters are escaped, so no value can begin a line of its own. Bodies and keys are
 * never passed here. Lines are written whole, with one write: any thread.
 *
 * No call waits for a reader: a line that finds a full pipe or disk, or no reader, is dropped and
 * counted, and the next line that is written comes after one that says how many were dropped. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct log_field {
    const char *key;
    const char *text; /* NULL: the field is the number */
    double number;
};

/* Before the first event, and once again when the options are known; the names are those of the
 * options log-level and log-format. No other thread may write meanwhile. */
void log_setup(const char *level, const char *format);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *field,
               size_t fields);

/* Why the daemon does not start: with logfmt, which people read there, as plain text. */
void log_start_error(const char *text);
/* Writes a text for people to stdout, without waiting either. */
void log_print(const char *text);
/* Lines dropped so far. */
uint64_t log_dropped(void);

#define LOG_TEXT(name, value)          \
    {                                  \
        .key = (name), .text = (value) \
    }
#define LOG_NUMBER(name, value)                  \
    {                                            \
        .key = (name), .number = (double)(value) \
    }
#define LOG(level, event, ...)                                       \
    log_write(level, event, (const struct log_field[]){__VA_ARGS__}, \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
