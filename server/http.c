/* HTTP over libmicrohttpd; see http.h.
 *
 * A pool of its threads, each with an epoll of its own, runs everything here; the acceptor gives
 * them connections. Libmicrohttpd can only answer before the body is read or after its end: a
 * request that fails in between has its rest read and thrown away, within the limits; one that
 * breaks the limits, or takes too long, is cut off with an answer that goes straight to the socket,
 * and its connection lingers (linger.h). */
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#include "acceptor.h"
#include "clock.h"
#include "cpus.h"
#include "descriptors.h"
#include "failure.h"
#include "http_request.h"
#include "linger.h"
#include "listener.h"
#include "log.h"
#include "metrics.h"
#include "options.h"
#include "registry.h"
#include "route.h"
#include "server.h"

/* A connection's memory for its body; half of it is read at once. */
enum { LEAST_CHUNK = 8 << 10, MOST_CHUNK = 256 << 10 };

static const struct options *options_of(const struct http_request *r)
{
    return r->request.server->options;
}

/* ---- suspended requests ---------------------------------------------------------------------- */

/* Counted before `stopping` is looked at: http_drain() does it in the other order. Watched once it
 * is suspended: the watch may resume it. */
bool request_suspend(struct request *request)
{
    struct http_request *r = (struct http_request *)request;
    atomic_fetch_add(&r->http->suspended, 1);
    if (atomic_load(&r->http->stopping)) {
        atomic_fetch_sub(&r->http->suspended, 1);
        return false;
    }
    r->progress = AT_REST;
    MHD_suspend_connection(r->connection);
    http_watch_suspended(r);
    return true;
}

void request_resume(struct request *request)
{
    struct http_request *r = (struct http_request *)request;
    http_watch_nothing(r);
    MHD_resume_connection(r->connection);
}

/* Every wakeup of an HTTP thread may take the CPU from the one that wakes it, for one answer. */
void request_resume_with_next(struct request *request)
{
    struct http_request *r = (struct http_request *)request;
    http_watch_nothing(r);
    r->next_held = atomic_load(&r->http->held);
    while (!atomic_compare_exchange_weak(&r->http->held, &r->next_held, r)) continue;
}

static void resume_held(struct http *http)
{
    struct http_request *r = atomic_exchange(&http->held, NULL);
    while (r) {
        struct http_request *next = r->next_held; /* r may be gone once it is resumed */
        MHD_resume_connection(r->connection);
        r = next;
    }
}

/* ---- from the headers to the answer ---------------------------------------------------------- */

static enum MHD_Result answer(struct http_request *r)
{
    r->progress = AT_END;
    http_watch_sending(r, r->request.reply.body.size);
    return http_send_reply(r);
}

static enum MHD_Result begin(struct http_request *r, const char *method, const char *version)
{
    r->progress = AT_BODY;
    if (http_read_head(r, method, version)) {
        r->peer->lingers = true; /* libmicrohttpd closes it, whatever comes */
        return answer(r);
    }
    http_watch_reading(r);
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_request *r, const char *bytes, size_t size)
{
    struct request *request = &r->request;
    request->received += size;
    if (request->received > options_of(r)->max_body_bytes) {
        http_explain(r, 413);
        return MHD_NO;
    }
    if (!request->reply.status && r->handler->body) r->handler->body(request, bytes, size);
    http_watch_reading(r);
    return MHD_YES;
}

static enum MHD_Result end(struct http_request *r)
{
    struct request *request = &r->request;
    request->read = clock_ns();
    if (!request->reply.status) r->handler->end(request);
    /* Once it is suspended the request is somebody else's: `progress` was written before. */
    return r->progress == AT_REST ? MHD_YES : answer(r);
}

/* Back from its suspension; the handler may suspend it again. */
static enum MHD_Result finish(struct http_request *r)
{
    struct request *request = &r->request;
    resume_held(r->http);
    atomic_fetch_sub(&r->http->suspended, 1);
    r->progress = AT_BODY;
    if (request->dropped == DROPPED_GONE) return MHD_NO;
    if (request->dropped == DROPPED_LATE)
        request_fail_deadline(request);
    else
        r->handler->finish(request);
    return r->progress == AT_REST ? MHD_YES : answer(r);
}

/* ---- libmicrohttpd's callbacks --------------------------------------------------------------- */

/* The request line was read: the request begins. What is returned becomes *context below. */
static void *on_request_line(void *argument, const char *uri, struct MHD_Connection *connection)
{
    struct http *http = argument;
    struct peer *peer = http_peer(connection);
    struct http_request *r = peer ? calloc(1, sizeof *r) : NULL;
    if (!r) return http_spare_begin();
    r->http = http;
    r->connection = connection;
    r->peer = peer;
    r->request.server = http->server;
    r->request.began = clock_ns();
    r->request.route = ROUTES;
    http_make_id(r);
    target_parse(&r->request.target, uri, &r->target_error);
    r->target_end = uri + strlen(uri);
    metrics_active(http->server->metrics, 1);
    http_request_begins(r);
    http_watch_reading(r);
    return r;
}

