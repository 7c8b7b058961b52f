/* The life of a connection: accepted, idle, read, suspended, answered, closed; see http_request.h.
 *
 * The watch ends what takes too long, and what nobody waits for. While a request is read it belongs
 * to libmicrohttpd's thread only inside of a callback, where nothing is watched; between two of
 * them the watch's event may answer it. That answer goes straight to the socket, and the rest of
 * the request is waited for: see http_cut_off().
 *
 * Idle connections are in a list, the one that has been idle longest first: it is closed when there
 * is no room for a new one. Lock order: the list's lock, then the watch's. */
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "acceptor.h"
#include "http_request.h"
#include "linger.h"
#include "metrics.h"
#include "options.h"
#include "server.h"

static const struct options *options_of(const struct peer *peer)
{
    return peer->http->server->options;
}

/* ---- the list of idle connections ------------------------------------------------------------ */

void http_idle_init(struct idle_list *list)
{
    pthread_mutex_init(&list->lock, NULL);
    list->longest = list->shortest = NULL;
}

/* Under the lock. */
static void unlink_idle(struct idle_list *list, struct peer *peer)
{
    *(peer->longer ? &peer->longer->shorter : &list->longest) = peer->shorter;
    *(peer->shorter ? &peer->shorter->longer : &list->shortest) = peer->longer;
    peer->idle = false;
}

static void leave_idle(struct peer *peer)
{
    struct idle_list *list = &peer->http->idle;
    pthread_mutex_lock(&list->lock);
    if (peer->idle) unlink_idle(list, peer);
    pthread_mutex_unlock(&list->lock);
}

static void become_idle(struct peer *peer)
{
    struct idle_list *list = &peer->http->idle;
    pthread_mutex_lock(&list->lock);
    peer->idle = true;
    peer->shorter = NULL;
    peer->longer = list->shortest;
    *(list->shortest ? &list->shortest->shorter : &list->longest) = peer;
    list->shortest = peer;
    pthread_mutex_unlock(&list->lock);
}

/* Libmicrohttpd is made to look, and finds the end of the stream. But when a byte has just come it
 * reads that alone: so it is made to look again, until watch_set() or watch_close() ends it. */
static uint64_t make_it_look(struct watched *watched, enum watch_event event)
{
    (void)event;
    shutdown(((struct peer *)watched)->fd, SHUT_RD);
    return clock_ns() + WATCH_AGAIN;
}

/* A request may be on its way. */
static bool has_sent(const struct peer *peer)
{
    int bytes = 0;
    return ioctl(peer->fd, FIONREAD, &bytes) || bytes > 0;
}

bool http_evict_idle(struct http *http)
{
    struct idle_list *list = &http->idle;
    pthread_mutex_lock(&list->lock);
    struct peer *peer = list->longest;
    while (peer && has_sent(peer)) peer = peer->shorter;
    if (peer) {
        unlink_idle(list, peer);
        watch_set(http->watch, &peer->watched, 1, make_it_look);
        metrics_evicted(http->server->metrics);
    }
    pthread_mutex_unlock(&list->lock);
    return peer != NULL;
}

/* ---- what is watched ------------------------------------------------------------------------- */

/* Until the request line is complete. Libmicrohttpd closes what is idle; this is for those who send
 * a byte now and then. */
static void watch_idle(struct peer *peer)
{
    const struct options *o = options_of(peer);
    const size_t seconds = o->idle_timeout > o->body_timeout ? o->idle_timeout : o->body_timeout;
    become_idle(peer);
    watch_set(peer->http->watch, &peer->watched, clock_ns() + (seconds + 1) * NS_PER_SECOND,
              make_it_look);
    acceptor_poke(peer->http->acceptor);
}

/* Why a request that is read has to end now. */
static void explain_late(struct http_request *r, const struct options *options)
{
    struct request *request = &r->request;
    const uint64_t now = clock_ns();
    if (request->deadline && now >= request->deadline) {
        request->dropped = DROPPED_LATE;
        request_fail_deadline(request);
    } else if (request->reply.status) {
        return; /* what is wrong already is said */
    } else if (now >= request->began + options->body_timeout * NS_PER_SECOND) {
        request_fail(request, 408, "the request took longer than --body-timeout allows: %zu s",
                     options->body_timeout);
    } else {
        request_fail(request, 503, "the server is stopping");
        request->reply.retry_after = 1;
        metrics_failure(request->server->metrics, REASON_DRAINING);
    }
}

/* Between two callbacks of libmicrohttpd, on the watch's thread. Once it is answered the client may
 * still send, which http.c sees, or close its side. A silent one is waited for. */
static uint64_t on_reading_ends(struct watched *watched, enum watch_event event)
{
    struct peer *peer = (struct peer *)watched;
    struct http_request *r = peer->request;
    const bool draining = atomic_load(&peer->http->drain_deadline) != 0;
    const uint64_t silence = draining ? 1 : options_of(peer)->linger_timeout;
    watch_then(watched, make_it_look);
    if (event == WATCH_HANGUP) return make_it_look(watched, event);
    explain_late(r, options_of(peer));
    http_cut_off(r);
    return clock_ns() + silence * NS_PER_SECOND;
}

