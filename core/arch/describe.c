#include "arch/describe.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

static const double imagenet_mean[3] = {0.485, 0.456, 0.406};
static const double imagenet_std[3] = {0.229, 0.224, 0.225};

static rn_status bad_key(rn_error *err, const char *key, const char *wanted)
{
    return rn_fail(err, RN_ERR_FORMAT, "config.json: %s: want %s", key, wanted);
}

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

static rn_status read_labels(rn_arch *arch, rn_dims out, const rn_json *config, rn_error *err)
{
    const char *key;
    const rn_json *labels = find_labels(config, &key);
    const size_t count = rn_json_count(labels);
    if (rn_json_is_null(labels)) return RN_OK;
    if (!rn_json_is_array(labels) && !rn_json_is_object(labels))
        return bad_key(err, key, "a list of strings");
    if (count == 0) return RN_OK;
    if (out.rank != 1 || count != out.c)
        return rn_fail(err, RN_ERR_FORMAT,
                       "config.json: %s: %zu labels, the network answers %zu %s", key, count, out.c,
                       out.rank == 1 ? "classes" : "maps");
    arch->label = rn_alloc_zero(count, sizeof *arch->label, err);
    if (!arch->label) return RN_ERR_MEMORY;
    arch->labels = count;
    for (size_t i = 0; i < count; i++) {
        const char *label = label_at(labels, i);
        if (!label)
            return rn_fail(err, RN_ERR_FORMAT, "config.json: %s: class %zu is no string", key, i);
        arch->label[i] = rn_strdup(label, err);
        if (!arch->label[i]) return RN_ERR_MEMORY;
    }
    return RN_OK;
}

/* ---- preprocessing --------------------------------------------------------------------------- */

/* One number for all channels or one for each. */
static rn_status read_channels(double out[3], const rn_json *list, const char *key, size_t channels,
                               rn_error *err)
{
    const size_t count = rn_json_count(list);
    if (rn_json_is_null(list)) return RN_OK;
    if (!rn_json_is_array(list) || (count != 1 && (count != channels || count > 3)))
        return bad_key(err, key, "a list of one number, or one a channel");
    for (size_t i = 0; i < 3; i++)
        if (!rn_json_number(rn_json_at(list, i < count ? i : 0), &out[i]))
            return bad_key(err, key, "numbers");
    return RN_OK;
}

static rn_status read_preprocessing(rn_arch *arch, size_t channels, const rn_json *config,
                                    rn_error *err)
{
    const rn_json *from = rn_json_get(config, "preprocess");
    if (!from) from = rn_json_get(config, "pretrained_cfg");
    memcpy(arch->mean, imagenet_mean, sizeof arch->mean);
    memcpy(arch->std, imagenet_std, sizeof arch->std);
    rn_status status = read_channels(arch->mean, rn_json_get(from, "mean"), "mean", channels, err);
    if (status == RN_OK)
        status = read_channels(arch->std, rn_json_get(from, "std"), "std", channels, err);
    for (size_t i = 0; status == RN_OK && i < 3; i++)
        if (!(arch->std[i] > 0)) return bad_key(err, "std", "numbers above 0");
    if (status != RN_OK) return status;
    return rn_arch_note(arch, err, "preprocessing: mean %g %g %g, std %g %g %g (%s)", arch->mean[0],
                        arch->mean[1], arch->mean[2], arch->std[0], arch->std[1], arch->std[2],
                        rn_json_get(from, "mean") ? "config.json" : "default: ImageNet's");
}

rn_status rn_arch_describe(rn_arch *arch, const rn_graph *graph, const rn_json *config,
                           rn_error *err)
{
    const rn_status status = read_labels(arch, graph->node[graph->output].out, config, err);
    if (status != RN_OK) return status;
    return read_preprocessing(arch, graph->node[0].out.c, config, err);
}
