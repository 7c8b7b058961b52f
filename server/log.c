/* Events as lines on stderr; see log.h.
 *
 * A write never waits. O_NONBLOCK on the inherited stderr would be O_NONBLOCK for every process
 * that has it, so a pipe or terminal is opened a second time, where that is allowed; everything
 * else is asked by poll() before each write. Lines are at most PIPE_BUF bytes: a pipe takes such a
 * write whole or not at all, and has room for it when poll() says so. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"

static const char *const level_name[] = {"error", "warning", "info", "debug"};
static enum log_level most = LOG_INFO;
static bool as_json;

#define ELLIPSIS "..."
/* Bytes of a text in a line: the first of these with which the line is not too long. */
static const size_t text_limit[] = {1024, 256, 64, 16};
enum { LIMITS = sizeof text_limit / sizeof *text_limit, MOST_TEXT = 1024 };
/* Lines are made on the stack: that memory is short is to be told, too. */
enum { LINE_ROOM = PIPE_BUF + 256 };

/* Where lines go. `lock` is of everything but `dropped`. */
static struct {
    pthread_mutex_t lock;
    int fd;      /* stderr, or the second description of it */
    bool waits;  /* a write to it may wait: poll() is asked first */
    bool socket; /* send() takes a flag for that */
    bool cut;    /* the last line was written in part */
    uint64_t unsaid;
    _Atomic uint64_t dropped;
} out = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .waits = true};

/* Constant until the next setup, as are level and format. */
static void find_output(void)
{
    struct stat status;
    if (out.fd != STDERR_FILENO) close(out.fd);
    out.fd = STDERR_FILENO;
    out.waits = true;
    if (fstat(STDERR_FILENO, &status)) return;
    out.socket = S_ISSOCK(status.st_mode);
    if (!S_ISFIFO(status.st_mode) && !isatty(STDERR_FILENO)) return;
    const int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return; /* another user's, as in containers */
    out.fd = fd;
    out.waits = false;
}

void log_setup(const char *level, const char *format)
{
    for (size_t i = 0; i < sizeof level_name / sizeof *level_name; i++)
        if (!strcmp(level, level_name[i])) most = (enum log_level)i;
    as_json = !strcmp(format, "json");
    find_output();
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

/* At most `limit` bytes of the text; an ellipsis stands for the rest. */
static void write_text(struct buffer *line, const char *text, size_t limit)
{
    char cut[MOST_TEXT + sizeof ELLIPSIS];
    if (strnlen(text, limit + 1) > limit) {
        while (limit > 0 && ((unsigned char)text[limit] & 0xc0) == 0x80) limit--; /* in UTF-8 */
        memcpy(cut, text, limit);
        memcpy(cut + limit, ELLIPSIS, sizeof ELLIPSIS);
        text = cut;
    }
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

static void write_field(struct buffer *line, const struct log_field *field, size_t limit)
{
    buffer_text(line, as_json ? ",\"" : " ");
    buffer_text(line, field->key);
    buffer_text(line, as_json ? "\":" : "=");
    if (field->text)
        write_text(line, field->text, limit);
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

/* One event. Too long for a line: line->failed. */
static void write_line(struct buffer *line, enum log_level level, const char *event,
                       const struct log_field *field, size_t fields)
{
    for (size_t i = 0; i < LIMITS; i++) {
        const size_t limit = text_limit[i];
        line->size = 0;
        line->failed = false;
        write_time(line);
        write_field(line, &(struct log_field)LOG_TEXT("level", level_name[level]), limit);
        write_field(line, &(struct log_field)LOG_TEXT("event", event), limit);
        for (size_t k = 0; k < fields; k++) write_field(line, &field[k], limit);
        buffer_text(line, as_json ? "}\n" : "\n");
        if (!line->failed && line->size <= PIPE_BUF) return;
    }
    line->failed = true;
}

/* ---- output: under the lock ------------------------------------------------------------------ */

/* Writes all of it, or returns false: it would wait, or there is no reader. */
static bool put(const char *bytes, size_t size)
{
    struct pollfd ready = {.fd = out.fd, .events = POLLOUT};
    ssize_t written;
    if (out.waits && (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT))) return false;
    do
        written = out.socket ? send(out.fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                             : write(out.fd, bytes, size);
    while (written < 0 && errno == EINTR);
    if (written > 0) out.cut = (size_t)written < size;
    return written == (ssize_t)size;
}

/* How many lines are missing here. */
static bool put_dropped(void)
{
    char memory[LINE_ROOM];
    struct buffer line = BUFFER_IN(memory);
    write_line(&line, LOG_WARNING, "log", &(struct log_field)LOG_NUMBER("dropped", out.unsaid), 1);
    const bool good = !line.failed && put(line.bytes, line.size);
    if (good) out.unsaid = 0;
    return good;
}

static void put_line(const struct buffer *line)
{
    pthread_mutex_lock(&out.lock);
    const bool good = !line->failed && (!out.cut || put("\n", 1)) &&
                      (!out.unsaid || put_dropped()) && put(line->bytes, line->size);
    if (!good) {
        out.unsaid++;
        atomic_fetch_add(&out.dropped, 1);
    }
    pthread_mutex_unlock(&out.lock);
}

/* ---- the interface --------------------------------------------------------------------------- */

void log_write(enum log_level level, const char *event, const struct log_field *field,
               size_t fields)
{
    char memory[LINE_ROOM];
    struct buffer line = BUFFER_IN(memory);
    if (!log_enabled(level)) return;
    write_line(&line, level, event, field, fields);
    put_line(&line);
}

void log_start_error(const char *text)
{
    char memory[LINE_ROOM];
    struct buffer line = BUFFER_IN(memory);
    if (as_json)
        write_line(&line, LOG_ERROR, "start", &(struct log_field)LOG_TEXT("error", text), 1);
    else
        buffer_format(&line, "resnetd: %.*s", MOST_TEXT, text);
    for (size_t i = 0; !as_json && i < line.size; i++)
        if ((unsigned char)line.bytes[i] < ' ' || line.bytes[i] == 0x7f) line.bytes[i] = '?';
    if (!as_json) buffer_text(&line, "\n");
    put_line(&line);
}

void log_print(const char *text)
{
    struct pollfd ready = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)) return;
    const ssize_t written = write(STDOUT_FILENO, text, strlen(text));
    (void)written; /* there is no reader */
}

uint64_t log_dropped(void)
{
    return atomic_load(&out.dropped);
}
