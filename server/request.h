/* One HTTP request and its answer as plain data: what handlers see. No library's types.
 *
 * A handler is called in this order, always on an HTTP thread:
 *   begin    the headers are there; may answer at once, which skips body and end
 *   body     the next bytes of the body, as they arrive; may answer too: what follows is discarded
 *   end      the body is complete; answers, or suspends the request and hands it to somebody
 *   finish   after a suspended request was resumed: answers
 *   release  last of all, always once, whatever happened: frees request->state
 * Only `end` is needed. The request belongs to the HTTP layer; between request_suspend() and
 * request_resume() nobody but the one it was handed to touches it. */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "target.h"

struct server;

enum { REQUEST_ID_SIZE = 72 };

struct reply {
    unsigned status; /* 0: not answered yet */
    const char *content_type;
    struct buffer body;
    size_t json_size;     /* Inference-Header-Content-Length; 0: no such header */
    unsigned retry_after; /* seconds; 0: no such header */
    const char *allow;    /* NULL: no such header */
    char digest[20];      /* X-Model-Digest; "": no such header */
    struct buffer timing; /* Server-Timing; empty: no such header */
    bool close;           /* end the connection behind this answer */
};

struct request {
    struct server *server;
    struct target target;     /* path, query, and what the route's template captured */
    size_t route;             /* row of routes.def; ROUTES: none */
    char id[REQUEST_ID_SIZE]; /* the client's X-Request-Id, or ours */
    size_t content_length;    /* SIZE_MAX: not known */
    size_t received;          /* bytes of the body so far */
    uint64_t began, read;     /* clock_ns(): request line seen, body complete */
    struct reply reply;
    void *state; /* the handler's own */
};

struct handler {
    void (*begin)(struct request *request);
    void (*body)(struct request *request, const void *bytes, size_t size);
    void (*end)(struct request *request);
    void (*finish)(struct request *request);
    void (*release)(struct request *request);
};

/* A header of the request, NULL when it has none. */
const char *request_header(const struct request *request, const char *name);

/* Suspend first, then hand the request over; the other order races. False: the server has stopped
 * waiting for anything; answer at once. */
bool request_suspend(struct request *request);
/* Any thread; once for each suspend. */
void request_resume(struct request *request);

/* Answers {"error": text}; printf-like. The text never holds a path of this machine or a pointer.
 */
void request_fail(struct request *request, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
