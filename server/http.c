/* HTTP over libmicrohttpd; see http.h.
 *
 * A pool of its threads, each with an epoll of its own, runs everything here. A request's fields
 * belong to the thread of its connection, except while it is suspended. libmicrohttpd can only
 * answer before the body is read or after its end: a request that fails in between has its rest
 * read and thrown away, within the limits; one that breaks the limits, or takes too long, is cut
 * off with an answer that goes straight to the socket.
 *
 * The watch ends what takes too long, and what nobody waits for: while a request is read, or comes
 * not even so far, it makes libmicrohttpd find that the client left, or believe it; while a request
 * is suspended its handler gives it up. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "cpus.h"
#include "http_request.h"
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

/* ---- the watch ------------------------------------------------------------------------------- */

/* While a request is read, or waited for. libmicrohttpd is made to look, and finds the end of the
 * stream; on_completed() says why. But when a byte has just come it reads that alone: so it is made
 * to look again, until watch_set() or watch_close() ends it. */
static bool on_reading_ends(struct watched *watched, enum watch_event event)
{
    struct peer *peer = (struct peer *)watched;
    if (event == WATCH_DEADLINE) atomic_store(&peer->late, true);
    shutdown(peer->fd, SHUT_RD);
    return true;
}

/* While it is suspended. */
static bool on_abandoned(struct watched *watched, enum watch_event event)
{
    struct http_request *r = ((struct peer *)watched)->request;
    r->request.dropped = event == WATCH_HANGUP ? DROPPED_GONE : DROPPED_LATE;
    if (r->handler->abandon(&r->request)) MHD_resume_connection(r->connection);
    return false;
}

/* Until the request line is complete. libmicrohttpd closes what is idle; this is for those who send
 * a byte now and then. */
static void watch_idle(const struct http *http, struct peer *peer)
{
    const struct options *o = http->server->options;
    const size_t seconds = o->idle_timeout > o->body_timeout ? o->idle_timeout : o->body_timeout;
    watch_set(http->watch, &peer->watched, clock_ns() + (seconds + 1) * NS_PER_SECOND,
              on_reading_ends);
}

/* Until the body is complete: --body-timeout, or the request's own deadline. */
static void watch_reading(const struct http_request *r)
{
    const uint64_t last = r->request.began + options_of(r)->body_timeout * NS_PER_SECOND;
    const uint64_t deadline = r->request.deadline;
    watch_set(r->http->watch, &r->peer->watched, deadline && deadline < last ? deadline : last,
              on_reading_ends);
}

static void watch_nothing(const struct http_request *r)
{
    watch_set(r->http->watch, &r->peer->watched, 0, NULL);
}

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
    watch_set(r->http->watch, &r->peer->watched, request->deadline, on_abandoned);
    return true;
}

void request_resume(struct request *request)
{
    struct http_request *r = (struct http_request *)request;
    watch_nothing(r);
    MHD_resume_connection(r->connection);
}

/* Every wakeup of an HTTP thread may take the CPU from the one that wakes it, for one answer. */
void request_resume_with_next(struct request *request)
{
    struct http_request *r = (struct http_request *)request;
    watch_nothing(r);
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
    watch_nothing(r);
    r->progress = AT_END;
    return http_send_reply(r);
}

static enum MHD_Result begin(struct http_request *r, const char *method, const char *version)
{
    r->progress = AT_BODY;
    if (http_read_head(r, method, version)) return answer(r);
    if (r->request.deadline) watch_reading(r); /* which may be nearer than it was */
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_request *r, const char *bytes, size_t size)
{
    struct request *request = &r->request;
    request->received += size;
    if (atomic_load(&r->peer->late)) return MHD_NO;
    if (request->received > options_of(r)->max_body_bytes) {
        http_explain(r, 413);
        return MHD_NO;
    }
    if (!request->reply.status && r->handler->body) r->handler->body(request, bytes, size);
    return MHD_YES;
}

static enum MHD_Result end(struct http_request *r)
{
    struct request *request = &r->request;
    watch_nothing(r);
    if (atomic_load(&r->peer->late)) return MHD_NO;
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
    if (!r) return NULL;
    peer->request = r;
    r->http = http;
    r->connection = connection;
    r->peer = peer;
    r->request.server = http->server;
    r->request.began = clock_ns();
    r->request.route = ROUTES;
    http_make_id(r);
    watch_reading(r);
    target_parse(&r->request.target, uri, &r->target_error);
    r->target_end = uri + strlen(uri);
    metrics_active(http->server->metrics, 1);
    return r;
}

/* The parameters are libmicrohttpd's. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_access(void *argument, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_size, void **context)
{
    struct http_request *r = *context;
    (void)argument, (void)connection, (void)url;
    if (!r) return MHD_NO;
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
    const uint64_t us = (clock_ns() - request->began) / NS_PER_US;
    LOG(status >= 500 ? LOG_WARNING : LOG_INFO, "request", LOG_TEXT("id", request->id),
        LOG_TEXT("method", r->method ? r->method : "-"), LOG_TEXT("path", request->target.path),
        LOG_NUMBER("status", status), LOG_NUMBER("received", request->received),
        LOG_NUMBER("sent", r->sent), LOG_NUMBER("ms", (double)us / 1e3));
}

static bool has_left(const struct http_request *r, enum MHD_RequestTerminationCode code)
{
    if (r->request.dropped || r->progress == AT_REST) return true;
    return !atomic_load(&r->peer->late) && (code == MHD_REQUEST_TERMINATED_CLIENT_ABORT ||
                                            code == MHD_REQUEST_TERMINATED_READ_ERROR);
}

/* The connection ends before its request was answered: the client left, the request is to be cut
 * off or takes too long, or libmicrohttpd answered by itself. The status that counts. */
