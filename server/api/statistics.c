/* GET /v2/models[/M[/versions/V]]/stats: the statistics extension of the Open Inference Protocol.
 */
#include "statistics.h"

#include "api.h"
#include "registry.h"
#include "server.h"

/* A closing text follows each: "," or "}". */
static void append(struct buffer *text, const char *name, const struct statistic *statistic,
                   const char *close)
{
    buffer_format(text, "\"%s\":{\"count\":%llu,\"ns\":%llu}%s", name,
                  (unsigned long long)atomic_load(&statistic->count),
                  (unsigned long long)atomic_load(&statistic->ns), close);
}

static void append_requests(struct buffer *text, const struct statistics *statistics)
{
    static const struct statistic none = {0}; // there is no cache
    buffer_text(text, "\"inference_stats\":{");
    append(text, "success", &statistics->success, ",");
    append(text, "fail", &statistics->fail, ",");
    append(text, "queue", &statistics->queue, ",");
    append(text, "compute_input", &statistics->parse, ",");
    append(text, "compute_infer", &statistics->infer, ",");
    append(text, "compute_output", &statistics->encode, ",");
    append(text, "cache_hit", &none, ",");
    append(text, "cache_miss", &none, "}");
}

static void append_batches(struct buffer *text, const struct statistics *statistics)
{
    const char *comma = "";
    buffer_text(text, "\"batch_stats\":[");
    for (size_t n = 1; n <= statistics->max_batch; n++) {
        const struct batch_statistics *batch = &statistics->batch[n];
        if (!atomic_load(&batch->infer.count)) continue;
        buffer_format(text, "%s{\"batch_size\":%zu,", comma, n);
        append(text, "compute_input", &batch->input, ",");
        append(text, "compute_infer", &batch->infer, ",");
        append(text, "compute_output", &batch->output, "}");
        comma = ",";
    }
    buffer_text(text, "]");
}

static void append_model(struct buffer *text, const struct model *model)
{
    const struct statistics *statistics = model->statistics;
    buffer_text(text, "{\"name\":");
    buffer_json_string(text, model->name);
    buffer_format(text,
                  ",\"version\":\"" MODEL_VERSION "\",\"last_inference\":%llu,"
                  "\"inference_count\":%llu,\"execution_count\":%llu,",
                  (unsigned long long)atomic_load(&statistics->last),
                  (unsigned long long)atomic_load(&statistics->samples),
                  (unsigned long long)atomic_load(&statistics->passes));
    append_requests(text, statistics);
    buffer_text(text, ",\"response_stats\":{},");
    append_batches(text, statistics);
    buffer_format(text, ",\"memory_usage\":[{\"type\":\"CPU\",\"id\":0,\"byte_size\":%zu}]}",
                  model->bytes);
}

static void one(struct request *request)
{
    struct model *model = api_model_of_path(request);
    if (!model) return;
    struct buffer *text = api_begin_json(request);
    buffer_text(text, "{\"model_stats\":[");
    append_model(text, model);
    buffer_text(text, "]}\n");
    model_release(model);
}

static void all(struct request *request)
{
    struct buffer *text = api_begin_json(request);
    struct model *model;
    buffer_text(text, "{\"model_stats\":[");
    for (size_t i = 0; (model = registry_at(request->server->registry, i)); i++) {
        if (i) buffer_append(text, ",", 1);
        append_model(text, model);
        model_release(model);
    }
    buffer_text(text, "]}\n");
}

const struct handler api_v2_model_stats = {.end = one}, api_v2_all_stats = {.end = all};
