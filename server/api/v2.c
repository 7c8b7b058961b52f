/* The calls of the Open Inference Protocol that tell about server and models. */
#include "api.h"
#include "encode/protocols.h"
#include "options.h"
#include "registry.h"
#include "server.h"

static void server(struct request *request)
{
    buffer_text(api_begin_json(request),
                "{\"name\":\"resnetd\",\"version\":\"" RN_VERSION
                "\",\"extensions\":[\"binary_tensor_data\",\"classification\",\"schedule_policy\","
                "\"statistics\",\"model_repository\",\"model_configuration\"]}\n");
}

static void models(struct request *request)
{
    struct buffer *text = api_begin_json(request);
    struct model *model;
    buffer_text(text, "{\"models\":[");
    for (size_t i = 0; (model = registry_at(request->server->registry, i)); i++) {
        if (i) buffer_append(text, ",", 1);
        buffer_json_string(text, model->name);
        model_release(model);
    }
    buffer_text(text, "]}\n");
}

static void append_tensor(struct buffer *text, const char *name, const size_t *dim, size_t rank)
{
    buffer_format(text, "[{\"name\":\"%s\",\"datatype\":\"FP32\",\"shape\":[-1", name);
    for (size_t i = 0; i < rank; i++) buffer_format(text, ",%zu", dim[i]);
    buffer_text(text, "]}]");
}

static void model_metadata(struct request *request)
{
    struct model *model = api_model_of_path(request);
    if (!model) return;
    const rn_model_info *info = model->info;
    struct buffer *text = api_begin_json(request);
    buffer_text(text, "{\"name\":");
    buffer_json_string(text, model->name);
    buffer_text(text, ",\"versions\":[\"" MODEL_VERSION "\"],\"platform\":\"resnetd\",\"inputs\":");
    append_tensor(text, V2_INPUT, info->input, 3);
    buffer_text(text, ",\"outputs\":");
    append_tensor(text, V2_OUTPUT, info->output, info->output_rank);
    buffer_text(text, "}\n");
    model_release(model);
}

static void append_dims(struct buffer *text, const size_t *dim, size_t rank)
{
    buffer_text(text, ",\"dims\":[");
    for (size_t i = 0; i < rank; i++) buffer_format(text, i ? ",%zu" : "%zu", dim[i]);
    buffer_text(text, "]");
}

/* The extension model_configuration; dimensions without the batch. */
static void model_config(struct request *request)
{
    struct model *model = api_model_of_path(request);
    if (!model) return;
    const struct options *options = request->server->options;
    const rn_model_info *info = model->info;
    struct buffer *text = api_begin_json(request);
    buffer_text(text, "{\"name\":");
    buffer_json_string(text, model->name);
    buffer_format(
        text,
        ",\"platform\":\"resnetd\",\"max_batch_size\":%zu,\"input\":[{\"name\":\"" V2_INPUT
        "\",\"data_type\":\"TYPE_FP32\",\"format\":\"FORMAT_NCHW\"",
        options->max_batch);
    append_dims(text, info->input, 3);
    buffer_text(text, "}],\"output\":[{\"name\":\"" V2_OUTPUT "\",\"data_type\":\"TYPE_FP32\"");
    append_dims(text, info->output, info->output_rank);
    buffer_format(text,
                  ",\"label_filename\":\"%s\"}],\"dynamic_batching\":"
                  "{\"max_queue_delay_microseconds\":%zu}}\n",
                  info->labels ? "labels.txt" : "", options->max_delay);
    model_release(model);
}

static void model_ready(struct request *request)
{
    struct model *model = api_model_of_path(request);
    if (!model) return;
    const bool ready = !api_model_not_ready(request, model);
    struct buffer *text = api_begin_json(request);
    buffer_text(text, "{\"name\":");
    buffer_json_string(text, model->name);
    buffer_text(text, ready ? ",\"ready\":true}\n" : ",\"ready\":false}\n");
    if (!ready) request->reply.status = 503;
    model_release(model);
}

/* A body to try POST /infer with: the model's own, or some pattern of the right shape. */
static void example(struct request *request)
{
    struct model *model = api_model_of_path(request);
    if (!model) return;
    struct buffer *text = api_begin_json(request);
    const size_t *input = model->info->input;
    if (model->example) {
        buffer_append(text, model->example, model->example_size);
    } else {
        buffer_format(text, "{\"model\":\"%s\",\"shape\":[1,%zu,%zu,%zu],\"input\":[", model->name,
                      input[0], input[1], input[2]);
        for (size_t i = 0; i < model->info->input_size; i++)
            buffer_format(text, i ? ",0.%zu" : "0.%zu", (i / input[2] + i % input[2]) % 10);
        buffer_text(text, "]}\n");
    }
    model_release(model);
}

const struct handler api_v2_server = {.end = server}, api_v2_models = {.end = models};
const struct handler api_v2_model = {.end = model_metadata},
                     api_v2_model_config = {.end = model_config},
                     api_v2_model_ready = {.end = model_ready};
const struct handler api_v2_example = {.end = example};
