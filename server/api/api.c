/* What several groups of handlers need; see api.h. */
#include "api.h"

#include <string.h>

#include "batcher.h"
#include "model.h"
#include "registry.h"
#include "server.h"

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

struct buffer *api_begin_json(struct request *request)
{
    request->reply.status = 200;
    request->reply.content_type = "application/json";
    return &request->reply.body;
}

struct model *api_model_of_path(struct request *request)
{
    const char *name = target_capture(&request->target, "model");
    const char *version = target_capture(&request->target, "version");
    struct model *model = registry_get(request->server->registry, name);
    if (!model) {
        request_fail(request, 404, "no model %.80s", name);
    } else if (version && strcmp(version, MODEL_VERSION)) {
        request_fail(request, 404, "model %s has no version %.80s, only %s", name, version,
                     MODEL_VERSION);
        model_release(model);
        model = NULL;
    }
    return model;
}
