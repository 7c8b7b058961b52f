/* POST /infer, and the calls of other protocols for the same: the body becomes a tensor while it
 * arrives, waits for a worker, and comes back as the network's answer. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api.h"
#include "batcher.h"
#include "clock.h"
#include "encode/answer.h"
#include "encode/protocols.h"
#include "ingest/samples.h"
#include "metrics.h"
#include "options.h"
#include "pool.h"
#include "registry.h"
#include "server.h"

/* request->state: all that one request owns. */
struct infer {
    struct request *request;
    struct model *model; /* retained */
    bool model_in_query; /* else the JSON may name another */
    bool form_known;     /* else the first byte of the body tells */
    enum ingest_form form;
    enum coding coding;
    size_t json_size;                       /* INGEST_V2 */
    char boundary[MULTIPART_BOUNDARY_SIZE]; /* INGEST_IMAGE */
    bool raw_answer;
    bool has_top_k, has_timeout, has_priority;
    size_t top_k;
    enum priority priority;
    struct ingest *ingest;
    const struct ingest_result *result;
    uint64_t stage[STAGES]; /* ns */
    float *output;
    bool decoding; /* suspended for `decode`, else for `job` */
    struct task decode;
    struct job job;
};

/* ---- the headers ----------------------------------------------------------------------------- */

/* The media type without its parameters. */
static bool is_type(const char *header, const char *type)
{
    const size_t length = strlen(type);
    return header && !strncasecmp(header, type, length) &&
           strchr(" ;", header[length]) != NULL; /* strchr finds the NUL too */
}

static bool query_number(struct request *request, const char *name, uint64_t least, uint64_t most,
                         uint64_t *value)
{
    const char *text = target_query(&request->target, name);
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && !errno && *value >= least && *value <= most)
        return true;
    request_fail(request, 400, "%s in the query: '%.40s' is not a whole number from %llu to %llu",
                 name, text, (unsigned long long)least, (unsigned long long)most);
    return false;
}

/* The protocol's numbers: 1 is the highest, 0 the default, and what lies behind 1 no better. */
static enum priority priority_of(uint64_t number)
{
    return number == 1 ? PRIORITY_HIGH : PRIORITY_NORMAL;
}

/* The parameters that a query may have in every protocol; the others are no mistake here. */
static bool read_limits(struct request *request, struct infer *infer)
{
    uint64_t ms = request->server->options->timeout, priority = 0;
    infer->has_timeout = target_query(&request->target, "timeout_ms") != NULL;
    infer->has_priority = target_query(&request->target, "priority") != NULL;
    if (infer->has_timeout && !query_number(request, "timeout_ms", 1, INGEST_MAX_TIMEOUT_MS, &ms))
        return false;
    if (infer->has_priority &&
        !query_number(request, "priority", 0, INGEST_MAX_PRIORITY, &priority))
        return false;
    infer->priority = priority_of(priority);
    if (ms) request->deadline = request->began + ms * NS_PER_MS;
    return true;
}

static bool read_query(struct request *request, struct infer *infer)
{
    static const char *const known[] = {"model", "top_k", "timeout_ms", "priority"};
    enum { KNOWN = sizeof known / sizeof *known };
    uint64_t top_k = 0;
    for (size_t i = 0; i < request->target.queries; i++) {
        const char *name = request->target.query[i].name;
        size_t k = 0;
        while (k < KNOWN && strcmp(known[k], name) != 0) k++;
        if (k < KNOWN) continue;
        request_fail(request, 400,
                     "no parameter '%.40s'; known are model, top_k, timeout_ms and priority", name);
        return false;
    }
    infer->model_in_query = target_query(&request->target, "model") != NULL;
    infer->has_top_k = target_query(&request->target, "top_k") != NULL;
    if (infer->has_top_k && !query_number(request, "top_k", 0, INGEST_MAX_TOP_K, &top_k))
        return false;
    infer->top_k = (size_t)top_k;
    return read_limits(request, infer);
}

static bool read_coding(struct request *request, struct infer *infer)
{
    const char *coding = request_header(request, "Content-Encoding");
    if (coding_of(coding, &infer->coding)) return true;
    request_fail(request, 415, "Content-Encoding %.40s is not understood; gzip and deflate are",
                 coding);
    return false;
}

