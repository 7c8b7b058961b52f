/* Memory, descriptors, threads and calls of the system fail under the daemon, one after the other.
 *
 *   fault [--sample N] [--seed N] [--call NAME] [--kind NAME] [--no-start] [--no-requests]
 *
 * Every call of a start with the built-in models, and of a request of each kind (kinds.c), is made
 * to fail once by itself, and once with those that follow. Prints a row for each kind and a table;
 * the last line is "N passed, N failed". $RESNETD names the daemon; see daemon.h, shim.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault/daemon.h"
#include "fault/sweep.h"

static _Noreturn void usage(void)
{
    fprintf(stderr, "usage: fault [--sample N] [--seed N] [--call NAME] [--kind NAME] "
                    "[--no-start] [--no-requests]\n");
    exit(EXIT_FAILURE);
}

static const char *value_of(int argc, char **argv, int *i)
{
    if (++*i >= argc) usage();
    return argv[*i];
}

int main(int argc, char **argv)
{
    struct sweep sweep = {.seed = 1};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--sample"))
            sweep.sample = strtoul(value_of(argc, argv, &i), NULL, 10);
        else if (!strcmp(argv[i], "--seed"))
            sweep.seed = (unsigned)strtoul(value_of(argc, argv, &i), NULL, 10);
        else if (!strcmp(argv[i], "--call"))
            sweep.call = value_of(argc, argv, &i);
        else if (!strcmp(argv[i], "--kind"))
            sweep.kind = value_of(argc, argv, &i);
        else if (!strcmp(argv[i], "--no-start"))
            sweep.no_start = true;
        else if (!strcmp(argv[i], "--no-requests"))
            sweep.no_requests = true;
        else
            usage();
    }
    srand(sweep.seed);
    victim_setup(argv[0]);
    if (!sweep.no_start) sweep_start(&sweep);
    if (!sweep.no_requests) sweep_requests(&sweep);
    return account_end() ? EXIT_FAILURE : EXIT_SUCCESS;
}
