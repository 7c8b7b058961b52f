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

struct peer *http_peer(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
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
    if (reply->close || draining) MHD_add_response_header(response, "Connection", "close");
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

/* What has arrived unread is taken out of the socket, as it would have the answer thrown away. */
void http_cut_off(struct http_request *r)
{
    const struct reply *reply = &r->request.reply;
    enum { MOST = 256 };
    char unread[4096];
    struct buffer text = {0};
    buffer_format(&text,
                  "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
                  "X-Request-Id: %s\r\nContent-Length: %zu\r\n\r\n",
                  reply->status, MHD_get_reason_phrase_for(reply->status), r->request.id,
                  reply->body.size);
    buffer_append(&text, reply->body.bytes, reply->body.size);
    if (!text.failed && !reply->body.failed) {
        const ssize_t sent = send(r->peer->fd, text.bytes, text.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        r->sent = sent > 0 ? (size_t)sent : 0;
    }
    buffer_free(&text);
    shutdown(r->peer->fd, SHUT_WR);
    for (int i = 0; i < MOST && recv(r->peer->fd, unread, sizeof unread, MSG_DONTWAIT) > 0; i++)
        continue;
    shutdown(r->peer->fd, SHUT_RD);
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
    if (!r->request.reply.status) http_explain(r, status);
    if (r->progress != AT_END) http_cut_off(r);
    r->progress = AT_END;
    return queue_response(connection, status, page);
}