static bool read_boundary(struct request *request, struct infer *infer, const char *type)
{
    if (!is_type(type, "multipart/form-data") || multipart_boundary(type, infer->boundary))
        return true;
    request_fail(request, 400, "Content-Type: multipart/form-data without a boundary");
    return false;
}

/* What curl sends when nothing is said is no statement about the body: its first byte decides. */
static bool read_content_type(struct request *request, struct infer *infer)
{
    static const struct {
        const char *type;
        enum ingest_form form;
    } forms[] = {{"image/jpeg", INGEST_IMAGE},
                 {"image/png", INGEST_IMAGE},
                 {"multipart/form-data", INGEST_IMAGE},
                 {"application/json", INGEST_JSON},
                 {"application/octet-stream", INGEST_RAW},
                 {"application/x-npy", INGEST_NPY}};
    const char *type = request_header(request, "Content-Type");
    if (!read_coding(request, infer)) return false;
    infer->raw_answer = is_type(request_header(request, "Accept"), "application/octet-stream");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (is_type(type, forms[i].type)) {
            infer->form = forms[i].form;
            infer->form_known = true;
            return read_boundary(request, infer, type);
        }
    if (!type || is_type(type, "application/x-www-form-urlencoded") || is_type(type, "text/plain"))
        return true;
    request_fail(request, 415,
                 "Content-Type %.60s is not understood; send application/json, "
                 "application/octet-stream, application/x-npy, image/jpeg or image/png",
                 type);
    return false;
}

static bool choose_model(struct request *request, struct infer *infer, const char *name)
{
    struct model *model = registry_get(request->server->registry, name);
    if (!model) {
        request_fail(request, 404, "no model '%.80s'; GET /v2/models lists them", name);
        return false;
    }
    model_release(infer->model);
    infer->model = model;
    return true;
}

static struct infer *new_infer(struct request *request)
{
    struct infer *infer = calloc(1, sizeof *infer);
    request->state = infer;
    if (infer)
        infer->request = request;
    else
        request_fail(request, 500, "no memory for the request");
    return infer;
}

static void begin(struct request *request)
{
    struct infer *infer = new_infer(request);
    if (infer && read_query(request, infer) &&
        choose_model(request, infer, target_query(&request->target, "model")))
        read_content_type(request, infer);
}

/* The protocols that name the model in the path and whose body has one form. */
static struct infer *begin_protocol(struct request *request, enum ingest_form form)
{
    struct infer *infer = new_infer(request);
    if (!infer) return NULL;
    infer->form = form;
    infer->form_known = true;
    infer->model_in_query = true;
    infer->model = api_model_of_path(request);
    return infer->model && read_limits(request, infer) && read_coding(request, infer) ? infer
                                                                                      : NULL;
}

static void begin_v2(struct request *request)
{
    const char *text = request_header(request, "Inference-Header-Content-Length");
    struct infer *infer = begin_protocol(request, INGEST_V2);
    if (!infer) return;
    char *end;
    infer->json_size = SIZE_MAX;
    if (!text) return;
    errno = 0;
    const unsigned long long size = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && !errno &&
        size <= request->server->options->max_body_bytes)
        infer->json_size = (size_t)size;
    else
        request_fail(request, 400,
                     "Inference-Header-Content-Length: '%.40s' is not a size of this body", text);
}

static void begin_v1(struct request *request)
{
    begin_protocol(request, INGEST_V1);
}

/* ---- the body -------------------------------------------------------------------------------- */

static bool guess_form(struct request *request, struct infer *infer, char first)
{
    switch ((unsigned char)first) {
    case '{':
    case ' ':
    case '\t':
    case '\r':
    case '\n': infer->form = INGEST_JSON; return true;
    case 0x93: infer->form = INGEST_NPY; return true;
    case 0xff: // JPEG
    case 0x89: infer->form = INGEST_IMAGE; return true;
    default: break;
    }
    request_fail(request, 415,
                 "the body is not JSON and no Content-Type says what it is; float32 tensors are "
                 "application/octet-stream");
    return false;
}

