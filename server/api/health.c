/* Liveness and readiness, under each of their names. */
#include "api.h"
#include "batcher.h"
#include "model.h"
#include "registry.h"
#include "server.h"

static void answer(struct request *request, unsigned status, const char *text)
{
    request->reply.status = status;
    request->reply.content_type = "application/json";
    buffer_text(&request->reply.body, text);
}

const char *api_model_not_ready(const struct request *request, const struct model *model)
{
    if (atomic_load(&request->server->state) != SERVER_READY) return "the server is stopping";
    return batcher_moves(model->batcher) ? NULL : "the queue does not move";
}

const char *api_not_ready(const struct request *request)
{
    const char *why = NULL;
    struct model *model = registry_at(request->server->registry, 0);
    if (!model) return "no model is loaded";
    for (size_t i = 1; model; model = registry_at(request->server->registry, i++)) {
        if (!why) why = api_model_not_ready(request, model);
        model_release(model);
    }
    return why;
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
