/* A multipart form as a body: every part that is a picture is a sample, in order, whatever its
 * name; the part `data` may be a tensor instead, in one of the other forms; the parts with the
 * names of parameters are those. Nothing else is passed over: it is refused, with the part's number
 * and name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buffer.h"
#include "ingest/form.h"
#include "ingest/multipart.h"
#include "ingest/utf8.h"

enum { PLACE_SIZE = 80 };

struct part {
    const char *bytes;
    size_t size;
    char place[PLACE_SIZE]; /* "part 2 'data'" */
};

/* ingest->state */
struct form {
    struct buffer body;
    struct part *pictures; /* room as a power of two */
    size_t picture_count;
    struct part tensor; /* size 0: none */
    enum ingest_form tensor_form;
    unsigned seen; /* a bit for each field */
    size_t pixels; /* of all pictures, as far as their headers tell */
};

/* ---- fields ---------------------------------------------------------------------------------- */

static bool read_number(struct ingest *ingest, const struct part *part, const uint64_t range[2],
                        uint64_t *out)
{
    char text[24] = "", *end = text;
    errno = 0;
    if (part->size < sizeof text) {
        memcpy(text, part->bytes, part->size);
        *out = strtoull(text, &end, 10);
    }
    if (*text >= '0' && *text <= '9' && end == text + part->size && !errno && *out >= range[0] &&
        *out <= range[1])
        return true;
    return ingest_fail(ingest, "%s: not a whole number from %llu to %llu", part->place,
                       (unsigned long long)range[0], (unsigned long long)range[1]);
}

static bool read_text(struct ingest *ingest, const struct part *part, char out[], size_t room)
{
    struct utf8 utf8 = {0};
    if (part->size >= room)
        return ingest_fail(ingest, "%s: longer than %zu bytes", part->place, room - 1);
    for (size_t i = 0; i < part->size; i++) {
        const uint8_t byte = (uint8_t)part->bytes[i];
        if (byte < 0x20 || byte == 0x7f)
            return ingest_fail(ingest, "%s: a control character", part->place);
        if (!utf8_push(&utf8, byte)) return ingest_fail(ingest, "%s: not UTF-8", part->place);
    }
    if (utf8.missing) return ingest_fail(ingest, "%s: not UTF-8", part->place);
    memcpy(out, part->bytes, part->size);
    out[part->size] = '\0';
    return true;
}

static bool read_top_k(struct ingest *ingest, const struct part *part)
{
    static const uint64_t range[] = {0, INGEST_MAX_TOP_K};
    uint64_t top_k = 0;
    if (!read_number(ingest, part, range, &top_k)) return false;
    ingest->result.top_k = (size_t)top_k;
    return ingest->result.has_top_k = true;
}

static bool read_timeout(struct ingest *ingest, const struct part *part)
{
    static const uint64_t range[] = {1, INGEST_MAX_TIMEOUT_MS};
    uint64_t ms = 0;
    if (!read_number(ingest, part, range, &ms)) return false;
    ingest->result.timeout_us = ms * 1000;
    return ingest->result.has_timeout = true;
}

static bool read_priority(struct ingest *ingest, const struct part *part)
{
    static const uint64_t range[] = {0, INGEST_MAX_PRIORITY};
    return ingest->result.has_priority = read_number(ingest, part, range, &ingest->result.priority);
}

static bool read_model(struct ingest *ingest, const struct part *part)
{
    return read_text(ingest, part, ingest->result.model, sizeof ingest->result.model);
}

static bool read_id(struct ingest *ingest, const struct part *part)
{
    return read_text(ingest, part, ingest->result.id, sizeof ingest->result.id);
}

static const struct field {
    const char *name;
    bool (*read)(struct ingest *ingest, const struct part *part);
} fields[] = {{"top_k", read_top_k},
              {"timeout_ms", read_timeout},
              {"priority", read_priority},
              {"model", read_model},
              {"id", read_id}};
enum { FIELDS = sizeof fields / sizeof *fields };

/* ---- parts ----------------------------------------------------------------------------------- */

static bool is_text(const struct multipart_text *text, const char *word)
{
    return text->size == strlen(word) && !strncasecmp(text->at, word, text->size);
}

