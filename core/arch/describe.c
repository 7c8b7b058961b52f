#include "arch/describe.h"

#include <stdio.h>
#include <string.h>

#include "arch/preprocess.h"
#include "base/error.h"
#include "base/mem.h"

/* ---- labels ---------------------------------------------------------------------------------- */

/* "labels" (ours) and "label_names" (timm) are lists, "id2label" (Hugging Face) is an object with
 * the keys "0", "1", ... */
static const rn_json *find_labels(const rn_json *config, const char **key)
{
    static const char *const keys[] = {"labels", "label_names", "id2label"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const rn_json *labels = rn_json_get(config, keys[i]);
        *key = keys[i];
        if (!rn_json_is_null(labels)) return labels;
    }
    *key = "pretrained_cfg.label_names";
    return rn_json_get(rn_json_get(config, "pretrained_cfg"), "label_names");
}

static const char *label_at(const rn_json *labels, size_t index)
{
    char key[24];
    if (rn_json_is_array(labels)) return rn_json_string(rn_json_at(labels, index));
    snprintf(key, sizeof key, "%zu", index);
    return rn_json_string(rn_json_get(labels, key));
}

/* There must be one for each class. */
static rn_status make_room(rn_arch *arch, size_t count, rn_shape out, const char *where,
                           rn_error *err)
{
    if (out.rank != 1 || count != out.c)
        return rn_fail(err, RN_ERR_FORMAT, "%s: %zu labels, the network answers %zu %s", where,
                       count, out.c, out.rank == 1 ? "classes" : "maps");
    arch->label = rn_alloc_zero(count, sizeof *arch->label, err);
    if (!arch->label) return RN_ERR_MEMORY;
    arch->labels = count;
    return rn_arch_note(arch, err, "labels: %zu (%s)", count, where);
}

static rn_status set_label(rn_arch *arch, size_t index, const char *text, size_t size,
                           rn_error *err)
{
    arch->label[index] = rn_strndup(text, size, err);
    return arch->label[index] ? RN_OK : RN_ERR_MEMORY;
}

static rn_status take_json(rn_arch *arch, rn_shape out, const rn_json *labels, const char *key,
                           rn_error *err)
{
    char where[64];
    const size_t count = rn_json_count(labels);
    if (!rn_json_is_array(labels) && !rn_json_is_object(labels))
        return rn_arch_bad_key(err, key, "a list of strings");
    snprintf(where, sizeof where, "config.json: %s", key);
    rn_status status = make_room(arch, count, out, where, err);
    for (size_t i = 0; status == RN_OK && i < count; i++) {
        const char *label = label_at(labels, i);
        if (!label) return rn_fail(err, RN_ERR_FORMAT, "%s: class %zu is no string", where, i);
        status = set_label(arch, i, label, strlen(label), err);
    }
    return status;
}

/* Bytes of the UTF-8 character at text; 0: none. Labels become part of JSON answers. */
static size_t character(const unsigned char *text, size_t size)
{
    static const unsigned char least[] = {0, 0, 0xc2, 0xe0, 0xf0}; /* of the first of 2, 3, 4 */
    const size_t bytes = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if (bytes == 1) return text[0] != '\0';
    if (text[0] < least[bytes] || text[0] > 0xf4 || bytes > size) return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((text[i] & 0xc0) != 0x80) return 0;
    const bool overlong =
        (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    const bool beyond = (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf4 && text[1] > 0x8f);
    return overlong || beyond ? 0 : bytes;
}

static bool is_utf8(const char *text, size_t size)
{
    for (size_t at = 0, bytes = 0; at < size; at += bytes) {
        bytes = character((const unsigned char *)text + at, size - at);
        if (bytes == 0) return false;
    }
    return true;
}

/* The length of the line at text, and in *next that of the line and its end. */
static size_t line_size(const char *text, size_t size, size_t *next)
{
    const char *end = memchr(text, '\n', size);
    size_t length = end ? (size_t)(end - text) : size;
    *next = end ? length + 1 : size;
    if (length > 0 && text[length - 1] == '\r') length--;
    return length;
}

static rn_status take_text(rn_arch *arch, rn_shape out, const char *text, size_t size,
                           rn_error *err)
{
    size_t count = 0, next;
    if (!is_utf8(text, size)) return rn_fail(err, RN_ERR_FORMAT, "labels.txt: no UTF-8 text");
    for (size_t at = 0; at < size; at += next, count++) line_size(text + at, size - at, &next);
    rn_status status = make_room(arch, count, out, "labels.txt", err);
    for (size_t i = 0, at = 0; status == RN_OK && i < count; i++, at += next) {
        const size_t length = line_size(text + at, size - at, &next);
        status = set_label(arch, i, text + at, length, err);
    }
    return status;
}

static rn_status take_imagenet(rn_arch *arch, rn_shape out, rn_error *err)
{
    static const char *const names[] = {
#define CLASS(name) name,
#include "arch/imagenet.def"
#undef CLASS
    };
    const size_t count = sizeof names / sizeof *names;
    if (out.rank != 1 || out.c != count) return RN_OK;
    rn_status status = make_room(arch, count, out, "default: ImageNet's", err);
    for (size_t i = 0; status == RN_OK && i < count; i++)
        status = set_label(arch, i, names[i], strlen(names[i]), err);
    return status;
}

static rn_status read_labels(rn_arch *arch, rn_shape out, const rn_arch_options *options,
                             rn_error *err)
{
    const char *key;
    const rn_json *labels = find_labels(options->config, &key);
    const bool empty =
        (rn_json_is_array(labels) || rn_json_is_object(labels)) && rn_json_count(labels) == 0;
    if (!rn_json_is_null(labels) && !empty) return take_json(arch, out, labels, key, err);
    if (options->labels) return take_text(arch, out, options->labels, options->labels_size, err);
    return take_imagenet(arch, out, err);
}

rn_status rn_arch_describe(rn_arch *arch, const rn_graph *graph, const rn_arch_options *options,
                           rn_error *err)
{
    const rn_status status =
        read_labels(arch, rn_graph_shape(graph, graph->output[0].value), options, err);
    if (status != RN_OK) return status;
    return rn_preprocess_read(arch, rn_graph_shape(graph, graph->input[0].value), options, err);
}
