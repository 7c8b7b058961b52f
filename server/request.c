/* What every handler may say about a request; see request.h. */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>

#include "clock.h"
#include "failure.h"
#include "server.h"

void request_fail(struct request *request, unsigned status, const char *format, ...)
{
    struct reply *reply = &request->reply;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buffer_free(&reply->body);
    reply->status = status;
    reply->content_type = "application/json";
    buffer_text(&reply->body, "{\"error\":");
    buffer_json_string(&reply->body, text);
    buffer_text(&reply->body, "}\n");
}

void request_fail_memory(struct request *request)
{
    request_fail(request, failure_http(RN_ERR_MEMORY), REQUEST_NO_MEMORY);
    metrics_failure(request->server->metrics, REASON_MEMORY);
}

void request_fail_deadline(struct request *request)
{
    const unsigned long long us = (request->deadline - request->began) / NS_PER_US;
    if (us % 1000)
        request_fail(request, 504, "the deadline of %llu us passed", us);
    else
        request_fail(request, 504, "the deadline of %llu ms passed", us / 1000);
}