static bool add_picture(struct ingest *ingest, const struct part *part)
{
    struct form *form = ingest->state;
    const size_t count = form->picture_count, pixels = image_pixels(part->bytes, part->size);
    if (count == ingest->spec.max_floats) /* each is a float or more */
        return ingest_error_too_many(&ingest->error, ingest->spec.max_floats);
    if ((count & (count - 1)) == 0) { /* it is full */
        struct part *pictures = realloc(form->pictures, (count ? 2 * count : 1) * sizeof *pictures);
        if (!pictures) return ingest_fail_memory(ingest);
        form->pictures = pictures;
    }
    form->pictures[form->picture_count++] = *part;
    if (pixels <= ingest->spec.max_pixels - form->pixels) {
        form->pixels += pixels;
        return true;
    }
    return ingest_error_set(&ingest->error, 413,
                            "%s: with it the pictures have more pixels than --max-image-pixels "
                            "allows for all of a body: %zu",
                            part->place, ingest->spec.max_pixels);
}

/* By its type, else by its first bytes: what curl calls application/octet-stream may be anything.
 */
static bool add_tensor(struct ingest *ingest, const struct part *part,
                       const struct multipart_text *type)
{
    struct form *form = ingest->state;
    if (form->tensor.size)
        return ingest_fail(ingest, "%s: a second tensor, after %s", part->place,
                           form->tensor.place);
    form->tensor = *part;
    form->tensor_form = ingest_form_of(part->bytes, part->size);
    if (is_text(type, "application/json"))
        form->tensor_form = INGEST_JSON;
    else if (is_text(type, "application/x-npy"))
        form->tensor_form = INGEST_NPY;
    else if (type->size && !is_text(type, "application/octet-stream") &&
             !is_text(type, "binary/octet-stream") && !is_text(type, "text/plain"))
        return ingest_error_set(&ingest->error, 415,
                                "%s: Content-Type %.*s is not taken here; send image/jpeg, "
                                "image/png, application/json, application/x-npy or "
                                "application/octet-stream",
                                part->place, (int)(type->size < 60 ? type->size : 60), type->at);
    return true;
}

static bool take_part(struct ingest *ingest, const struct multipart_part *source,
                      const struct part *part)
{
    struct form *form = ingest->state;
    if (source->encoding.size)
        return ingest_fail(
            ingest, "%s: is encoded as %.*s; send its bytes as they are", part->place,
            (int)(source->encoding.size < 40 ? source->encoding.size : 40), source->encoding.at);
    if (part->size == 0) return ingest_fail(ingest, "%s: is empty", part->place);
    for (unsigned i = 0; i < FIELDS; i++) {
        if (!is_text(&source->name, fields[i].name)) continue;
        if (form->seen >> i & 1) return ingest_fail(ingest, "%s: is there twice", part->place);
        form->seen |= 1u << i;
        return fields[i].read(ingest, part);
    }
    const bool called = source->type.size > 6 && !strncasecmp(source->type.at, "image/", 6);
    const char *other = image_unserved(part->bytes, part->size);
    if (other)
        return ingest_error_set(&ingest->error, 415, "%s: %s: send JPEG or PNG", part->place,
                                other);
    if (called || image_kind_of(part->bytes, part->size) != IMAGE_NONE)
        return add_picture(ingest, part);
    if (is_text(&source->name, "data")) return add_tensor(ingest, part, &source->type);
    return ingest_fail(ingest,
                       "%s: no JPEG or PNG, and no such field; known are data, top_k, timeout_ms, "
                       "priority, model and id",
                       part->place);
}

static void name_part(struct part *part, size_t number, const struct multipart_text *name)
{
    const int shown = (int)(name->size < 40 ? name->size : 40);
    if (name->size)
        snprintf(part->place, sizeof part->place, "part %zu '%.*s'", number, shown, name->at);
    else
        snprintf(part->place, sizeof part->place, "part %zu", number);
}

static bool end(struct ingest *ingest)
{
    struct form *form = ingest->state;
    struct multipart parts = {.bytes = form->body.size ? form->body.bytes : "",
                              .size = form->body.size,
                              .boundary = ingest->spec.boundary};
    struct multipart_part source;
    const char *problem;
    for (size_t number = 1; multipart_next(&parts, &source, &problem); number++) {
        struct part part = {.bytes = source.content.at, .size = source.content.size};
        name_part(&part, number, &source.name);
        if (!take_part(ingest, &source, &part)) return false;
    }
    if (problem) return ingest_fail(ingest, "body: %s", problem);
    if (!form->picture_count && !form->tensor.size)
        return ingest_fail(ingest, "body: no part of the form is a picture or a tensor");
    return !form->picture_count || !form->tensor.size ||
           ingest_fail(ingest, "%s: a tensor beside pictures, as %s; send one or the other",
                       form->tensor.place, form->pictures[0].place);
}

