/* The table of failures; see failure.h. */
#include "failure.h"

#include <errno.h>
#include <stddef.h>
#include <sysexits.h>

static const struct {
    unsigned http;
    int code;
} table[] = {
#define FAILURE(status, http, code) [status] = {http, code},
#include "failures.def"
#undef FAILURE
};

unsigned failure_http(rn_status status)
{
    return table[status].http;
}

int failure_exit(rn_status status)
{
    return table[status].code;
}

bool failure_is_shortage(int error)
{
    static const int errors[] = {ENOMEM, ENOBUFS, EMFILE, ENFILE, EAGAIN, ENOSPC};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i] == error) return true;
    return false;
}
