/* Answers, through libmicrohttpd and past it; see http_request.h. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "compress.h"
#include "failure.h"
#include "http_request.h"
#include "route.h"
#include "server.h"

/* libmicrohttpd's MHD_queue_response(); ours is below. */
static enum MHD_Result (*queue_response)(struct MHD_Connection *connection, unsigned status,
                                         struct MHD_Response *response);

bool http_find_library(void)
{
    void *symbol = dlsym(RTLD_NEXT, "MHD_queue_response");
    memcpy(&queue_response, &symbol, sizeof symbol); /* ISO C has no conversion */
    return symbol != NULL;
}

enum MHD_Result http_queue(struct MHD_Connection *connection, unsigned status,
                           struct MHD_Response *response)
{
    return queue_response(connection, status, response);
}

/* Adds the header, unless there is no value; *good: all so far could be added. */
static void add(struct MHD_Response *response, bool *good, const char *name, const char *value)
{
    if (!value || !*value) return;
    *good = *good && MHD_add_response_header(response, name, value) == MHD_YES;
}

static void add_number(struct MHD_Response *response, bool *good, const char *name, size_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", number);
    if (number) add(response, good, name, text);
}

static bool closes(const struct http_request *r)
{
    return r->request.reply.close || atomic_load(&r->request.server->state) == SERVER_DRAINING;
}

/* False: no memory. */
static bool add_headers(const struct http_request *r, struct MHD_Response *response)
{
    const struct reply *reply = &r->request.reply;
    bool good = !reply->timing.failed;
    add(response, &good, "Content-Type", reply->content_type);
    add(response, &good, "X-Request-Id", r->request.id);
    add(response, &good, "X-Model-Digest", reply->digest);
    add(response, &good, "Server-Timing", reply->timing.bytes);
    add(response, &good, "Content-Encoding", reply->encoding);
    add(response, &good, "Vary", reply->compressible ? "Accept, Accept-Encoding" : NULL);
    add(response, &good, "Allow", reply->allow);
    add_number(response, &good, "Inference-Header-Content-Length", reply->json_size);
    add_number(response, &good, "Retry-After", reply->retry_after);
    add(response, &good, "Connection", closes(r) ? "close" : NULL);
    return good;
}

/* Takes the reply's body over. NULL: no memory for all of it. */
static struct MHD_Response *make_response(struct http_request *r)
{
    struct reply *reply = &r->request.reply;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body.size, reply->body.bytes, MHD_RESPMEM_MUST_FREE);
    if (!response) return NULL;
    reply->body = (struct buffer){0}; /* the response owns the bytes now */
    if (add_headers(r, response)) return response;
    MHD_destroy_response(response);
    return NULL;
}

/* The answer that takes no memory. */
static enum MHD_Result send_spare(struct http_request *r)
{
    if (closes(r)) r->peer->lingers = true;
    r->request.reply.status = failure_http(RN_ERR_MEMORY);
    r->sent = http_spare_size();
    return http_spare_send(r->http, r->connection, closes(r));
}

enum MHD_Result http_send_reply(struct http_request *r)
{
    struct reply *reply = &r->request.reply;
    if (!reply->status) request_fail(&r->request, 500, "no answer was made");
    if (reply->body.failed) return send_spare(r);
    if (reply->compressible) {
        struct buffer joined = {0};
        reply->encoding = compress_body(
            &reply->body, request_header_list(&r->request, "Accept-Encoding", &joined));
        buffer_free(&joined);
    }
    r->sent = reply->body.size;
    if (reply->status == 503) reply->retry_after = 1; /* it may be over soon, or elsewhere */
    struct MHD_Response *response = make_response(r);
    if (!response) return send_spare(r);
    if (closes(r)) r->peer->lingers = true;
    const enum MHD_Result queued = queue_response(r->connection, reply->status, response);
    MHD_destroy_response(response);
    return queued;
}

void http_cut_off(struct http_request *r)
{
    const struct reply *reply = &r->request.reply;
    struct peer *peer = r->peer;
    struct buffer text = {0};
    buffer_format(&text,
                  "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
                  "X-Request-Id: %s\r\n",
                  reply->status, MHD_get_reason_phrase_for(reply->status), r->request.id);
    if (reply->retry_after) buffer_format(&text, "Retry-After: %u\r\n", reply->retry_after);
    buffer_format(&text, "Content-Length: %zu\r\n\r\n", reply->body.size);
    buffer_append(&text, reply->body.bytes, reply->body.size);
    const bool good = !text.failed && !reply->body.failed;
    const ssize_t sent =
        send(peer->fd, good ? text.bytes : http_spare_text,
             good ? text.size : strlen(http_spare_text), MSG_NOSIGNAL | MSG_DONTWAIT);
    r->sent = sent > 0 ? (size_t)sent : 0;
    buffer_free(&text);
    shutdown(peer->fd, SHUT_WR);
    r->cut = true;
    peer->lingers = true;
    peer->answered = clock_ns();
}

/* ---- what libmicrohttpd answers by itself ---------------------------------------------------- */

/* There is no request: its line could not be read. */
static enum MHD_Result refuse(struct MHD_Connection *connection, struct peer *peer, unsigned status)
{
    struct server *server = peer->http->server;
    struct http_request r = {.request = {.server = server, .route = ROUTES},
                             .http = peer->http,
                             .connection = connection,
                             .peer = peer};
    http_make_id(&r);
    http_explain(&r, status);
    r.request.reply.close = true;
    peer->answered = clock_ns();
    const enum MHD_Result queued = http_send_reply(&r);
    metrics_request(server->metrics, ROUTES, status, 0, r.sent);
    return queued;
}

/* What it can't read libmicrohttpd answers with a page of HTML, whose head it may send twice or not
 * at all, through this public function of its own. A program's definition goes before a shared
 * library's: so the answer is an error like all others, and the page finds the connection closed.
 */
enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                   struct MHD_Response *page)
{
    struct peer *peer = http_peer(connection);
    struct http_request *r = peer ? peer->request : NULL;
    if (!peer) return queue_response(connection, status, page);
    if (!r) return refuse(connection, peer, status);
    http_watch_nothing(r);
    if (!r->request.reply.status) http_explain(r, status);
    if (r->progress != AT_END && !r->cut) http_cut_off(r);
    r->progress = AT_END;
    return queue_response(connection, status, page);
}
