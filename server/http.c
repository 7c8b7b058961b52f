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

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "compress.h"
#include "cpus.h"
#include "framing.h"
#include "listener.h"
#include "log.h"
#include "metrics.h"
#include "options.h"
#include "request.h"
#include "route.h"
#include "server.h"
#include "watch.h"

/* Per connection, and zeroed by libmicrohttpd after each request: twice as large saves a body of
 * 600 KB a few system calls, and costs each small request more than its whole path through here. */
enum { BODY_CHUNK = 16384 };

struct http {
    struct server *server;
    struct MHD_Daemon *daemon;
    struct watch *watch;
    int listener;
    uint64_t id_seed;
    _Atomic uint64_t requests;
    atomic_size_t suspended; /* and not back in on_access() yet */
    atomic_bool stopping;    /* nothing is suspended any more */
};

enum progress {
    AT_HEADERS, /* the handler has not been called */
    AT_BODY,    /* the body is passed on, or thrown away once there is a reply */
    AT_REST,    /* suspended, or just resumed */
    AT_END,     /* answered */
};

/* A connection, at all times watched for one thing. */
struct peer {
    struct watched watched;       /* first: the two are one address */
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
    enum progress progress;
    bool chunked, unsized; /* unsized: neither Content-Length nor Transfer-Encoding */
    size_t sent;
};

static const struct options *options_of(const struct http_request *r)
{
    return r->request.server->options;
}

