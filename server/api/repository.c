/* The model repository extension of the Open Inference Protocol: which models there are, and
 * loading and unloading them, where --model-control allows it.
 *
 * A load takes seconds: the request is suspended and goes to the loader, a thread for such work. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "failure.h"
#include "ingest/envelope.h"
#include "ingest/inflate.h"
#include "options.h"
#include "pool.h"
#include "registry.h"
#include "server.h"

enum { MAX_BODY = 65536, MAX_BRACKETS = 32 };

/* request->state */
struct control {
    struct request *request;
    struct buffer body;
    bool load; /* else unload */
    struct task task;
    rn_status status; /* of the load */
    char reason[REGISTRY_REASON_SIZE];
};

static const char *const state_name[] = {[REGISTRY_UNAVAILABLE] = "UNAVAILABLE",
                                         [REGISTRY_READY] = "READY",
                                         [REGISTRY_LOADING] = "LOADING",
                                         [REGISTRY_UNLOADING] = "UNLOADING"};

static void append_row(struct buffer *text, const struct registry_row *row)
{
    buffer_text(text, "{\"name\":");
    buffer_json_string(text, row->name);
    buffer_format(text, ",\"version\":\"" MODEL_VERSION "\",\"state\":\"%s\",\"reason\":",
                  state_name[row->state]);
    buffer_json_string(text, row->reason);
    buffer_text(text, "}");
}

/* ---- the body: nothing, or a small object ---------------------------------------------------- */

static struct control *new_control(struct request *request)
{
    struct control *control = calloc(1, sizeof *control);
    const char *header = request_header(request, "Content-Encoding");
    enum coding coding;
    request->state = control;
    if (control)
        control->request = request;
    else
        request_fail_memory(request);
    if (!coding_of(header, &coding) || coding != CODING_NONE)
        request_fail(request, 415, "Content-Encoding %.40s: not for this path", header);
    return control;
}

static void begin_index(struct request *request)
{
    new_control(request);
}

static void body(struct request *request, const void *bytes, size_t size)
{
    struct control *control = request->state;
    if (size > MAX_BODY - control->body.size)
        request_fail(request, 413, "body: more than %d bytes", MAX_BODY);
    else
        buffer_append(&control->body, bytes, size);
}

/* More than any body has that is understood here: how deep they are nested jansson need not see. */
static bool has_many_brackets(const struct buffer *body)
{
    size_t brackets = 0;
    for (size_t i = 0; i < body->size; i++)
        brackets += body->bytes[i] == '[' || body->bytes[i] == '{';
    return brackets > MAX_BRACKETS;
}

/* False: answered. The envelope is NULL for an empty body, else to be freed. */
static bool read_body(struct request *request, struct envelope **envelope)
{
    const struct control *control = request->state;
    char error[200] = "not an object";
    rn_status status = control->body.failed ? RN_ERR_MEMORY : RN_OK;
    *envelope = NULL;
    if (status == RN_OK && !control->body.size) return true;
    if (has_many_brackets(&control->body))
        snprintf(error, sizeof error, "more than %d arrays and objects", MAX_BRACKETS);
    else if (status == RN_OK)
        status =
            envelope_read(envelope, control->body.bytes, control->body.size, error, sizeof error);
    if (value_type(envelope_root(*envelope)) == VALUE_OBJECT) return true;
    envelope_free(*envelope);
    if (status == RN_ERR_MEMORY)
        request_fail_memory(request);
    else
        request_fail(request, 400, "body: %s", error);
    return false;
}

static void release(struct request *request)
{
    struct control *control = request->state;
    if (control) buffer_free(&control->body);
    free(control);
}

/* ---- the index ------------------------------------------------------------------------------- */

static void end_index(struct request *request)
{
    struct registry_row row;
    struct envelope *envelope;
    if (!read_body(request, &envelope)) return;
    const bool only_ready = value_is_true(value_member(envelope_root(envelope), "ready"));
    struct buffer *text = api_begin_json(request);
    const char *comma = "";
    buffer_text(text, "[");
    for (size_t i = 0; registry_row(request->server->registry, i, &row); i++) {
        if (only_ready && row.state != REGISTRY_READY) continue;
        buffer_text(text, comma);
        append_row(text, &row);
        comma = ",";
    }
    buffer_text(text, "]\n");
    envelope_free(envelope);
}

