/* Events as lines on stderr; see log.h. */
#include "log.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"

static const char *const level_name[] = {"error", "warning", "info", "debug"};
static enum log_level most = LOG_INFO;
static bool as_json;

void log_setup(const char *level, const char *format)
{
    for (size_t i = 0; i < sizeof level_name / sizeof *level_name; i++)
        if (!strcmp(level, level_name[i])) most = (enum log_level)i;
    as_json = !strcmp(format, "json");
}

bool log_enabled(enum log_level level)
{
    return level <= most;
}

/* logfmt quotes a value only where it must */
static bool is_plain(const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '=' || *c == '\\') return false;
    return *text != '\0';
}

static void write_text(struct buffer *line, const char *text)
{
    if (!as_json && is_plain(text))
        buffer_text(line, text);
    else
        buffer_json_string(line, text);
}

/* Ten digits at most. Thousandths, which nearly all numbers are, go the short way. */
static void write_number(struct buffer *line, double number)
{
    const bool small = number >= 0 && number < 1e7;
    const uint64_t thousandths = small ? (uint64_t)(number * 1000 + 0.5) : 0;
    if (!small || (double)thousandths / 1000 != number) {
        buffer_format(line, "%.10g", number);
        return;
    }
    uint64_t units = thousandths;
    unsigned decimals = 3;
    for (; decimals && units % 10 == 0; decimals--) units /= 10;
    buffer_decimal(line, units, decimals);
}

static void write_field(struct buffer *line, const struct log_field *field)
{
    buffer_text(line, as_json ? ",\"" : " ");
    buffer_text(line, field->key);
    buffer_text(line, as_json ? "\":" : "=");
    if (field->text)
        write_text(line, field->text);
    else
        write_number(line, field->number);
}

static void write_time(struct buffer *line)
{
    static _Thread_local time_t second = -1; /* what `text` says */
    static _Thread_local char text[32];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second) {
        gmtime_r(&now.tv_sec, &utc);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
        second = now.tv_sec;
    }
    const unsigned ms = (unsigned)(now.tv_nsec / 1000000);
    const char fraction[] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10),
                             (char)('0' + ms % 10), 'Z'};
    buffer_text(line, as_json ? "{\"time\":\"" : "time=");
    buffer_text(line, text);
    buffer_append(line, fraction, sizeof fraction);
    if (as_json) buffer_text(line, "\"");
}

void log_write(enum log_level level, const char *event, const struct log_field *field,
               size_t fields)
{
    if (!log_enabled(level)) return;
    struct buffer line = {0};
    write_time(&line);
    write_field(&line, &(struct log_field){.key = "level", .text = level_name[level]});
    write_field(&line, &(struct log_field){.key = "event", .text = event});
    for (size_t i = 0; i < fields; i++) write_field(&line, &field[i]);
    buffer_text(&line, as_json ? "}\n" : "\n");
    /* A line that can't be written is lost: there is nobody to tell. */
    const ssize_t written = line.failed ? 0 : write(STDERR_FILENO, line.bytes, line.size);
    (void)written;
    buffer_free(&line);
}