static bool start_ingest(struct request *request, struct infer *infer, char first)
{
    const struct options *options = request->server->options;
    if (!infer->form_known && !guess_form(request, infer, first)) return false;
    struct ingest_spec spec = {.form = infer->form,
                               .coding = infer->coding,
                               .json_size = infer->json_size,
                               .max_size = options->max_body_bytes,
                               .sample_size = infer->model->info->input_size,
                               .max_floats = options->queue_bytes / sizeof(float),
                               .max_pixels = options->max_image_pixels,
                               .recipe = image_recipe_of(infer->model->info)};
    if (request->content_length != SIZE_MAX) spec.body_size = request->content_length;
    memcpy(spec.boundary, infer->boundary, sizeof spec.boundary);
    infer->ingest = ingest_new(&spec);
    if (!infer->ingest) request_fail(request, 500, "no memory for the body");
    return infer->ingest != NULL;
}

static void fail_ingest(struct request *request, const struct infer *infer)
{
    const struct ingest_error *error = ingest_error(infer->ingest);
    request_fail(request, error->status, "%s", error->text);
}

static void body(struct request *request, const void *bytes, size_t size)
{
    struct infer *infer = request->state;
    const uint64_t began = clock_ns();
    if (!infer->ingest && !start_ingest(request, infer, *(const char *)bytes)) return;
    if (!ingest_feed(infer->ingest, bytes, size)) fail_ingest(request, infer);
    infer->stage[STAGE_PARSE] += clock_ns() - began;
}

/* The tensor's samples for this model; 0: answered. */
static size_t check_shape(struct request *request, const struct infer *infer)
{
    const bool flat =
        infer->form == INGEST_RAW || (infer->form == INGEST_V2 && infer->json_size == 0);
    char error[240];
    const size_t samples =
        tensor_samples(&infer->result->tensor, infer->model->info, infer->model->name, flat, error);
    if (!samples) request_fail(request, 400, "input: %s", error);
    return samples;
}

/* What the JSON says counts where the query says nothing. */
static bool merge_parameters(struct request *request, struct infer *infer)
{
    const struct ingest_result *result = infer->result;
    if (!infer->has_top_k && result->has_top_k) infer->top_k = result->top_k;
    if (!infer->has_timeout && result->has_timeout)
        request->deadline = request->began + result->timeout_ms * NS_PER_MS;
    if (!infer->has_priority && result->has_priority)
        infer->priority = priority_of(result->priority);
    return infer->model_in_query || !result->model[0] ||
           choose_model(request, infer, result->model);
}

/* The names in a request of the Open Inference Protocol are the model's. */
static bool check_names(struct request *request, const struct infer *infer)
{
    const struct ingest_v2 *v2 = &infer->result->v2;
    if (infer->result->protocol != PROTOCOL_V2) return true;
    if (v2->input[0] && strcmp(v2->input, "input") != 0) {
        request_fail(request, 400, "inputs[0].name: no input '%s', the model's is 'input'",
                     v2->input);
        return false;
    }
    for (size_t i = 0; i < v2->outputs; i++)
        if (strcmp(v2->output[i].name, V2_OUTPUT) != 0) {
            request_fail(request, 400,
                         "outputs[%zu].name: no output '%s', the model's is '" V2_OUTPUT "'", i,
                         v2->output[i].name);
            return false;
        }
    return true;
}

static void job_done(struct job *job)
{
    request_resume(job->context);
}

static bool prepare_job(struct request *request, struct infer *infer)
{
    const struct model *model = infer->model;
    const size_t samples = check_shape(request, infer);
    if (!samples) return false;
    infer->output = calloc(samples, model->info->output_size * sizeof *infer->output);
    if (!infer->output) {
        request_fail(request, 500, "no memory for %zu outputs", samples);
        return false;
    }
    infer->job = (struct job){.input = infer->result->tensor.data,
                              .output = infer->output,
                              .samples = samples,
                              .input_size = model->info->input_size,
                              .output_size = model->info->output_size,
                              .priority = infer->priority,
                              .deadline = request->deadline,
                              .done = job_done,
                              .context = request};
    return true;
}

