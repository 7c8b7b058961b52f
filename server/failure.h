/* How failures are told to clients and to whoever started the process. Pure: any thread. */
#ifndef SERVER_FAILURE_H
#define SERVER_FAILURE_H

#include <stdbool.h>

#include "resnet.h"

/* The HTTP status of a request that ends with it. */
unsigned failure_http(rn_status status);
/* The exit code of a process that ends with it (sysexits.h). */
int failure_exit(rn_status status);

/* Whether an error of the system says that memory, descriptors or threads are short: then it is
 * RN_ERR_MEMORY, whatever was to be done. */
bool failure_is_shortage(int error);

#endif
