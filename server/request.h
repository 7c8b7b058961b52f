/* One HTTP request and its answer as plain data: what handlers see. No library's types.
 *
 * A handler is called in this order, always on an HTTP thread:
 *   begin    the headers are there; may answer at once, which skips body and end
 *   body     the next bytes of the body, as they arrive; may answer too: what follows is discarded
 *   end      the body is complete; answers, or suspends the request and hands it to somebody
 *   finish   after a suspended request was resumed: answers, or suspends it again
 *   release  last of all, always once, whatever happened: frees request->state
 * Only `end` is needed, and `finish` and `abandon` by those who suspend. The request belongs to the
 * HTTP layer; between request_suspend() and request_resume() nobody but the one it was handed to
 * touches it. Once `dropped` is set there is no `finish` any more.
 *
 *   abandon  on a thread of its own, while the request is suspended and at most once: the deadline
 *            passed or the client left. True: nobody has the request any more, and HTTP resumes it.
 *            False: whoever has it will do that, soon. It must not block nor resume. */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "metrics.h"
#include "target.h"

struct server;

enum { REQUEST_ID_SIZE = 72 };

/* What a request is told that there is no memory for. */
#define REQUEST_NO_MEMORY "out of memory; try again"

struct reply {
    unsigned status; /* 0: not answered yet */
    const char *content_type;
    struct buffer body;
    size_t json_size;     /* Inference-Header-Content-Length; 0: no such header */
    unsigned retry_after; /* seconds; 0: no such header; HTTP's own for a 503 */
    const char *allow;    /* NULL: no such header */
    bool compressible;    /* the body, for clients that ask for it */
    const char *encoding; /* Content-Encoding; NULL: no such header */
    char digest[20];      /* X-Model-Digest; "": no such header */
    struct buffer timing; /* Server-Timing; empty: no such header */
    bool close;           /* end the connection behind this answer */
};

enum dropped { DROPPED_NOT, DROPPED_LATE, DROPPED_GONE };

struct request {
    struct server *server;
    struct target target;     /* path, query, and what the route's template captured */
    size_t route;             /* row of routes.def; ROUTES: none */
    char id[REQUEST_ID_SIZE]; /* the client's X-Request-Id, or ours */
    size_t content_length;    /* SIZE_MAX: not known */
    size_t received;          /* bytes of the body so far */
    uint64_t began, read;     /* clock_ns(): request line seen, body complete */
    uint64_t deadline;        /* clock_ns(); 0: none. `begin` may set it, and who suspends */
    enum metrics_phase phase; /* what it goes through; set by who suspends, and by `abandon` */
    enum dropped dropped;     /* why nobody waits for the answer any more; HTTP's */
    struct reply reply;
    void *state; /* the handler's own */
};

struct handler {
    void (*begin)(struct request *request);
    void (*body)(struct request *request, const void *bytes, size_t size);
    void (*end)(struct request *request);
    void (*finish)(struct request *request);
    bool (*abandon)(struct request *request);
    void (*release)(struct request *request);
    bool no_body; /* a POST without a length is one without a body; else it gets 411 */
};

/* A header of the request, NULL when it has none. */
const char *request_header(const struct request *request, const char *name);

/* The same for a list: its lines are joined by commas, in the buffer where there are several. */
const char *request_header_list(const struct request *request, const char *name,
                                struct buffer *joined);

/* Suspend first, then hand the request over; the other order races. The request may be abandoned
 * before it is handed over. False: the server waits for nothing any more; answer at once. */
bool request_suspend(struct request *request);
/* Any thread; once for each suspend. */
void request_resume(struct request *request);
/* For all but the last of several that one thread resumes at once: they may be held back until that
 * last one's request_resume(), and then cost one wakeup together. */
void request_resume_with_next(struct request *request);

/* Answers {"error": text}; printf-like. The text never holds a path of this machine or a pointer.
 */
void request_fail(struct request *request, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Answers 503: there was no memory for it now. */
void request_fail_memory(struct request *request);
/* Answers 504: the deadline has passed. */
void request_fail_deadline(struct request *request);

#endif