/* The job that could not be pushed: why not. */
static void refuse(struct request *request, struct infer *infer, enum batcher_answer answer)
{
    const struct options *options = request->server->options;
    const char *name = infer->model->name;
    enum metrics_reason reason = REASON_DRAINING;
    switch (answer) {
    case BATCHER_TOO_LARGE:
        reason = REASON_INPUT;
        request_fail(request, 413,
                     "input: %zu samples are more than --queue-samples (%zu) or --queue-bytes "
                     "(%zu) ever allow",
                     infer->job.samples, options->queue_samples, options->queue_bytes);
        break;
    case BATCHER_FULL:
        reason = REASON_QUEUE_FULL;
        request_fail(request, 429, "the queue of model %s is full", name);
        break;
    case BATCHER_BUSY:
        reason = REASON_TOO_LATE;
        request_fail(request, 429, "the deadline is nearer than the end of model %s's queue", name);
        break;
    case BATCHER_LATE:
        reason = REASON_TOO_LATE;
        request_fail(request, 504, "model %s takes longer than the deadline leaves", name);
        break;
    case BATCHER_CANCELLED: return; /* HTTP knows why */
    default: request_fail(request, 503, "the server is stopping"); request->reply.retry_after = 1;
    }
    metrics_failure(request->server->metrics, reason);
    if (request->reply.status == 429)
        request->reply.retry_after = batcher_retry_after(infer->model->batcher);
}

static void push(struct request *request, struct infer *infer)
{
    struct model *model = infer->model;
    atomic_fetch_add(&model->metrics->requests[infer->priority], 1);
    request->phase = PHASE_QUEUED;
    if (!request_suspend(request)) {
        refuse(request, infer, BATCHER_CLOSED);
        return;
    }
    const enum batcher_answer answer = batcher_push(model->batcher, &infer->job);
    if (answer == BATCHER_OK) return; /* from here on the request may be gone already */
    refuse(request, infer, answer);
    request_resume(request);
}

static bool abandon(struct request *request)
{
    struct infer *infer = request->state;
    if (infer->decoding) return pool_cancel(request->server->decoders, &infer->decode);
    const bool out = batcher_cancel(infer->model->batcher, &infer->job);
    if (!out) request->phase = PHASE_COMPUTING;
    return out;
}

/* The deadline may have been named by the body. */
static bool check_deadline(struct request *request)
{
    if (!request->deadline || clock_ns() < request->deadline) return true;
    request->dropped = DROPPED_LATE;
    request_fail_deadline(request);
    return false;
}

/* The body has been made a result, or not: on with the request. */
static void take_result(struct request *request, struct infer *infer)
{
    if (!infer->result)
        fail_ingest(request, infer);
    else if (merge_parameters(request, infer) && check_names(request, infer) &&
             check_deadline(request) && prepare_job(request, infer)) {
        infer->stage[STAGE_PARSE] += clock_ns() - request->read;
        push(request, infer);
    }
}

static struct infer *infer_of(struct task *decode)
{
    return (struct infer *)(void *)((char *)decode - offsetof(struct infer, decode));
}

/* On a decoder. */
static void run_decode(struct task *task)
{
    struct infer *infer = infer_of(task);
    infer->result = ingest_finish(infer->ingest);
    request_resume(infer->request);
}

/* To a decoder, and from there to finish(). */
static void decode(struct request *request, struct infer *infer)
{
    infer->decode = (struct task){.run = run_decode, .priority = infer->priority};
    infer->decoding = true;
    request->phase = PHASE_DECODING;
    if (!request_suspend(request)) {
        refuse(request, infer, BATCHER_CLOSED);
        return;
    }
    switch (pool_push(request->server->decoders, &infer->decode)) {
    case POOL_OK: return; /* from here on the request may be gone already */
    case POOL_FULL:
        metrics_failure(request->server->metrics, REASON_QUEUE_FULL);
        request_fail(request, 429, "--decoder-queue pictures wait already: %zu",
                     request->server->options->decoder_queue);
        request->reply.retry_after = 1;
        break;
    case POOL_CANCELLED: break; /* HTTP knows why */
    }
    request_resume(request);
}

