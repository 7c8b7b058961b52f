/* What every handler may say about a request; see request.h. */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>

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
