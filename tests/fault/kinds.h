/* One request of each kind, with what its answer may look like. One thread. */
#ifndef TESTS_FAULT_KINDS_H
#define TESTS_FAULT_KINDS_H

#include <stdbool.h>
#include <stddef.h>

#include "http/client.h"

/* How two right answers to one request may differ. */
enum kind_sameness {
    SAME_BYTES,
    SAME_BUT_NUMBERS, /* counters and times */
    SAME_BEGINNING,   /* the first line; rows come with what was counted */
};

struct kind {
    const char *name, *method, *target, *headers;
    const char *file; /* the body: this file */
    enum kind_sameness same;
    bool changes;       /* models are loaded or unloaded by it */
    bool fresh;         /* its connection is a new one: nothing of it was there before */
    const char *before; /* POSTed first, without faults */
    /* made by kinds_make(), where it is not a file */
    char *body;
    size_t size;
};

/* A signal to reload, which is no request: by its name in the table. */
#define KIND_RELOAD "reload by HUP"

extern struct kind kind_list[];
extern const size_t kind_count;

/* The models that the requests are about, as options of the daemon; NULL-terminated. */
extern const char *const kind_options[];

/* Fills in the bodies. */
void kinds_make(void);

/* Asks on an open connection. */
struct response kind_ask(const struct kind *kind, int fd);
/* Whether an answer is as right as the one that came when nothing failed. `plain`: the answer to
 * the same request by a client that takes no compressed one; it may be the same. */
bool kind_same(const struct kind *kind, const struct response *answer, const struct response *right,
               const struct response *plain);

#endif