static void end(struct request *request)
{
    struct infer *infer = request->state;
    infer->stage[STAGE_READ] = request->read - request->began - infer->stage[STAGE_PARSE];
    if (!infer->ingest) { /* not a byte came */
        request_fail(request, 400, "the body is empty");
        return;
    }
    if (ingest_decodes(infer->ingest)) {
        decode(request, infer);
        return;
    }
    infer->result = ingest_finish(infer->ingest);
    take_result(request, infer);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static bool check_finite(struct request *request, const struct infer *infer)
{
    const size_t size = infer->job.output_size;
    for (size_t i = 0; i < infer->job.samples * size; i++) {
        if (isfinite(infer->output[i])) continue;
        metrics_failure(request->server->metrics, REASON_ENGINE);
        request_fail(request, 500, "output[%zu][%zu] is not a finite number", i / size, i % size);
        return false;
    }
    return true;
}

static void encode_v2(struct reply *reply, const struct infer *infer, const struct answer *answer)
{
    const struct ingest_v2 *v2 = &infer->result->v2;
    const bool binary =
        v2->outputs && v2->output[0].has_binary ? v2->output[0].binary : v2->binary_output;
    struct buffer tail = {0};
    answer_v2(&reply->body, &tail, answer, binary, v2->outputs ? v2->output[0].classes : 0);
    if (binary) {
        reply->json_size = reply->body.size;
        reply->content_type = "application/octet-stream";
        buffer_append(&reply->body, tail.bytes ? tail.bytes : "", tail.size);
    }
    buffer_free(&tail);
}

static void encode(struct request *request, const struct infer *infer)
{
    struct reply *reply = &request->reply;
    const struct answer answer = {.model = infer->model->name,
                                  .version = MODEL_VERSION,
                                  .id = infer->result->id,
                                  .engine = infer->model->engine,
                                  .output = infer->output,
                                  .samples = infer->job.samples,
                                  .top_k = infer->top_k};
    reply->status = 200;
    reply->content_type = infer->raw_answer ? "application/octet-stream" : "application/json";
    if (infer->raw_answer) {
        buffer_append(&reply->body, infer->output,
                      infer->job.samples * infer->job.output_size * sizeof *infer->output);
        return;
    }
    switch (infer->result->protocol) {
    case PROTOCOL_INFER: answer_json(&reply->body, &answer); break;
    case PROTOCOL_V2: encode_v2(reply, infer, &answer); break;
    case PROTOCOL_V1_ROWS: answer_v1(&reply->body, &answer, false); break;
    case PROTOCOL_V1_COLUMNS: answer_v1(&reply->body, &answer, true); break;
    }
}

static void account(struct request *request, struct infer *infer)
{
    struct buffer *timing = &request->reply.timing;
    const struct job *job = &infer->job;
    infer->stage[STAGE_QUEUE] = job->started - job->pushed;
    infer->stage[STAGE_INFER] = job->finished - job->started;
    infer->stage[STAGE_TOTAL] = clock_ns() - request->began;
    for (enum metrics_stage s = 0; s < STAGES; s++) {
        metrics_observe_stage(infer->model->metrics, s, infer->stage[s]);
        if (s != STAGE_TOTAL)
            buffer_format(timing, "%s;dur=%.3f, ", metrics_stage_name(s),
                          (double)infer->stage[s] / (double)NS_PER_MS);
    }
    buffer_format(timing, "batch;desc=\"%zu\"", job->batch);
}

static void finish_done(struct request *request, struct infer *infer)
{
    const uint64_t began = clock_ns();
    if (!check_finite(request, infer)) return;
    encode(request, infer);
    infer->stage[STAGE_ENCODE] = clock_ns() - began;
    account(request, infer);
}

static void finish(struct request *request)
{
    struct infer *infer = request->state;
    if (request->reply.status) return; /* refused: see push() */
    if (infer->decoding) {
        infer->decoding = false;
        take_result(request, infer);
        return;
    }
    snprintf(request->reply.digest, sizeof request->reply.digest, "%s", infer->model->digest);
    if (infer->job.result == JOB_DONE) {
        finish_done(request, infer);
        return;
    }
    metrics_failure(request->server->metrics, REASON_ENGINE);
    request_fail(request, 500, "the engine failed: %s", infer->job.error);
}

static void release(struct request *request)
{
    struct infer *infer = request->state;
    if (!infer) return;
    const unsigned status = request->reply.status;
    if (status >= 400 && status < 429 && status != 413)
        metrics_failure(request->server->metrics, REASON_INPUT);
    ingest_free(infer->ingest);
    free(infer->output);
    model_release(infer->model);
    free(infer);
}

const struct handler api_infer = {begin, body, end, finish, abandon, release};
const struct handler api_v2_infer = {begin_v2, body, end, finish, abandon, release};
const struct handler api_v1_predict = {begin_v1, body, end, finish, abandon, release};
