/* Liveness and readiness, under each of their names. */
#include "api.h"
#include "server.h"

static void answer(struct request *request, unsigned status, const char *text)
{
    request->reply.status = status;
    request->reply.content_type = "application/json";
    if (status == 503) request->reply.retry_after = 1;
    buffer_text(&request->reply.body, text);
}

static bool is_ready(const struct request *request)
{
    return atomic_load(&request->server->state) == SERVER_READY;
}

static void live(struct request *request)
{
    answer(request, 200, "{\"live\":true}\n");
}

static void ready(struct request *request)
{
    if (is_ready(request))
        answer(request, 200, "{\"ready\":true}\n");
    else
        answer(request, 503, "{\"ready\":false,\"error\":\"the server is stopping\"}\n");
}

const struct handler api_health_live = {.end = live}, api_health_ready = {.end = ready};
