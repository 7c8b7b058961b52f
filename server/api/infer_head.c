/* What query and headers of a request say; see infer.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "accept.h"
#include "api.h"
#include "clock.h"
#include "infer.h"
#include "options.h"
#include "registry.h"
#include "server.h"

/* The media type without its parameters; one that ends with '/' stands for all of that kind. */
static bool is_type(const char *header, const char *type)
{
    const size_t length = strlen(type);
    return header && !strncasecmp(header, type, length) &&
           (type[length - 1] == '/' ||
            strchr(" ;", header[length]) != NULL); /* strchr finds the NUL too */
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

enum priority infer_priority(uint64_t number)
{
    return number == 1 ? PRIORITY_HIGH : PRIORITY_NORMAL;
}

/* The parameters that a query may have in every protocol; the others are no mistake here. */
static bool read_parameters(struct request *request, struct infer *infer)
{
    uint64_t ms = request->server->options->timeout, priority = 0, top_k = 0;
    infer->has_top_k = target_query(&request->target, "top_k") != NULL;
    infer->has_timeout = target_query(&request->target, "timeout_ms") != NULL;
    infer->has_priority = target_query(&request->target, "priority") != NULL;
    if (infer->has_top_k && !query_number(request, "top_k", 0, INGEST_MAX_TOP_K, &top_k))
        return false;
    if (infer->has_top_k) infer->top_k = (size_t)top_k;
    if (infer->has_timeout && !query_number(request, "timeout_ms", 1, INGEST_MAX_TIMEOUT_MS, &ms))
        return false;
    if (infer->has_priority &&
        !query_number(request, "priority", 0, INGEST_MAX_PRIORITY, &priority))
        return false;
    infer->priority = infer_priority(priority);
    if (ms) request->deadline = request->began + ms * NS_PER_MS;
    return true;
}

static bool read_query(struct request *request, struct infer *infer)
{
    static const char *const known[] = {"model", "top_k", "timeout_ms", "priority"};
    enum { KNOWN = sizeof known / sizeof *known };
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
    return read_parameters(request, infer);
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
    if (!is_type(type, "multipart/form-data")) return true;
    infer->form = INGEST_MULTIPART;
    if (multipart_boundary(type, infer->boundary)) return true;
    request_fail(request, 400, "Content-Type: multipart/form-data without a boundary");
    return false;
}

static bool read_accept(struct request *request, struct infer *infer)
{
    static const char *const offers[] = {[OUTPUT_JSON] = "application/json",
                                         [OUTPUT_RAW] = "application/octet-stream",
                                         [OUTPUT_NPY] = "application/x-npy"};
    struct buffer joined = {0};
    const char *accept = request_header_list(request, "Accept", &joined);
    const int choice = accept_type(accept, offers, sizeof offers / sizeof *offers);
    infer->output_form = choice == ACCEPT_NONE ? OUTPUT_JSON : (enum output_form)choice;
    if (choice == ACCEPT_NONE)
        request_fail(request, 406,
                     "Accept: %.60s; there are application/json, application/octet-stream and "
                     "application/x-npy",
                     accept);
    buffer_free(&joined);
    return choice != ACCEPT_NONE;
}

/* Who takes a media type, and what a body of it is for POST /infer; the others know theirs by the
 * path. */
enum { INFER = 1, V2 = 2, V1 = 4, TORCHSERVE = 8 };

static const struct media_type {
    const char *name;
    unsigned taken_by;
    enum ingest_form form;
    bool alias; /* what clients call another row's: no message tells it */
} media_types[] = {
    {"application/json", INFER | V2 | V1, INGEST_JSON, false},
    {"application/octet-stream", INFER | V2 | TORCHSERVE, INGEST_RAW, false},
    {"application/x-npy", INFER, INGEST_NPY, false},
    {"image/jpeg", INFER | TORCHSERVE, INGEST_IMAGE, false},
    {"image/png", INFER | TORCHSERVE, INGEST_IMAGE, false},
    {"multipart/form-data", INFER | TORCHSERVE, INGEST_MULTIPART, false},
    {"binary/octet-stream", INFER | V2 | TORCHSERVE, INGEST_RAW, true},
    {"image/", INFER | TORCHSERVE, INGEST_IMAGE, true}, // the first bytes say which one it is
    {"application/x-image", INFER | TORCHSERVE, INGEST_IMAGE, true},
};
enum { MEDIA_TYPES = sizeof media_types / sizeof *media_types };

/* What clients send when nobody told them the type: it says nothing about the body. */
static bool says_nothing(const char *type)
{
    return !type || !*type || is_type(type, "application/x-www-form-urlencoded") ||
           is_type(type, "text/plain");
}

static void refuse_type(struct request *request, const char *type, unsigned taker)
{
    const char *name[MEDIA_TYPES];
    size_t names = 0;
    struct buffer list = {0};
    for (size_t i = 0; i < MEDIA_TYPES; i++)
        if (media_types[i].taken_by & taker && !media_types[i].alias)
            name[names++] = media_types[i].name;
    for (size_t i = 0; i < names; i++) {
        if (i) buffer_text(&list, i + 1 < names ? ", " : " or ");
        buffer_text(&list, name[i]);
    }
    request_fail(request, 415, "Content-Type %.60s is not taken here; send %s", type,
                 list.failed ? "another" : list.bytes);
    buffer_free(&list);
}

static bool read_content_type(struct request *request, struct infer *infer, unsigned taker)
{
    const char *type = request_header(request, "Content-Type");
    if (says_nothing(type)) return true;
    for (size_t i = 0; i < MEDIA_TYPES; i++) {
        const struct media_type *media = &media_types[i];
        if (!(media->taken_by & taker) || !is_type(type, media->name)) continue;
        if (!infer->form_known) infer->form = media->form;
        infer->form_known = true;
        return read_boundary(request, infer, type);
    }
    refuse_type(request, type, taker);
    return false;
}

bool infer_choose_model(struct request *request, struct infer *infer, const char *name)
{
    struct model *model = registry_get(request->server->registry, name);
    if (!model) {
        if (name)
            request_fail(request, 404, "no model '%.80s'; GET /v2/models lists them", name);
        else
            request_fail(request, 503, "no model is loaded");
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
        request_fail_memory(request);
    return infer;
}

void infer_begin(struct request *request)
{
    struct infer *infer = new_infer(request);
    if (infer && read_query(request, infer) &&
        infer_choose_model(request, infer, target_query(&request->target, "model")) &&
        read_coding(request, infer) && read_accept(request, infer))
        read_content_type(request, infer, INFER);
}

/* The query may name the model again, but no other one. */
static bool check_model(struct request *request, const struct infer *infer)
{
    const char *name = target_query(&request->target, "model");
    if (!name || !strcmp(name, infer->model->name)) return true;
    request_fail(request, 400, "model in the query: '%.80s', the path names %s", name,
                 infer->model->name);
    return false;
}

/* The protocols that name the model in the path and whose body has one form. */
static struct infer *begin_protocol(struct request *request, enum ingest_form form, unsigned taker)
{
    struct infer *infer = new_infer(request);
    if (!infer) return NULL;
    infer->form = form;
    infer->form_known = true;
    infer->model_in_query = true;
    infer->model = api_model_of_path(request);
    const bool good = infer->model && check_model(request, infer) &&
                      read_parameters(request, infer) && read_coding(request, infer) &&
                      read_content_type(request, infer, taker);
    return good ? infer : NULL;
}

void infer_begin_v2(struct request *request)
{
    const char *text = request_header(request, "Inference-Header-Content-Length");
    struct infer *infer = begin_protocol(request, INGEST_V2, V2);
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

void infer_begin_v1(struct request *request)
{
    begin_protocol(request, INGEST_V1, V1);
}

/* The body is a picture, which its first bytes say: TorchServe's clients send files as they are. */
void infer_begin_torchserve(struct request *request)
{
    struct infer *infer = begin_protocol(request, INGEST_IMAGE, TORCHSERVE);
    if (!infer) return;
    infer->output_form = OUTPUT_LABELS;
    if (!infer->has_top_k) infer->top_k = 5;
}