/* ---- what they hold -------------------------------------------------------------------------- */

/* Puts the part in front of an error. */
static bool name_error(struct ingest *ingest, const struct part *part,
                       const struct ingest_error *error)
{
    return ingest_error_set(&ingest->error, error->status, "%s: %.150s", part->place, error->text);
}

static bool read_pictures(struct ingest *ingest)
{
    const struct form *form = ingest->state;
    const struct image_recipe *recipe = &ingest->spec.recipe;
    const size_t count = form->picture_count, most = ingest->spec.max_floats;
    const size_t each = recipe->channels * recipe->height * recipe->width;
    struct tensor *tensor = &ingest->result.tensor;
    size_t capacity = 0;
    if (each && count > most / each) return ingest_error_too_many(&ingest->error, most);
    if (!ingest_reserve(ingest, &capacity, count * each)) return false;
    for (size_t i = 0; i < count; i++) {
        const struct part *part = &form->pictures[i];
        const struct whole_body body = {part->bytes, part->size, &ingest->spec};
        struct ingest_error error;
        if (!ingest_read_image(&body, tensor->data + i * each, &error))
            return name_error(ingest, part, &error);
    }
    *tensor = (struct tensor){
        tensor->data, count * each, 4, {count, recipe->channels, recipe->height, recipe->width}};
    ingest_set_layout(ingest, LAYOUT_BATCH, "body");
    return true;
}

/* Fields of the form count before what stands in the tensor's own JSON. */
static void take_result(struct ingest *ingest, struct ingest *inner, const struct part *part)
{
    struct ingest_result *result = &ingest->result;
    const struct ingest_result own = *result;
    char place[PLACE_SIZE + INGEST_PLACE_SIZE + 2];
    *result = inner->result;
    inner->result.tensor.data = NULL;
    if (own.model[0]) memcpy(result->model, own.model, sizeof own.model);
    if (own.id[0]) memcpy(result->id, own.id, sizeof own.id);
    if (own.has_top_k) result->has_top_k = true, result->top_k = own.top_k;
    if (own.has_timeout) result->has_timeout = true, result->timeout_us = own.timeout_us;
    if (own.has_priority) result->has_priority = true, result->priority = own.priority;
    snprintf(place, sizeof place, "%s: %.30s", part->place, inner->result.place);
    ingest_set_layout(ingest, inner->result.layout, place);
}

static bool read_tensor(struct ingest *ingest)
{
    const struct form *form = ingest->state;
    const struct part *part = &form->tensor;
    struct ingest_spec spec = ingest->spec;
    spec.form = form->tensor_form;
    spec.coding = CODING_NONE;
    spec.body_size = part->size;
    struct ingest *inner = ingest_new(&spec);
    if (!inner) return ingest_fail_memory(ingest);
    bool good = ingest_feed(inner, part->bytes, part->size) && ingest_finish(inner);
    if (good)
        take_result(ingest, inner, part);
    else
        name_error(ingest, part, ingest_error(inner));
    ingest_free(inner);
    return good;
}

static bool finish(struct ingest *ingest)
{
    struct form *form = ingest->state;
    const bool good = form->tensor.size ? read_tensor(ingest) : read_pictures(ingest);
    buffer_free(&form->body); // the request may wait for long
    return good;
}

static bool begin(struct ingest *ingest)
{
    struct form *form = calloc(1, sizeof *form);
    ingest->state = form;
    return form && buffer_reserve(&form->body, ingest->spec.body_size);
}

static bool feed(struct ingest *ingest, const void *bytes, size_t size)
{
    struct form *form = ingest->state;
    buffer_append(&form->body, bytes, size);
    return !form->body.failed || ingest_fail_memory(ingest);
}

static void release(struct ingest *ingest)
{
    struct form *form = ingest->state;
    if (!form) return;
    buffer_free(&form->body);
    free(form->pictures);
    free(form);
}

const struct ingest_form_ops ingest_multipart = {
    .begin = begin, .feed = feed, .end = end, .finish = finish, .release = release};
