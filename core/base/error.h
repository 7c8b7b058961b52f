/* Errors: a status is returned, its text is in the caller's rn_error.
 *
 * The lowest level names the fact, each caller may add context once in front of it. Both calls
 * accept err == NULL. No state of their own: any thread. */
#ifndef RN_BASE_ERROR_H
#define RN_BASE_ERROR_H

#include "resnet.h"

#if defined(__GNUC__)
#define RN_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define RN_PRINTF(text, first)
#endif

/* Fills *err and returns status. Text that does not fit is cut; control characters become '?'. */
rn_status rn_fail(rn_error *err, rn_status status, const char *format, ...) RN_PRINTF(3, 4);

/* Puts "context: " in front of the text that *err has. Returns err's status (RN_OK for NULL). */
rn_status rn_context(rn_error *err, const char *format, ...) RN_PRINTF(2, 3);

/* The status that *err was filled with, by a call that answered NULL or false; RN_ERR_MEMORY when
 * err is NULL. Never RN_OK. */
static inline rn_status rn_failure(const rn_error *err)
{
    return err && err->status != RN_OK ? err->status : RN_ERR_MEMORY;
}

/* A file that a call of the system failed for: "path: why". RN_ERR_MEMORY where errno says that
 * memory or descriptors are short, else RN_ERR_IO. */
rn_status rn_fail_file(rn_error *err, const char *path);

/* The failure of an allocation of `bytes`. */
rn_status rn_fail_memory(rn_error *err, size_t bytes);

#endif