const char *request_header(const struct request *request, const char *name)
{
    const struct http_request *r = (const struct http_request *)request;
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* ---- the watch ------------------------------------------------------------------------------- */

/* While a request is read, or waited for. libmicrohttpd is made to look, reads what has arrived and
 * finds the end of the stream; on_completed() says why. */
static void on_reading_ends(struct watched *watched, enum watch_event event)
{
    struct peer *peer = (struct peer *)watched;
    if (event == WATCH_DEADLINE) atomic_store(&peer->late, true);
    shutdown(peer->fd, SHUT_RD);
}

/* While it is suspended. */
static void on_abandoned(struct watched *watched, enum watch_event event)
{
    struct http_request *r = ((struct peer *)watched)->request;
    r->request.dropped = event == WATCH_HANGUP ? DROPPED_GONE : DROPPED_LATE;
    if (r->handler->abandon(&r->request)) MHD_resume_connection(r->connection);
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

/* ---- answers --------------------------------------------------------------------------------- */

static void add_headers(const struct http_request *r, struct MHD_Response *response)
{
    const struct reply *reply = &r->request.reply;
    const bool draining = atomic_load(&r->request.server->state) == SERVER_DRAINING;
    char seconds[16];
    if (reply->content_type) MHD_add_response_header(response, "Content-Type", reply->content_type);
    MHD_add_response_header(response, "X-Request-Id", r->request.id);
    if (reply->digest[0]) MHD_add_response_header(response, "X-Model-Digest", reply->digest);
    if (reply->timing.size && !reply->timing.failed)
        MHD_add_response_header(response, "Server-Timing", reply->timing.bytes);
    if (reply->encoding) MHD_add_response_header(response, "Content-Encoding", reply->encoding);
    if (reply->compressible) MHD_add_response_header(response, "Vary", "Accept, Accept-Encoding");
    if (reply->allow) MHD_add_response_header(response, "Allow", reply->allow);
    if (reply->json_size) {
        char size[24];
        snprintf(size, sizeof size, "%zu", reply->json_size);
        MHD_add_response_header(response, "Inference-Header-Content-Length", size);
    }
    if (reply->retry_after) {
        snprintf(seconds, sizeof seconds, "%u", reply->retry_after);
        MHD_add_response_header(response, "Retry-After", seconds);
    }
    if (reply->close || draining) MHD_add_response_header(response, "Connection", "close");
}

static enum MHD_Result send_reply(struct http_request *r)
{
    struct reply *reply = &r->request.reply;
    if (!reply->status) request_fail(&r->request, 500, "no answer was made");
    if (reply->body.failed) request_fail(&r->request, 500, "no memory for the answer");
    if (reply->compressible)
        reply->encoding =
            compress_body(&reply->body, request_header(&r->request, "Accept-Encoding"));
    watch_nothing(r);
    r->progress = AT_END;
    r->sent = reply->body.size;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body.size, reply->body.bytes, MHD_RESPMEM_MUST_FREE);
    if (!response) return MHD_NO;
    reply->body = (struct buffer){0}; /* the response owns the bytes now */
    add_headers(r, response);
    const enum MHD_Result queued = MHD_queue_response(r->connection, reply->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* Answers where libmicrohttpd can't, in the middle of a request: straight to the socket, which is
 * closed next. What has arrived unread is taken out of it, as it would have the answer thrown away.
 */
static void cut_off(struct http_request *r)
{
    const struct reply *reply = &r->request.reply;
    enum { MOST = 256 };
    char unread[4096];
    struct buffer text = {0};
    buffer_format(&text,
                  "HTTP/1.1 %u Refused\r\nConnection: close\r\nContent-Type: application/json\r\n"
                  "X-Request-Id: %s\r\nContent-Length: %zu\r\n\r\n",
                  reply->status, r->request.id, reply->body.size);
    buffer_append(&text, reply->body.bytes, reply->body.size);
    if (!text.failed && !reply->body.failed) {
        const ssize_t sent = send(r->peer->fd, text.bytes, text.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        r->sent = sent > 0 ? (size_t)sent : 0;
    }
    buffer_free(&text);
    shutdown(r->peer->fd, SHUT_WR);
    for (int i = 0; i < MOST && recv(r->peer->fd, unread, sizeof unread, MSG_DONTWAIT) > 0; i++)
        continue;
}

/* ---- the headers ----------------------------------------------------------------------------- */

static void make_id(struct http_request *r)
{
    uint64_t x = r->http->id_seed + 0x9e3779b97f4a7c15ull * atomic_fetch_add(&r->http->requests, 1);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    snprintf(r->request.id, sizeof r->request.id, "%016llx", (unsigned long long)(x ^ (x >> 31)));
}

/* The client's name for the request replaces ours. */
static void take_id(struct http_request *r)
{
    const char *given = request_header(&r->request, "X-Request-Id");
    const size_t length = given ? strlen(given) : 0;
    if (!length || length >= REQUEST_ID_SIZE) return;
    for (size_t i = 0; i < length; i++)
        if (given[i] <= ' ' || given[i] > '~' || strchr("\"\\,;", given[i])) return;
    memcpy(r->request.id, given, length + 1);
}

static enum MHD_Result add_framing(void *framing, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    framing_add(framing, name, value);
    return MHD_YES;
}

static bool read_framing(struct http_request *r)
{
    struct framing framing = {0};
    struct request *request = &r->request;
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, add_framing, &framing);
    const char *error = framing_error(&framing);
    if (error) {
        request_fail(request, 400, "the request has %s", error);
        request->reply.close = true;
        return false;
    }
    r->chunked = framing.encodings > 0;
    request->content_length = r->chunked ? SIZE_MAX : 0;
    if (framing.lengths) request->content_length = strtoull(framing.length, NULL, 10);
    r->unsized = !framing.lengths && !framing.encodings;
    return true;
}

/* A body that never comes is told apart from one that was forgotten. */
static bool check_length(struct http_request *r)
{
    const bool sends = !strcmp(r->method, "POST") || !strcmp(r->method, "PUT");
    if (!r->unsized || !sends || r->handler->no_body) return true;
    request_fail(&r->request, 411, "a Content-Length is needed");
    return false;
}

static bool check_sizes(struct http_request *r)
{
    const struct options *options = options_of(r);
    const size_t length = r->request.content_length;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    r->request.reply.close = true; /* the rest is not read */
    if (info && info->header_size > options->max_header_bytes)
        request_fail(&r->request, 431, "headers of %zu bytes, --max-header-bytes allows %zu",
                     info->header_size, options->max_header_bytes);
    else if (!r->chunked && length > options->max_body_bytes)
        request_fail(&r->request, 413, "a body of %zu bytes, --max-body-bytes allows %zu", length,
                     options->max_body_bytes);
    else
        r->request.reply.close = false;
    return !r->request.reply.close;
}

static bool find_handler(struct http_request *r)
{
    struct request *request = &r->request;
    const char *allow = NULL;
    if (r->target_error) {
        request_fail(request, 400, "the request's target: %s", r->target_error);
        return false;
    }
    switch (route_find(&request->target, r->method, &request->route, &allow)) {
    case ROUTE_FOUND: r->handler = route_handler(request->route); return true;
    case ROUTE_NO_METHOD:
        request_fail(request, 405, "%.20s is not a method of this path, %s is", r->method, allow);
        request->reply.allow = allow;
        return false;
    default: request_fail(request, 404, "no such path: %.200s", request->target.path); return false;
    }
}

/* The headers are there. A reply that is made now is sent now when no body follows it, or the
 * client waits to be asked for it; else when the body has been read. */
static enum MHD_Result begin(struct http_request *r, const char *method)
{
    struct request *request = &r->request;
    r->method = method;
    r->progress = AT_BODY;
    take_id(r);
    const bool framed = read_framing(r);
    if (request->reply.close || !check_sizes(r)) return send_reply(r);
    if (find_handler(r) && framed && check_length(r)) {
        request->reply = (struct reply){0};
        if (r->handler->begin) r->handler->begin(request);
        if (request->deadline) watch_reading(r);
    }
    const bool waits = request_header(request, "Expect") != NULL;
    return request->reply.status && waits ? send_reply(r) : MHD_YES;
}

/* ---- the body -------------------------------------------------------------------------------- */

static enum MHD_Result take_body(struct http_request *r, const char *bytes, size_t size)
{
    struct request *request = &r->request;
    const size_t most = options_of(r)->max_body_bytes;
    request->received += size;
    if (atomic_load(&r->peer->late)) return MHD_NO;
    if (request->received > most) {
        request_fail(request, 413, "the body is longer than --max-body-bytes allows: %zu", most);
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
    return r->progress == AT_REST ? MHD_YES : send_reply(r);
}

/* Back from its suspension; the handler may suspend it again. */
static enum MHD_Result finish(struct http_request *r)
{
    struct request *request = &r->request;
    atomic_fetch_sub(&r->http->suspended, 1);
    r->progress = AT_BODY;
    if (request->dropped == DROPPED_GONE) return MHD_NO;
    if (request->dropped == DROPPED_LATE)
        request_fail_deadline(request);
    else
        r->handler->finish(request);
    return r->progress == AT_REST ? MHD_YES : send_reply(r);
}

/* ---- libmicrohttpd's callbacks --------------------------------------------------------------- */

static struct peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The request line was read: the request begins. What is returned becomes *context below. */
static void *on_request_line(void *argument, const char *uri, struct MHD_Connection *connection)
{
    struct http *http = argument;
    struct peer *peer = peer_of(connection);
    struct http_request *r = peer ? calloc(1, sizeof *r) : NULL;
    if (!r) return NULL;
    peer->request = r;
    r->http = http;
    r->connection = connection;
    r->peer = peer;
    r->request.server = http->server;
    r->request.began = clock_ns();
    r->request.route = ROUTES;
    make_id(r);
    watch_reading(r);
    target_parse(&r->request.target, uri, &r->target_error);
    metrics_active(http->server->metrics, 1);
    return r;
}

/* The parameters are libmicrohttpd's. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_access(void *argument, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_size, void **context)
{
    struct http_request *r = *context;
    (void)argument, (void)connection, (void)url, (void)version;
    if (!r) return MHD_NO;
    switch (r->progress) {
    case AT_HEADERS: return begin(r, method);
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
    if (!request->reply.status) return 400; /* libmicrohttpd's: an end of ours has a reply */
    cut_off(r);
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
    if (r->progress == AT_REST) atomic_fetch_sub(&r->http->suspended, 1); /* left meanwhile */
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
    const struct http *http = argument;
    struct peer *peer = *context;
    const bool started = code == MHD_CONNECTION_NOTIFY_STARTED;
    metrics_connections(http->server->metrics, started ? 1 : -1);
    if (started) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = peer = calloc(1, sizeof *peer);
        if (!peer) return; /* its requests are refused */
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

static struct MHD_Daemon *start_daemon(struct http *http, const struct options *options)
{
    const size_t cpus = cpus_usable();
    size_t threads = options->http_threads ? options->http_threads : cpus < 4 ? cpus : 4;
    if (threads < 2) threads = 2;
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_access, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET,
        http->listener, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)threads,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(options->connections > threads ? options->connections : threads),
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)options->connections_per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)options->idle_timeout,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->max_header_bytes + BODY_CHUNK,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)BODY_CHUNK / 4, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_line, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
}

struct http *http_start(struct server *server, struct http_error *error)
{
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