/* The parameters are libmicrohttpd's. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_access(void *argument, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_size, void **context)
{
    struct http_request *r = *context;
    (void)url;
    if (http_is_spare(r)) return http_spare_access(argument, connection, upload_size, context);
    if (!r) return MHD_NO;
    http_watch_nothing(r);
    if (r->cut) return MHD_NO; /* the connection lingers */
    switch (r->progress) {
    case AT_HEADERS: return begin(r, method, version);
    case AT_BODY:
        if (!*upload_size) return end(r);
        const size_t size = *upload_size;
        *upload_size = 0;
        return take_body(r, upload, size);
    case AT_REST: return finish(r);
    default: return MHD_YES;
    }
}

static void log_request(const struct http_request *r, unsigned status)
{
    const struct request *request = &r->request;
    const uint64_t end = r->cut ? r->peer->answered : clock_ns();
    const uint64_t us = (end - request->began) / NS_PER_US;
    LOG(status >= 500 ? LOG_WARNING : LOG_INFO, "request", LOG_TEXT("id", request->id),
        LOG_TEXT("method", r->method ? r->method : "-"), LOG_TEXT("path", request->target.path),
        LOG_NUMBER("status", status), LOG_NUMBER("received", request->received),
        LOG_NUMBER("sent", r->sent), LOG_NUMBER("ms", (double)us / 1e3));
}

static bool has_left(const struct http_request *r, enum MHD_RequestTerminationCode code)
{
    return r->request.dropped || r->progress == AT_REST ||
           code == MHD_REQUEST_TERMINATED_CLIENT_ABORT || code == MHD_REQUEST_TERMINATED_READ_ERROR;
}

/* The connection ends before its request was answered: the client left, the request is to be cut
 * off or nothing came for too long. The status that counts. */
static unsigned end_unanswered(struct http_request *r, enum MHD_RequestTerminationCode code)
{
    struct request *request = &r->request;
    if (has_left(r, code)) {
        if (!request->dropped) request->dropped = DROPPED_GONE;
        return 499;
    }
    if (code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED && !request->reply.status)
        request_fail(request, 408, "nothing came for as long as --idle-timeout allows: %zu s",
                     options_of(r)->idle_timeout);
    if (!request->reply.status) return 400; /* libmicrohttpd gave up and said nothing */
    http_cut_off(r);
    return request->reply.status;
}

static void complete(struct http_request *r, enum MHD_RequestTerminationCode code)
{
    struct request *request = &r->request;
    struct metrics *metrics = request->server->metrics;
    http_watch_nothing(r);
    if (r->progress == AT_REST) { /* left meanwhile */
        resume_held(r->http);
        atomic_fetch_sub(&r->http->suspended, 1);
    }
    const bool answered = r->progress == AT_END || r->cut;
    const unsigned status = answered ? request->reply.status : end_unanswered(r, code);
    if (request->dropped)
        metrics_dropped(metrics,
                        request->dropped == DROPPED_LATE ? REASON_DEADLINE : REASON_CANCELLED,
                        request->phase);
    metrics_request(metrics, request->route, status, request->received, r->sent);
    if (log_enabled(LOG_INFO) || status >= 500) log_request(r, status);
    if (r->handler && r->handler->release) r->handler->release(request);
    buffer_free(&request->reply.body);
    buffer_free(&request->reply.timing);
    target_free(&request->target);
    metrics_active(metrics, -1);
    http_request_ended(r);
    free(r);
}

static void on_completed(void *argument, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    (void)argument, (void)connection;
    if (*context && !http_is_spare(*context)) complete(*context, code);
    *context = NULL;
}

/* Where it fails twice for one request libmicrohttpd closes the connection without on_completed();
 * and what it had of the request is gone. */
static void complete_forgotten(struct http_request *r)
{
    r->method = NULL;
    r->peer->untimed = false;
    complete(r, MHD_REQUEST_TERMINATED_WITH_ERROR);
}

static void on_connection(void *argument, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = argument;
    struct peer *peer = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        http_connection_begins(http, connection, context);
        return;
    }
    if (peer && peer->request) complete_forgotten(peer->request);
    http_connection_ends(http, connection, peer);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *argument, const char *format,
                                                         va_list arguments)
{
    char text[256];
    (void)argument;
    if (!log_enabled(LOG_DEBUG)) return;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    LOG(LOG_DEBUG, "http", LOG_TEXT("text", text));
}

/* ---- start and stop -------------------------------------------------------------------------- */

/* A body that arrives in large pieces costs fewer system calls and acknowledgements; but
 * libmicrohttpd zeroes all of the memory after each request, which a small one pays for. So it goes
 * by the requests that are to be expected: half of the largest model's input. */
static size_t body_chunk(const struct server *server)
{
    const size_t chunk = registry_largest_input(server->registry) * sizeof(float) / 2;
    if (chunk < LEAST_CHUNK) return LEAST_CHUNK;
    return chunk < MOST_CHUNK ? chunk : MOST_CHUNK;
}