/* ---- load and unload ------------------------------------------------------------------------- */

static void begin_change(struct request *request, bool load)
{
    const char *name = target_capture(&request->target, "model");
    struct control *control = new_control(request);
    if (!control) return;
    control->load = load;
    if (request->reply.status) return;
    if (strcmp(request->server->options->model_control, "explicit") != 0)
        request_fail(request, 403,
                     "models are not loaded and unloaded by clients here; "
                     "--model-control explicit allows it");
    else if (!registry_has(request->server->registry, name))
        request_fail(request, 404, "no model %.80s in the repository", name);
}

static void begin_load(struct request *request)
{
    begin_change(request, true);
}

static void begin_unload(struct request *request)
{
    begin_change(request, false);
}

/* A model comes from where the administrator said, as it lies there. */
static bool check_parameters(struct request *request)
{
    struct envelope *envelope;
    if (!read_body(request, &envelope)) return false;
    const struct value *parameters = value_member(envelope_root(envelope), "parameters");
    const char *key = NULL;
    while ((key = value_next_key(parameters, key)) != NULL) {
        if (strcmp(key, "unload_dependents") == 0) continue;
        request_fail(request, 400, "parameters.%.60s: not allowed here", key);
        break;
    }
    if (!key && parameters && value_type(parameters) != VALUE_OBJECT)
        request_fail(request, 400, "parameters: not an object");
    envelope_free(envelope);
    return !request->reply.status;
}

/* On the loader. The request may be gone once it is resumed. */
static void run(struct task *task)
{
    struct control *control =
        (struct control *)(void *)((char *)task - offsetof(struct control, task));
    struct registry *registry = control->request->server->registry;
    const char *name = target_capture(&control->request->target, "model");
    struct model *old = NULL;
    if (control->load)
        control->status = registry_load(registry, name, &old, control->reason);
    else
        registry_unload(registry, name);
    request_resume(control->request);
    model_drain(old);
}

static void end_change(struct request *request)
{
    struct control *control = request->state;
    if (!check_parameters(request)) return;
    control->task.run = run;
    request->phase = PHASE_QUEUED;
    if (!request_suspend(request)) {
        request_fail(request, 503, "the server is stopping");
        return;
    }
    const enum pool_answer answer = pool_push(request->server->loader, &control->task);
    if (answer == POOL_OK) return; /* from here on the request may be gone already */
    if (answer == POOL_FULL) {
        request_fail(request, 429, "too many loads and unloads wait already");
        request->reply.retry_after = pool_retry_after(request->server->loader);
    }
    request_resume(request);
}

static bool abandon(struct request *request)
{
    struct control *control = request->state;
    return pool_cancel(request->server->loader, &control->task);
}

static void finish(struct request *request)
{
    const struct control *control = request->state;
    const char *name = target_capture(&request->target, "model");
    struct registry_row row = {0};
    if (request->reply.status) return; /* refused: see end_change() */
    if (control->status != RN_OK) {
        request_fail(request, failure_http(control->status), "model %s could not be loaded: %s",
                     name, control->reason);
        if (control->status == RN_ERR_MEMORY)
            metrics_failure(request->server->metrics, REASON_MEMORY);
        return;
    }
    row.name = name;
    row.state = control->load ? REGISTRY_READY : REGISTRY_UNAVAILABLE;
    struct buffer *text = api_begin_json(request);
    append_row(text, &row);
    buffer_text(text, "\n");
}

const struct handler api_v2_index = {
    .begin = begin_index, .body = body, .end = end_index, .release = release, .no_body = true};
#define CHANGE(first)                                                                            \
    {                                                                                            \
        .begin = (first), .body = body, .end = end_change, .finish = finish, .abandon = abandon, \
        .release = release, .no_body = true                                                      \
    }
const struct handler api_v2_load = CHANGE(begin_load), api_v2_unload = CHANGE(begin_unload);