static unsigned end_unanswered(struct http_request *r, enum MHD_RequestTerminationCode code)
{
    struct request *request = &r->request;
    const struct options *options = options_of(r);
    const bool late = atomic_load(&r->peer->late);
    if (has_left(r, code)) {
        if (!request->dropped) request->dropped = DROPPED_GONE;
        return 499;
    }
    if (late && request->deadline && clock_ns() >= request->deadline) {
        request->dropped = DROPPED_LATE;
        request_fail_deadline(request);
    } else if (late && !request->reply.status) {
        request_fail(request, 408, "the request took longer than --body-timeout allows: %zu s",
                     options->body_timeout);
    } else if (code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED && !request->reply.status) {
        request_fail(request, 408, "nothing came for as long as --idle-timeout allows: %zu s",
                     options->idle_timeout);
    }
    if (!request->reply.status) return 400; /* libmicrohttpd gave up and said nothing */
    http_cut_off(r);
    return request->reply.status;
}

static void on_completed(void *argument, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct http_request *r = *context;
    (void)argument, (void)connection;
    if (!r) return;
    struct request *request = &r->request;
    struct metrics *metrics = request->server->metrics;
    watch_nothing(r);
    if (r->progress == AT_REST) { /* left meanwhile */
        resume_held(r->http);
        atomic_fetch_sub(&r->http->suspended, 1);
    }
    const unsigned status = r->progress == AT_END ? request->reply.status : end_unanswered(r, code);
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
    r->peer->request = NULL;
    watch_idle(r->http, r->peer);
    free(r);
    *context = NULL;
}

static void on_connection(void *argument, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = argument;
    struct peer *peer = *context;
    const bool started = code == MHD_CONNECTION_NOTIFY_STARTED;
    metrics_connections(http->server->metrics, started ? 1 : -1);
    if (started) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = peer = calloc(1, sizeof *peer);
        if (!peer) return; /* its requests are refused */
        peer->http = http;
        peer->fd = info->connect_fd;
        watch_open(http->watch, &peer->watched, peer->fd);
        watch_idle(http, peer);
    } else if (peer) {
        watch_close(http->watch, &peer->watched);
        free(peer);
    }
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

static struct MHD_Daemon *start_daemon(struct http *http, const struct options *options)
{
    const size_t chunk = body_chunk(http->server);
    const size_t cpus = cpus_usable();
    const size_t threads = options->http_threads ? options->http_threads : cpus < 4 ? cpus : 4;
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_access, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET,
        http->listener, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)threads, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(options->connections > threads ? options->connections : threads),
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)options->connections_per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)options->idle_timeout,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->max_header_bytes + chunk,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, chunk / 4, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_line, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
}

struct http *http_start(struct server *server, struct http_error *error)
{
    *error = (struct http_error){EX_OSERR, "libmicrohttpd is not the one it was built with"};
    if (!http_find_library()) return NULL;
    struct http *http = calloc(1, sizeof *http);
    *error = (struct http_error){EX_OSERR, "no memory for the HTTP server"};
    if (!http) return NULL;
    http->server = server;
    if (getrandom(&http->id_seed, sizeof http->id_seed, 0) < 0) http->id_seed = clock_ns();
    http->listener = listener_open(server->options->host, server->options->port, error->text,
                                   sizeof error->text);
    if (http->listener < 0) {
        error->exit_code = EX_UNAVAILABLE;
        free(http);
        return NULL;
    }
    http->watch = watch_new();
    if (http->watch) http->daemon = start_daemon(http, server->options);
    if (http->daemon) return http;
    snprintf(error->text, sizeof error->text, "the HTTP threads cannot be started");
    watch_free(http->watch);
    close(http->listener);
    free(http);
    return NULL;
}

unsigned http_port(const struct http *http)
{
    return listener_port(http->listener);
}

void http_drain(struct http *http)
{
    struct metrics *metrics = http->server->metrics;
    const uint64_t tick = 2 * NS_PER_MS;
    enum { QUIET = 150 }; /* ticks: an idle connection may have a request on its way */
    listener_refuse(http->listener);
    if (MHD_quiesce_daemon(http->daemon) == http->listener) close(http->listener);
    /* Ticks are counted, not the clock: it goes on while this process may have to stand still. */
    for (size_t idle = 0; idle < QUIET && metrics_connections_now(metrics); clock_sleep(tick))
        idle = metrics_active_now(metrics) ? 0 : idle + 1;
    /* Whoever comes even now is refused, so that nothing can be suspended below. */
    atomic_store(&http->stopping, true);
    while (atomic_load(&http->suspended)) clock_sleep(tick);
}

void http_stop(struct http *http)
{
    MHD_stop_daemon(http->daemon);
    watch_free(http->watch);
    free(http);
}
