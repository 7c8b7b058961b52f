/* The limit of open files, and how many connections fit beneath it. Called at start. */
#ifndef SERVER_DESCRIPTORS_H
#define SERVER_DESCRIPTORS_H

#include <stddef.h>

/* Raises the soft limit to the hard one, where that is allowed. */
void descriptors_raise(void);
/* How many connections of those wanted the limit leaves room for, beside the descriptors that are
 * open by now and what the daemon needs for its other work; at least 1. Each connection may need
 * 1 + 1 / `per_extra` descriptors. Logs a warning when it is less than wanted. */
size_t descriptors_fit(size_t connections, size_t per_extra);

#endif
