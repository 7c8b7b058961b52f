/* One event, one line, on stderr: logfmt or JSON, with the time, the level and named fields.
 *
 * Control characters are escaped, so no value can begin a line of its own. Bodies and keys are
 * never passed here. Lines are written whole, with one write: any thread. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct log_field {
    const char *key;
    const char *text; /* NULL: the field is the number */
    double number;
};

/* Before the first event; the names are those of the options log-level and log-format. */
void log_setup(const char *level, const char *format);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *field,
               size_t fields);

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
