/* The question of TF Serving and KServe whether a model is served, answered in the form of both.
 * Its predictions are in infer_head.c, with everything that computes. */
#include "api.h"
#include "model.h"

static void status(struct request *request)
{
    struct model *model = api_model_of_path(request);
    if (!model) return;
    const bool ready = !api_model_not_ready(request, model);
    struct buffer *text = api_begin_json(request);
    buffer_text(text, "{\"name\":");
    buffer_json_string(text, model->name);
    buffer_format(text,
                  ",\"ready\":%s,\"model_version_status\":[{\"version\":\"" MODEL_VERSION
                  "\",\"state\":\"%s\",\"status\":{\"error_code\":\"OK\",\"error_message\":"
                  "\"\"}}]}\n",
                  ready ? "true" : "false", ready ? "AVAILABLE" : "UNLOADING");
    if (!ready) request->reply.status = 503;
    model_release(model);
}

const struct handler api_v1_status = {.end = status};
