/* Liveness and readiness, under each of their names. */
#include "api.h"

static void answer(struct request *request, unsigned status, const char *text)
{
    request->reply.status = status;
    request->reply.content_type = "application/json";
    buffer_text(&request->reply.body, text);
}

static void live(struct request *request)
{
    answer(request, 200, "{\"live\":true}\n");
}

static void ready(struct request *request)
{
    const char *why = api_not_ready(request);
    answer(request, why ? 503 : 200, why ? "{\"ready\":false,\"error\":\"" : "{\"ready\":true}\n");
    if (why) buffer_format(&request->reply.body, "%s\"}\n", why);
}

const struct handler api_health_live = {.end = live}, api_health_ready = {.end = ready};