/* The acceptor counts connections; libmicrohttpd, which counts those that are closed for a little
 * longer, must not. */
static struct MHD_Daemon *start_daemon(struct http *http, const struct options *options)
{
    enum { CLOSING = 64 };
    const size_t chunk = body_chunk(http->server), threads = http->limits.threads;
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
            MHD_USE_NO_LISTEN_SOCKET,
        0, NULL, NULL, on_access, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)threads, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(options->connections + CLOSING * threads), MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)options->connections_per_address, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)options->idle_timeout, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        options->max_header_bytes + chunk, MHD_OPTION_CONNECTION_MEMORY_INCREMENT, chunk / 4,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, http, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
}

/* On the acceptor's thread. */
static void take_client(void *context, int fd, const struct sockaddr *address, socklen_t size)
{
    struct http *http = context;
    if (MHD_add_connection(http->daemon, fd, address, size) == MHD_YES) return;
    metrics_refused(http->server->metrics);
    acceptor_closed(http->acceptor, fd); /* libmicrohttpd has closed it */
}

static bool make_room(void *context, bool any_descriptor)
{
    struct http *http = context;
    return http_evict_idle(http) || (any_descriptor && linger_evict(http->linger));
}

/* False: no memory, descriptors or threads. */
static bool start_parts(struct http *http, const struct options *options)
{
    enum { LINGERING_SHARE = 4 }; /* as many connections as one in so many may linger besides */
    const size_t cpus = cpus_usable();
    http->limits.threads = options->http_threads ? options->http_threads : cpus < 4 ? cpus : 4;
    http->limits.connections = descriptors_fit(options->connections, LINGERING_SHARE);
    http->watch = watch_new();
    if (!http->watch) return false;
    http->linger = linger_new(
        http->watch, http->server->metrics,
        (struct linger_limits){.bytes = options->linger_bytes,
                               .ns = options->linger_timeout * NS_PER_SECOND,
                               .connections = options->connections / LINGERING_SHARE + 1});
    if (http->linger && http_spare_make(http)) http->daemon = start_daemon(http, options);
    if (!http->daemon) return false;
    http->acceptor = acceptor_new(http->listener, http->limits.connections,
                                  (struct acceptor_owner){http, take_client, make_room});
    return http->acceptor && acceptor_start(http->acceptor);
}

static void free_parts(struct http *http)
{
    if (http->daemon) MHD_stop_daemon(http->daemon);
    watch_free(http->watch);
    linger_free(http->linger);
    acceptor_free(http->acceptor);
    http_spare_free(http);
    free(http);
}

struct http *http_start(struct server *server, struct http_error *error)
{
    *error = (struct http_error){EX_OSERR, "libmicrohttpd is not the one it was built with"};
    if (!http_find_library()) return NULL;
    struct http *http = calloc(1, sizeof *http);
    *error = (struct http_error){EX_OSERR, "no memory for the HTTP server"};
    if (!http) return NULL;
    http->server = server;
    http_idle_init(&http->idle);
    if (getrandom(&http->id_seed, sizeof http->id_seed, 0) < 0) http->id_seed = clock_ns();
    http->listener = listener_open(server->options->host, server->options->port, error->text,
                                   sizeof error->text);
    if (http->listener < 0) {
        if (!failure_is_shortage(errno)) error->exit_code = EX_UNAVAILABLE;
        free(http);
        return NULL;
    }
    if (start_parts(http, server->options)) return http;
    snprintf(error->text, sizeof error->text, "the HTTP threads cannot be started");
    close(http->listener);
    free_parts(http);
    return NULL;
}

unsigned http_port(const struct http *http)
{
    return listener_port(http->listener);
}

struct http_limits http_limits(const struct http *http)
{
    return http->limits;
}

/* Requests that are read, computed or answered, and answers that may be on their way. */
static bool is_busy(const struct http *http)
{
    return metrics_active_now(http->server->metrics) || linger_count(http->linger);
}

void http_drain(struct http *http)
{
    struct metrics *metrics = http->server->metrics;
    const uint64_t tick = 2 * NS_PER_MS;
    enum { QUIET = 150, HASTE = 25 }; /* ticks: an idle connection may have a request on its way */
    listener_refuse(http->listener);
    acceptor_stop(http->acceptor);
    close(http->listener);
    atomic_store(&http->drain_deadline,
                 clock_ns() + http->server->options->drain_timeout * NS_PER_SECOND);
    /* Ticks are counted, not the clock: it goes on while this process may have to stand still. */
    size_t quiet = 0;
    for (size_t i = 0; quiet < QUIET && (metrics_connections_now(metrics) || is_busy(http)); i++) {
        if (i % HASTE == 0) http_hasten(http), linger_hurry(http->linger);
        clock_sleep(tick);
        quiet = is_busy(http) ? 0 : quiet + 1;
    }
    /* Whoever comes even now is refused, so that nothing can be suspended below. */
    atomic_store(&http->stopping, true);
    while (atomic_load(&http->suspended)) clock_sleep(tick);
}

void http_stop(struct http *http)
{
    free_parts(http);
}
