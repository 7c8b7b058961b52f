/* One served model; see model.h. */
#include "model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batcher.h"
#include "builtin.h"
#include "clock.h"
#include "cpus.h"
#include "metrics.h"
#include "options.h"
#include "statistics.h"
#include "worker.h"

/* One worker's: touched by its thread alone, and during a run by the threads of its session. */
struct model_session {
    rn_session *session;
    const struct batch *batch; /* the one that is running */
};

static rn_status fail(rn_error *error, rn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static rn_status fail(rn_error *error, rn_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->status = status;
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return status;
}

bool model_name_is_valid(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const size_t length = strlen(name);
    if (length < 1 || length >= MODEL_NAME_SIZE || !strchr(letters, name[0])) return false;
    for (size_t i = 0; i < length; i++)
        if (!strchr(letters, name[i]) && !strchr("._-", name[i])) return false;
    return true;
}

bool model_name_of(const char *path, char name[MODEL_NAME_SIZE])
{
    size_t end = strlen(path);
    while (end && path[end - 1] == '/') end--;
    size_t begin = end;
    while (begin && path[begin - 1] != '/') begin--;
    const char *dot = memrchr(path + begin, '.', end - begin);
    if (dot && dot > path + begin) end = (size_t)(dot - path);
    snprintf(name, MODEL_NAME_SIZE, "%.*s", (int)(end - begin), path + begin);
    return end - begin < MODEL_NAME_SIZE && model_name_is_valid(name);
}

rn_status model_input_size(const char *text, rn_model_options *options, rn_error *error)
{
    char *end;
    if (!text) return RN_OK;
    const unsigned long height = strtoul(text, &end, 10);
    const unsigned long width = *end == 'x' ? strtoul(end + 1, &end, 10) : height;
    if (*text < '0' || *text > '9' || *end || !height || !width || height > 65536 || width > 65536)
        return fail(error, RN_ERR_ARGUMENT, "--input-size: '%.40s' is not N or HxW", text);
    options->input_height = height;
    options->input_width = width;
    return RN_OK;
}

static rn_status load(struct model *model, const struct model_source *source,
                      const struct options *options, rn_error *error)
{
    rn_model_options load_options = {.isa = options->isa};
    const struct builtin *builtin = source->builtin;
    if (builtin) {
        model->example = builtin->example;
        model->example_size = builtin->example_size;
        return builtin_load(&model->engine, builtin, &load_options, error);
    }
    if (model_input_size(options->input_size, &load_options, error)) return error->status;
    return rn_model_load(&model->engine, source->path, &load_options, error);
}

/* Asked by the engine between layers: nobody waits any more? */
static bool session_cancelled(void *context)
{
    const struct model_session *session = context;
    return session->batch && batch_abandoned(session->batch);
}

static bool run(void *context, size_t index, const struct batch *batch, const float *input,
                float *output, char *text)
{
    struct model *model = context;
    struct model_session *session = &model->session[index];
    rn_error error;
    session->batch = batch;
    const rn_status status =
        rn_session_run(session->session, input, batch->samples, output, &error);
    session->batch = NULL;
    if (status != RN_OK) snprintf(text, sizeof error.text, "%s", error.text);
    return status == RN_OK;
}

/* A forward pass of a zero image: the memory is touched, and an answer comes. */
static rn_status self_test(struct model *model, rn_session *session, rn_error *error)
{
    const rn_model_info *info = model->info;
    float *input = calloc(info->input_size, sizeof *input);
    float *output = calloc(info->output_size, sizeof *output);
    rn_status status = fail(error, RN_ERR_MEMORY, "no memory for the self-test");
    if (input && output) status = rn_session_run(session, input, 1, output, error);
    for (size_t i = 0; output && status == RN_OK && i < info->output_size; i++)
        if (!isfinite(output[i]))
            status = fail(error, RN_ERR_FORMAT,
                          "self-test: output %zu of a zero image is not a finite number", i);
    free(input);
    free(output);
    return status;
}

static rn_status open_sessions(struct model *model, rn_error *error)
{
    for (size_t i = 0; i < model->sessions; i++) {
        struct model_session *session = &model->session[i];
        const rn_session_options options = {
            .threads = model->threads, .cancelled = session_cancelled, .context = session};
        if (rn_session_new(&session->session, model->engine, &options, error) ||
            self_test(model, session->session, error))
            return error->status;
        model->bytes += rn_session_bytes(session->session);
    }
    return RN_OK;
}

static rn_status start_workers(struct model *model, const struct options *options,
                               struct metrics *metrics, rn_error *error)
{
    const rn_model_info *info = model->info;
    model->bytes += info->weight_bytes;
    model->statistics = statistics_new(options->max_batch);
    model->all_metrics = metrics;
    model->metrics = metrics_add_model(metrics, model->name, model->digest, info->arch);
    const struct batcher_options limits = {.max_batch = options->max_batch,
                                           .queue_samples = options->queue_samples,
                                           .queue_bytes = options->queue_bytes,
                                           .workers = model->sessions,
                                           .max_delay = options->max_delay * NS_PER_US,
                                           .stall = 30 * NS_PER_SECOND};
    if (model->metrics && model->statistics) model->batcher = batcher_new(&limits, model->metrics);
    if (!model->batcher) return fail(error, RN_ERR_MEMORY, "no memory for the queue");
    const struct worker_options work = {.batcher = model->batcher,
                                        .metrics = model->metrics,
                                        .statistics = model->statistics,
                                        .workers = model->sessions,
                                        .max_batch = options->max_batch,
                                        .input_size = info->input_size,
                                        .output_size = info->output_size,
                                        .run = run,
                                        .context = model};
    model->workers = workers_start(&work);
    return model->workers ? RN_OK : fail(error, RN_ERR_MEMORY, "the workers cannot be started");
}

rn_status model_open(struct model **out, const struct model_source *source,
                     const struct options *options, struct metrics *metrics, rn_error *error)
{
    const size_t cpus = cpus_usable();
    struct model *model = calloc(1, sizeof *model);
    if (!model) return fail(error, RN_ERR_MEMORY, "no memory for a model");
    atomic_init(&model->references, 1);
    snprintf(model->name, sizeof model->name, "%s", source->name);
    if (load(model, source, options, error)) goto fail;
    model->info = rn_model_info_of(model->engine);
    snprintf(model->digest, sizeof model->digest, "%s", model->info->digest);
    model->sessions = options->workers ? options->workers : (cpus + 3) / 4;
    model->session = calloc(model->sessions, sizeof *model->session);
    const size_t share = cpus / model->sessions;
    model->threads = options->threads ? options->threads : share ? share : 1;
    if (!model->session) {
        fail(error, RN_ERR_MEMORY, "no memory for %zu sessions", model->sessions);
        goto fail;
    }
    if (open_sessions(model, error)) goto fail;
    if (start_workers(model, options, metrics, error)) goto fail;
    *out = model;
    return RN_OK;
fail:
    model_release(model);
    return error->status;
}

struct model *model_retain(struct model *model)
{
    atomic_fetch_add(&model->references, 1);
    return model;
}

void model_drain(struct model *model)
{
    while (model && atomic_load(&model->references) > 1) clock_sleep(NS_PER_MS);
    model_release(model);
}

void model_release(struct model *model)
{
    if (!model || atomic_fetch_sub(&model->references, 1) > 1) return;
    if (model->batcher) batcher_close(model->batcher);
    workers_join(model->workers);
    batcher_free(model->batcher);
    for (size_t i = 0; model->session && i < model->sessions; i++)
        rn_session_free(model->session[i].session);
    free(model->session);
    statistics_free(model->statistics);
    if (model->metrics) metrics_drop_model(model->all_metrics, model->metrics);
    rn_model_release(model->engine);
    free(model);
}
