/* A connection and the request on it, as the files of the HTTP layer see them: inside
 * server/http*.c only. The one place of libmicrohttpd's header.
 *
 * http.c has the connections, the watch over them and the order of things; http_head.c goes from
 * the headers to a handler; http_reply.c sends answers. A request's fields belong to the thread of
 * its connection, except while it is suspended. */
#ifndef SERVER_HTTP_REQUEST_H
#define SERVER_HTTP_REQUEST_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "request.h"
#include "watch.h"

struct options;

struct http {
    struct server *server;
    struct MHD_Daemon *daemon;
    struct watch *watch;
    int listener;
    uint64_t id_seed;
    _Atomic uint64_t requests;
    atomic_size_t suspended;             /* and not back in on_access() yet */
    atomic_bool stopping;                /* nothing is suspended any more */
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
    atomic_bool late;             /* its time to be read is over */
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
    size_t sent;
    struct http_request *next_held;
};

/* NULL: there was no memory for it. */
struct peer *http_peer(struct MHD_Connection *connection);

/* A name for the request, until it says its own. */
void http_make_id(struct http_request *r);
/* The headers are there: chooses the handler and begins with it. True: there is a reply, to be sent
 * now; else one that there may be is to be sent when the body has been read. */
bool http_read_head(struct http_request *r, const char *method, const char *version);

/* Makes the failure of a request that can't be read, with that status: libmicrohttpd's, or ours. */
void http_explain(struct http_request *r, unsigned status);

/* Before all else. False: libmicrohttpd has not what is needed. */
bool http_find_library(void);

/* Sends the reply, which is a failure when there is none. */
enum MHD_Result http_send_reply(struct http_request *r);
/* Answers where libmicrohttpd can't, in the middle of a request: straight to the socket, which is
 * closed next. */
void http_cut_off(struct http_request *r);

#endif
