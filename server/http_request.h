/* A connection and the request on it, as the files of the HTTP layer see them: inside
 * server/http*.c only. The one place of libmicrohttpd's header.
 *
 * http.c has the order of things; http_connection.c the life of connections and what is watched;
 * http_head.c goes from the headers to a handler; http_reply.c sends answers. A request's fields
 * belong to the thread of its connection inside of libmicrohttpd's callbacks; to the watch's thread
 * in an event while it is read; to whom it was handed over to while it is suspended. */
#ifndef SERVER_HTTP_REQUEST_H
#define SERVER_HTTP_REQUEST_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http.h"
#include "request.h"
#include "watch.h"

struct acceptor;
struct linger_set;

struct idle_list {
    pthread_mutex_t lock;
    struct peer *longest, *shortest;
};

struct http {
    struct server *server;
    struct MHD_Daemon *daemon;
    struct watch *watch;
    struct linger_set *linger;
    struct acceptor *acceptor;
    struct idle_list idle;
    struct http_limits limits;     /* constant after http_start() */
    struct MHD_Response *spare[2]; /* 503; [1]: and the connection is closed */
    int listener;
    uint64_t id_seed;
    _Atomic uint64_t requests;
    atomic_size_t suspended;             /* and not back in on_access() yet */
    atomic_bool stopping;                /* nothing is suspended any more, and nothing lingers */
    _Atomic uint64_t drain_deadline;     /* 0: it is not stopped; then for bodies that are read */
    _Atomic(struct http_request *) held; /* to be resumed by the next HTTP thread that wakes up */
};

enum progress {
    AT_HEADERS, /* the handler has not been called */
    AT_BODY,    /* the body is passed on, or thrown away once there is a reply */
    AT_REST,    /* suspended, or just resumed */
    AT_END,     /* answered */
};

/* A connection, at all times watched for one thing. */
struct peer {
    struct watched watched; /* first: the two are one address */
    struct http *http;
    struct http_request *request; /* NULL: between two */
    int fd;                       /* libmicrohttpd's */
    bool lingers;                 /* once it is closed, as the client may still be sending */
    bool untimed;                 /* libmicrohttpd's own timeout is switched off */
    uint64_t answered, progress;  /* clock_ns(): the answer's begin, its last progress */
    uint64_t taken;               /* see on_sending() */
    /* under the lock of the list */
    bool idle;
    struct peer *longer, *shorter;
};

struct http_request {
    struct request request; /* first, as above */
    struct http *http;
    struct MHD_Connection *connection;
    struct peer *peer;
    const struct handler *handler; /* NULL: none was found */
    const char *method, *target_error;
    const char *target_end; /* libmicrohttpd's */
    enum progress progress;
    bool chunked, unsized; /* unsized: neither Content-Length nor Transfer-Encoding */
    bool cut;              /* answered past libmicrohttpd: it is to close the connection */
    size_t sent;
    struct http_request *next_held;
};

/* ---- http_connection.c ----------------------------------------------------------------------- */

void http_idle_init(struct idle_list *list);
/* Has the connection closed that has been idle longest. False: none is idle. Any thread. */
bool http_evict_idle(struct http *http);

/* NULL: there was no memory for it. */
struct peer *http_peer(struct MHD_Connection *connection);
void http_connection_begins(struct http *http, struct MHD_Connection *connection, void **context);
/* peer: NULL as above. */
void http_connection_ends(struct http *http, struct MHD_Connection *connection, struct peer *peer);
/* Its line was read: the connection is not idle. */
void http_request_begins(struct http_request *r);
void http_request_ended(struct http_request *r);

/* What is watched from now on: last of all in a callback that waits for more of the request ... */
void http_watch_reading(const struct http_request *r);
/* ... after it was suspended ... */
void http_watch_suspended(const struct http_request *r);
/* ... and when the answer, of that size, is given to libmicrohttpd. */
void http_watch_sending(struct http_request *r, size_t size);
/* Once it returns no event is on its way: first of all in a callback. */
void http_watch_nothing(const struct http_request *r);
/* Has what is read or sent end with drain_deadline; to be repeated while that lasts. */
void http_hasten(struct http *http);

/* ---- http_head.c ----------------------------------------------------------------------------- */

/* A name for the request, until it says its own. */
void http_make_id(struct http_request *r);
/* The headers are there: chooses the handler and begins with it. True: there is a reply, to be sent
 * now; else one that there may be is to be sent when the body has been read. */
bool http_read_head(struct http_request *r, const char *method, const char *version);

/* Makes the failure of a request that can't be read, with that status: libmicrohttpd's, or ours. */
void http_explain(struct http_request *r, unsigned status);

/* ---- http_reply.c ---------------------------------------------------------------------------- */

/* Before all else. False: libmicrohttpd has not what is needed. */
bool http_find_library(void);

/* Libmicrohttpd's MHD_queue_response(), which is stood in for. */
enum MHD_Result http_queue(struct MHD_Connection *connection, unsigned status,
                           struct MHD_Response *response);

/* ---- http_spare.c: when there is no memory for another answer ---------------------------------
 */

bool http_spare_make(struct http *http); /* false: no memory for it; free it in any case */
void http_spare_free(struct http *http);
enum MHD_Result http_spare_send(struct http *http, struct MHD_Connection *connection, bool close);
size_t http_spare_size(void); /* bytes of its body */
/* The same past libmicrohttpd: all of an answer, after which the connection is closed. */
extern const char http_spare_text[];

/* A request that could not even begin. What libmicrohttpd has as its context; whether that is one;
 * its access callback, which throws the body away and then answers. */
void *http_spare_begin(void);
bool http_is_spare(const void *context);
enum MHD_Result http_spare_access(struct http *http, struct MHD_Connection *connection,
                                  size_t *upload_size, void **context);

/* ---- http_reply.c ---------------------------------------------------------------------------- */

/* Sends the reply, which is a failure when there is none. */
enum MHD_Result http_send_reply(struct http_request *r);
/* Answers where libmicrohttpd can't, in the middle of a request: straight to the socket, of which
 * the sending half is closed then. What follows of the request is not for libmicrohttpd any more;
 * the connection lingers. In a callback, or in an event of the watch. */
void http_cut_off(struct http_request *r);

#endif
