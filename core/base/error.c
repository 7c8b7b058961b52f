#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names in a text come from files: keep the text on one line of printable characters. */
static void make_printable(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
}

rn_status rn_fail(rn_error *err, rn_status status, const char *format, ...)
{
    if (!err) return status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    make_printable(err->text);
    err->status = status;
    return status;
}

rn_status rn_context(rn_error *err, const char *format, ...)
{
    if (!err) return RN_OK;
    char fact[sizeof err->text];
    memcpy(fact, err->text, sizeof fact);
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    make_printable(err->text);
    const size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", fact);
    return err->status;
}

rn_status rn_fail_file(rn_error *err, const char *path)
{
    const int why = errno;
    const bool shortage = why == ENOMEM || why == EMFILE || why == ENFILE || why == EAGAIN;
    return rn_fail(err, shortage ? RN_ERR_MEMORY : RN_ERR_IO, "%s: %s", path, strerror(why));
}

rn_status rn_fail_memory(rn_error *err, size_t bytes)
{
    return rn_fail(err, RN_ERR_MEMORY, "out of memory: %zu bytes", bytes);
}
