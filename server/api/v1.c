/* TF Serving's question whether a model is served. Its predictions are in infer_head.c, with
 * everything that computes. */
#include "api.h"
#include "model.h"

static void status(struct request *request)
{
    struct model *model = api_model_of_path(request);
    if (!model) return;
    buffer_text(api_begin_json(request),
                "{\"model_version_status\":[{\"version\":\"" MODEL_VERSION
                "\",\"state\":\"AVAILABLE\",\"status\":{\"error_code\":\"OK\",\"error_message\":"
                "\"\"}}]}\n");
    model_release(model);
}

const struct handler api_v1_status = {.end = status};
