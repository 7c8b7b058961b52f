/* From the body to a tensor, and from the tensor to a job; see infer.h. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "encode/protocols.h"
#include "failure.h"
#include "infer.h"
#include "ingest/samples.h"
#include "model.h"
#include "options.h"
#include "registry.h"
#include "server.h"

/* A compressed body that does not say what is in it is JSON. */
static bool guess_form(struct request *request, struct infer *infer, const unsigned char *bytes,
                       size_t size)
{
    if (infer->coding != CODING_NONE) {
        infer->form = INGEST_JSON;
        return true;
    }
    switch (*bytes) {
    case '{':
    case '[': // no object, but JSON will say so
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case 0xef: // a byte order mark, here and below: JSON will say so
    case 0xfe: infer->form = INGEST_JSON; return true;
    case 0x93: infer->form = INGEST_NPY; return true;
    case 0xff: infer->form = size > 1 && bytes[1] == 0xfe ? INGEST_JSON : INGEST_IMAGE; return true;
    case 0x89: infer->form = INGEST_IMAGE; return true;
    default: break;
    }
    request_fail(request, 415,
                 "the body is not JSON and no Content-Type says what it is; float32 tensors are "
                 "application/octet-stream");
    return false;
}

/* A picture of a kind that is not served is refused at once, when its first bytes say so: by name,
 * whatever its type is. False: answered. */
static bool check_kind(struct request *request, const struct infer *infer, const void *bytes,
                       size_t size)
{
    const bool none = infer->form_known && infer->form != INGEST_IMAGE;
    const char *name = none || infer->coding != CODING_NONE ? NULL : image_unserved(bytes, size);
    if (name) request_fail(request, 415, "image: %s: send JPEG or PNG", name);
    return !name;
}

/* What is called application/octet-stream may be a picture, which its first byte shows; not where
 * its size is known to be that of whole samples of floats. */
static bool may_be_picture(const struct request *request, const struct infer *infer,
                           unsigned char first)
{
    const size_t sample = infer->model->info->input_size * sizeof(float);
    const bool whole = request->content_length != SIZE_MAX && request->content_length % sample == 0;
    return infer->form == INGEST_RAW && infer->coding == CODING_NONE && !whole &&
           (first == 0xff || first == 0x89);
}

/* Numbers of a body that the queue may hold. Not known before its end: which model the JSON names.
 */
static size_t most_floats(const struct request *request, const struct infer *infer)
{
    const struct server *server = request->server;
    const size_t by_bytes = server->options->queue_bytes / sizeof(float);
    size_t sample = infer->model->info->input_size, by_samples;
    const size_t largest = infer->model_in_query ? 0 : registry_largest_input(server->registry);
    if (largest > sample) sample = largest;
    if (__builtin_mul_overflow(server->options->queue_samples, sample, &by_samples))
        return by_bytes;
    return by_samples < by_bytes ? by_samples : by_bytes;
}

static bool start_ingest(struct request *request, struct infer *infer, const void *bytes,
                         size_t size)
{
    const struct options *options = request->server->options;
    if (!check_kind(request, infer, bytes, size)) return false;
    if (!infer->form_known && !guess_form(request, infer, bytes, size)) return false;
    const bool either = may_be_picture(request, infer, *(const unsigned char *)bytes);
    struct ingest_spec spec = {.form = either ? INGEST_IMAGE : infer->form,
                               .or_floats = either,
                               .coding = infer->coding,
                               .json_size = infer->json_size,
                               .max_size = options->max_body_bytes,
                               .sample_size = infer->model->info->input_size,
                               .max_floats = most_floats(request, infer),
                               .max_pixels = options->max_image_pixels,
                               .max_bytes = options->max_image_bytes,
                               .cancelled = &infer->decode.cancelled,
                               .recipe = image_recipe_of(infer->model->info)};
    if (request->content_length != SIZE_MAX) spec.body_size = request->content_length;
    memcpy(spec.boundary, infer->boundary, sizeof spec.boundary);
    infer->ingest = ingest_new(&spec);
    if (!infer->ingest) request_fail_memory(request);
    return infer->ingest != NULL;
}

static void fail_ingest(struct request *request, const struct infer *infer)
{
    const struct ingest_error *error = ingest_error(infer->ingest);
    if (error->status == failure_http(RN_ERR_MEMORY))
        request_fail_memory(request);
    else
        request_fail(request, error->status, "%s", error->text);
}

void infer_end_reading(const struct request *request, struct infer *infer)
{
    if (infer->reading) metrics_reading(request->server->metrics, 0, infer->reading);
    infer->reading = 0;
}

/* What clients that send slowly, or never the last byte, may hold in all. */
static void count_reading(struct request *request, struct infer *infer)
{
    const struct server *server = request->server;
    const size_t most = server->options->reading_bytes, size = ingest_size(infer->ingest);
    const size_t all = metrics_reading(server->metrics, size, infer->reading);
    infer->reading = size;
    if (all <= most || all == size) return;
    request_fail(request, 429, "bodies that are being read are more than --reading-bytes: %zu",
                 most);
    request->reply.retry_after = 1; /* most clients are done by then */
    metrics_failure(server->metrics, REASON_QUEUE_FULL);
    infer_end_reading(request, infer);
    ingest_free(infer->ingest);
    infer->ingest = NULL;
}

