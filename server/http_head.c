/* From a request's headers to its handler: its name, how long it is, which route; see
 * http_request.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "framing.h"
#include "http_request.h"
#include "options.h"
#include "origin.h"
#include "route.h"
#include "server.h"

const char *request_header(const struct request *request, const char *name)
{
    const struct http_request *r = (const struct http_request *)request;
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

struct list {
    const char *name, *only;
    struct buffer *joined;
    size_t lines;
};

static enum MHD_Result add_line(void *argument, enum MHD_ValueKind kind, const char *name,
                                const char *value)
{
    struct list *list = argument;
    (void)kind;
    if (strcasecmp(name, list->name) != 0 || !value) return MHD_YES;
    if (list->lines == 1) buffer_text(list->joined, list->only);
    if (list->lines > 0) buffer_format(list->joined, ", %s", value);
    list->only = value;
    list->lines++;
    return MHD_YES;
}

const char *request_header_list(const struct request *request, const char *name,
                                struct buffer *joined)
{
    const struct http_request *r = (const struct http_request *)request;
    struct list list = {.name = name, .joined = joined};
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, add_line, &list);
    return list.lines > 1 && !joined->failed ? joined->bytes : list.only;
}

void http_make_id(struct http_request *r)
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

/* Of the headers with the request line. */
static size_t header_size(const struct http_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

static bool read_framing(struct http_request *r, const char *version)
{
    struct framing framing = {.wants_host = strcmp(version, "HTTP/1.0") != 0,
                              .read = version + strlen(version)};
    struct request *request = &r->request;
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, add_framing, &framing);
    framing_close(&framing, r->method + header_size(r));
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
    const struct options *options = r->request.server->options;
    const size_t length = r->request.content_length, headers = header_size(r);
    r->request.reply.close = true; /* the rest is not read */
    if (headers > options->max_header_bytes)
        request_fail(&r->request, 431, "headers of %zu bytes, --max-header-bytes allows %zu",
                     headers, options->max_header_bytes);
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
    if (r->target_error == target_no_memory) {
        request_fail_memory(request);
        return false;
    }
    if (r->target_error) {
        request_fail(request, 400, "the request's target: %s", r->target_error);
        return false;
    }
    switch (route_find(&request->target, r->method, &request->route, &allow)) {
    case ROUTE_FOUND: r->handler = route_handler(request->route); return true;
    case ROUTE_NO_METHOD:
        request_fail(request, 405, "%.20s is not a method of this path, which has %s", r->method,
                     allow);
        request->reply.allow = allow;
        return false;
    default: request_fail(request, 404, "no such path: %.200s", request->target.path); return false;
    }
}

/* Whatever the handler would say: it is not asked. */
static bool check_origin(struct http_request *r)
{
    struct request *request = &r->request;
    struct buffer lines[2] = {{0}, {0}};
    if (route_at(request->route)->effect != ROUTE_CHANGES) return true;
    const char *site = request_header_list(request, "Sec-Fetch-Site", &lines[0]);
    const char *origin = request_header_list(request, "Origin", &lines[1]);
    const bool foreign = origin_is_foreign(site, origin, request_header(request, "Host"));
    if (foreign)
        request_fail(request, 403,
                     "a web page of another origin (%.80s) may not change what is served here",
                     origin ? origin : site);
    buffer_free(&lines[0]);
    buffer_free(&lines[1]);
    return !foreign;
}

/* Now, when no body follows, or the client waits to be asked for it. */
bool http_read_head(struct http_request *r, const char *method, const char *version)
{
    struct request *request = &r->request;
    r->method = method;
    /* What follows a NUL in the target was not looked at. */
    if (!r->target_error && version != r->target_end + 1) r->target_error = "control character";
    take_id(r);
    const bool framed = read_framing(r, version);
    if (request->reply.close || !check_sizes(r)) return true;
    if (find_handler(r) && framed && check_length(r) && check_origin(r)) {
        request->reply = (struct reply){0};
        if (r->handler->begin) r->handler->begin(request);
    }
    return request->reply.status && request_header(request, "Expect") != NULL;
}

void http_explain(struct http_request *r, unsigned status)
{
    struct request *request = &r->request;
    const struct options *options = request->server->options;
    const char *length = request_header(request, "Content-Length");
    const bool in_body = r->progress != AT_HEADERS;
    switch (status) {
    case 400:
        request_fail(request, status, "%s",
                     in_body  ? "a chunk of the body is malformed"
                     : length ? "the request has a Content-Length that is no number"
                              : "the request line or a header is malformed");
        break;
    case 413:
        request_fail(request, status, "the body is longer than --max-body-bytes allows: %zu",
                     options->max_body_bytes);
        break;
    case 414:
    case 431:
        request_fail(request, status, "the headers are more than --max-header-bytes allows: %zu",
                     options->max_header_bytes);
        break;
    case 505: request_fail(request, status, "HTTP/1.1 and HTTP/1.0 are spoken here"); break;
    default: request_fail(request, status, "the request can't be taken"); break;
    }
}