/* Until the body is complete: --body-timeout, or the request's own deadline. */
void http_watch_reading(const struct http_request *r)
{
    const uint64_t last = r->request.began + options_of(r->peer)->body_timeout * NS_PER_SECOND;
    const uint64_t deadline = r->request.deadline;
    watch_set(r->http->watch, &r->peer->watched, deadline && deadline < last ? deadline : last,
              on_reading_ends);
}

/* While it is suspended. */
static uint64_t on_abandoned(struct watched *watched, enum watch_event event)
{
    struct http_request *r = ((struct peer *)watched)->request;
    r->request.dropped = event == WATCH_HANGUP ? DROPPED_GONE : DROPPED_LATE;
    if (r->handler->abandon(&r->request)) MHD_resume_connection(r->connection);
    return 0;
}

void http_watch_suspended(const struct http_request *r)
{
    watch_set(r->http->watch, &r->peer->watched, r->request.deadline, on_abandoned);
}

/* Bytes that the client's kernel has taken since the connection began; 0: not known. */
static uint64_t bytes_taken(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) ? 0 : info.tcpi_bytes_acked;
}

/* While it is answered: a client that takes some of the answer, however slowly, is not idle. When
 * the daemon stops, all of it must be taken within --drain-timeout. */
static uint64_t on_sending(struct watched *watched, enum watch_event event)
{
    struct peer *peer = (struct peer *)watched;
    const struct options *o = options_of(peer);
    const uint64_t now = clock_ns(), taken = bytes_taken(peer->fd);
    const uint64_t drain = atomic_load(&peer->http->drain_deadline);
    (void)event; /* who has shut down its sending half may still read */
    if (taken != peer->taken) {
        peer->taken = taken;
        peer->progress = now;
    }
    uint64_t end = peer->progress + o->idle_timeout * NS_PER_SECOND;
    uint64_t stop = peer->answered + o->drain_timeout * NS_PER_SECOND;
    if (stop < drain) stop = drain;
    if (drain && stop < end) end = stop;
    if (now < end) return end;
    shutdown(peer->fd, SHUT_RDWR);
    return now + WATCH_AGAIN;
}

/* Libmicrohttpd's own timeout takes the bytes that it could write for what the client has read; the
 * kernel's buffer hides for long that it reads. So it is switched off for answers that may not fit
 * into that buffer. */
void http_watch_sending(struct http_request *r, size_t size)
{
    enum { SURELY_BUFFERED = 16 << 10 };
    struct peer *peer = r->peer;
    peer->answered = peer->progress = clock_ns();
    if (size > SURELY_BUFFERED) {
        peer->taken = bytes_taken(peer->fd);
        MHD_set_connection_option(r->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
        peer->untimed = true;
    }
    watch_set(r->http->watch, &peer->watched,
              peer->progress + options_of(peer)->idle_timeout * NS_PER_SECOND, on_sending);
}

void http_watch_nothing(const struct http_request *r)
{
    watch_set(r->http->watch, &r->peer->watched, 0, NULL);
}

void http_hasten(struct http *http)
{
    const uint64_t now = clock_ns(), deadline = atomic_load(&http->drain_deadline);
    if (now >= deadline) watch_hasten(http->watch, deadline, on_reading_ends);
    watch_hasten(http->watch, deadline, on_sending);
}

/* ---- begin and end --------------------------------------------------------------------------- */

struct peer *http_peer(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void http_request_begins(struct http_request *r)
{
    leave_idle(r->peer);
    r->peer->request = r;
}

void http_request_ended(struct http_request *r)
{
    struct peer *peer = r->peer;
    peer->request = NULL;
    if (peer->untimed)
        MHD_set_connection_option(r->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                  (unsigned)options_of(peer)->idle_timeout);
    peer->untimed = false;
    watch_idle(peer);
}

/* An answer lies in the kernel still, as its client reads slowly: what it might send would take it
 * away once the socket is closed. */
static bool has_untaken(const struct peer *peer)
{
    int bytes = 0;
    return !ioctl(peer->fd, SIOCOUTQ, &bytes) && bytes > 0;
}

static int socket_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

void http_connection_begins(struct http *http, struct MHD_Connection *connection, void **context)
{
    struct peer *peer = calloc(1, sizeof *peer);
    metrics_connections(http->server->metrics, 1);
    *context = peer;
    if (!peer) return; /* its requests are refused */
    peer->http = http;
    peer->fd = socket_of(connection);
    watch_open(http->watch, &peer->watched, peer->fd);
    watch_idle(peer);
}

void http_connection_ends(struct http *http, struct MHD_Connection *connection, struct peer *peer)
{
    metrics_connections(http->server->metrics, -1);
    if (peer) {
        leave_idle(peer);
        watch_close(http->watch, &peer->watched);
        if (has_untaken(peer)) {
            peer->lingers = true;
            peer->answered = clock_ns();
        }
        if (peer->lingers && !atomic_load(&http->stopping))
            linger_add(http->linger, peer->fd, peer->answered);
        free(peer);
    }
    acceptor_closed(http->acceptor, socket_of(connection));
}