void infer_body(struct request *request, const void *bytes, size_t size)
{
    struct infer *infer = request->state;
    const uint64_t began = clock_ns();
    if (!infer->ingest && !start_ingest(request, infer, bytes, size)) return;
    if (!ingest_feed(infer->ingest, bytes, size))
        fail_ingest(request, infer);
    else
        count_reading(request, infer);
    infer->stage[STAGE_PARSE] += clock_ns() - began;
}

/* The tensor's samples for this model; 0: answered. */
static size_t check_shape(struct request *request, const struct infer *infer)
{
    const struct model *model = infer->model;
    char error[SAMPLES_ERROR_SIZE];
    const size_t samples = tensor_samples(infer->result, model->info, model->name, error);
    if (!samples) request_fail(request, 400, "%s", error);
    return samples;
}

/* What the JSON says counts where the query says nothing. */
static bool merge_parameters(struct request *request, struct infer *infer)
{
    const struct ingest_result *result = infer->result;
    if (!infer->has_top_k && result->has_top_k) infer->top_k = result->top_k;
    if (!infer->has_timeout && result->has_timeout)
        request->deadline = request->began + result->timeout_us * NS_PER_US;
    if (!infer->has_priority && result->has_priority)
        infer->priority = infer_priority(result->priority);
    return infer->model_in_query || !result->model[0] ||
           infer_choose_model(request, infer, result->model);
}

bool infer_parameters(struct request *request, struct infer *infer)
{
    infer->result = ingest_parameters(infer->ingest);
    if (!infer->result) {
        fail_ingest(request, infer);
        return false;
    }
    if (!merge_parameters(request, infer)) return false;
    infer->model_in_query |= infer->result->model[0] != '\0'; /* it stays this one */
    const struct image_recipe recipe = image_recipe_of(infer->model->info);
    ingest_set_model(infer->ingest, infer->model->info->input_size, &recipe);
    return true;
}

/* Refuses what this form of answer has no place for. */
static bool check_answer(struct request *request, const struct infer *infer)
{
    enum { MOST_LABELS = 1000 }; /* each is compared with those before it */
    const char *why = NULL;
    const bool json = infer->output_form == OUTPUT_JSON;
    if (infer->output_form == OUTPUT_LABELS)
        why = infer->top_k - 1 < MOST_LABELS ? NULL : "this answer is the 1 to 1000 best classes";
    else if (!infer->top_k)
        return true;
    else if (!json)
        why = "this answer, which Accept asks for, is the outputs alone";
    else if (infer->result->protocol == PROTOCOL_V2)
        why = "this answer has it where the output's parameter classification asks for it";
    else if (infer->result->protocol != PROTOCOL_INFER)
        why = "TF Serving's answer is the outputs alone";
    if (why)
        request_fail(request, 400, "top_k: %s", why);
    else if (infer->output_form == OUTPUT_LABELS && infer->result->id[0])
        request_fail(request, 400, "id: this answer has no place for it");
    return request->reply.status == 0;
}

/* The names in a request of the Open Inference Protocol are the model's. */
static bool check_names(struct request *request, const struct infer *infer)
{
    const struct ingest_v2 *v2 = &infer->result->v2;
    if (infer->result->protocol != PROTOCOL_V2) return true;
    if (v2->input[0] && strcmp(v2->input, V2_INPUT) != 0) {
        request_fail(request, 400, "inputs[0].name: no input '%s', the model's is '" V2_INPUT "'",
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

static bool make_job(struct request *request, struct infer *infer)
{
    const struct model *model = infer->model;
    const size_t samples = check_shape(request, infer);
    if (!samples) return false;
    infer->output = calloc(samples, model->info->output_size * sizeof *infer->output);
    if (!infer->output) {
        request_fail_memory(request);
        return false;
    }
    infer->job = (struct job){.input = infer->result->tensor.data,
                              .output = infer->output,
                              .samples = samples,
                              .input_size = model->info->input_size,
                              .output_size = model->info->output_size,
                              .priority = infer->priority,
                              .deadline = request->deadline,
                              .context = request};
    return true;
}

/* The deadline may have been named by the body. */
static bool check_deadline(struct request *request)
{
    if (!request->deadline || clock_ns() < request->deadline) return true;
    request->dropped = DROPPED_LATE;
    request_fail_deadline(request);
    return false;
}

bool infer_prepare(struct request *request, struct infer *infer)
{
    if (!infer->result) {
        fail_ingest(request, infer);
        return false;
    }
    return merge_parameters(request, infer) && check_answer(request, infer) &&
           check_names(request, infer) && check_deadline(request) && make_job(request, infer);
}
