/* HTTP/1.1: connections, bodies, timeouts and limits. server/http*.c alone use libmicrohttpd.
 *
 * It calls the handlers of routes.def on its own threads (see request.h). Requests without a route,
 * of the wrong method, too large, too slow or ambiguously framed are answered here; so is what
 * libmicrohttpd refuses before anybody is asked, as what is no HTTP: see http_reply.c. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct http;
struct server;

struct http_error {
    int exit_code; /* 64: no such address, 69: the port is in use or may not be opened, 71: other */
    char text[200];
};

/* What was decided at start from the options, the CPUs and the descriptors. */
struct http_limits {
    size_t threads, connections;
};

/* Listens and answers from now on. NULL: *error. */
struct http *http_start(struct server *server, struct http_error *error);
/* The port that is listened on. */
unsigned http_port(const struct http *http);
struct http_limits http_limits(const struct http *http);
/* No connection is accepted any more, and each answer ends its connection; returns when every
 * request that was accepted is answered. Connections that the kernel had already made count as
 * accepted. */
void http_drain(struct http *http);
/* After http_drain(). */
void http_stop(struct http *http);

#endif
