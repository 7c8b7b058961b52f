/* Answers, through libmicrohttpd and past it; see http_request.h. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "compress.h"
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
    if (!reply->close && !draining) return;
    MHD_add_response_header(response, "Connection", "close");
    r->peer->lingers = true;
}

enum MHD_Result http_send_reply(struct http_request *r)
{
    struct reply *reply = &r->request.reply;
    if (!reply->status) request_fail(&r->request, 500, "no answer was made");
    if (reply->body.failed) request_fail(&r->request, 500, "no memory for the answer");
    if (reply->compressible) {
        struct buffer joined = {0};
        reply->encoding = compress_body(
            &reply->body, request_header_list(&r->request, "Accept-Encoding", &joined));
        buffer_free(&joined);
    }
    r->sent = reply->body.size;
    if (reply->status == 503) reply->retry_after = 1; /* it may be over soon, or elsewhere */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body.size, reply->body.bytes, MHD_RESPMEM_MUST_FREE);
    if (!response) return MHD_NO;
    reply->body = (struct buffer){0}; /* the response owns the bytes now */
    add_headers(r, response);
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
    if (!text.failed && !reply->body.failed) {
        const ssize_t sent = send(peer->fd, text.bytes, text.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        r->sent = sent > 0 ? (size_t)sent : 0;
    }
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
