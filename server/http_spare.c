/* The answer that takes no memory: 503, made at the start; see http_request.h. */
#include "failure.h"
#include "http_request.h"
#include "route.h"
#include "server.h"

static const char text[] = "{\"error\":\"" REQUEST_NO_MEMORY "\"}\n";
const char http_spare_text[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
                               "Retry-After: 1\r\nContent-Length: 0\r\n\r\n";

/* The contexts of a request for which there is no memory: its line was read; its headers were. */
static char line_read, headers_read;

static struct MHD_Response *make(bool close)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        sizeof text - 1, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    if (!response) return NULL;
    if (MHD_add_response_header(response, "Content-Type", "application/json") == MHD_YES &&
        MHD_add_response_header(response, "Retry-After", "1") == MHD_YES &&
        (!close || MHD_add_response_header(response, "Connection", "close") == MHD_YES))
        return response;
    MHD_destroy_response(response);
    return NULL;
}

bool http_spare_make(struct http *http)
{
    for (int close = 0; close < 2; close++)
        if (!(http->spare[close] = make(close))) return false;
    return true;
}

void http_spare_free(struct http *http)
{
    for (int close = 0; close < 2; close++)
        if (http->spare[close]) MHD_destroy_response(http->spare[close]);
}

enum MHD_Result http_spare_send(struct http *http, struct MHD_Connection *connection, bool close)
{
    metrics_failure(http->server->metrics, REASON_MEMORY);
    return http_queue(connection, failure_http(RN_ERR_MEMORY), http->spare[close]);
}

size_t http_spare_size(void)
{
    return sizeof text - 1;
}

void *http_spare_begin(void)
{
    return &line_read;
}

bool http_is_spare(const void *context)
{
    return context == &line_read || context == &headers_read;
}

enum MHD_Result http_spare_access(struct http *http, struct MHD_Connection *connection,
                                  size_t *upload_size, void **context)
{
    const bool begins = *context == &line_read, in_body = *upload_size > 0;
    *context = &headers_read;
    *upload_size = 0;
    if (begins || in_body) return MHD_YES;
    metrics_request(http->server->metrics, ROUTES, failure_http(RN_ERR_MEMORY), 0,
                    http_spare_size());
    return http_spare_send(http, connection, false);
}
