#include "arch/subtree.h"

#include <stdio.h>
#include <string.h>

#include "arch/names.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"

#define SHOWN 3 /* names of tensors left over that a note has */

/* Keys above weights that are an average of those beside them. */
static const char *const averaged[] = {"ema",     "averaged",         "teacher",  "swa",
                                       "average", "momentum_encoder", "encoder_k"};

typedef struct {
    const char *name; /* of a tensor: its first `size` bytes are the prefix */
    size_t size;
    bool is_chosen, is_averaged;
    size_t tensors;
} candidate;

/* Whether the prefix has the word among what stands between its dots and underscores. */
static bool has_word(const char *prefix, size_t size, const char *word)
{
    const size_t length = strlen(word);
    for (size_t i = 0; i + length <= size; i++) {
        if (memcmp(prefix + i, word, length) != 0) continue;
        const bool begins = i == 0 || strchr("._", prefix[i - 1]);
        const bool ends = i + length == size || strchr("._", prefix[i + length]);
        if (begins && ends) return true;
    }
    return false;
}

/* Whether the keys of `wanted` stand in the prefix, one after the other. */
static bool leads_through(const char *prefix, size_t size, const char *wanted)
{
    const size_t length = strlen(wanted);
    for (size_t i = 0; i + length < size; i++)
        if ((i == 0 || prefix[i - 1] == '.') && memcmp(prefix + i, wanted, length) == 0 &&
            prefix[i + length] == '.')
            return true;
    return false;
}

/* The first tensor whose name is not less than the prefix, or is beyond all that begin with it. */
static size_t bound(const rn_tensors *tensors, const char *prefix, size_t size, bool beyond)
{
    size_t low = 0, high = tensors->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strncmp(tensors->tensor[middle].name, prefix, size);
        if (order < 0 || (beyond && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t count_under(const rn_tensors *tensors, const char *prefix, size_t size)
{
    return bound(tensors, prefix, size, true) - bound(tensors, prefix, size, false);
}

static bool is_better(const candidate *a, const candidate *b)
{
    if (!b->name) return true;
    if (a->is_chosen != b->is_chosen) return a->is_chosen;
    if (a->is_averaged != b->is_averaged) return a->is_averaged;
    return a->tensors > b->tensors;
}

static candidate describe(const rn_tensors *tensors, const char *name, size_t size,
                          const char *wanted)
{
    candidate c = {.name = name, .size = size, .tensors = count_under(tensors, name, size)};
    c.is_chosen = wanted && leads_through(name, size, wanted);
    for (size_t i = 0; i < sizeof averaged / sizeof *averaged; i++)
        c.is_averaged |= has_word(name, size, averaged[i]);
    return c;
}

/* A layer of the list that has tensors under that prefix. */
static size_t layers_under(const rn_tensors *tensors, const rn_json *list, const char *prefix,
                           size_t size)
{
    size_t found = 0;
    char name[2 * RN_NAME], number[24];
    for (size_t i = 0; i < rn_json_count(list); i++) {
        const char *layer = rn_json_string(rn_json_get(rn_json_at(list, i), "name"));
        snprintf(number, sizeof number, "%zu", i);
        const int length = snprintf(name, sizeof name, "%.*s%s.", (int)rn_min(size, RN_NAME),
                                    prefix, layer ? layer : number);
        if (length > 0 && (size_t)length < sizeof name)
            found += count_under(tensors, name, (size_t)length) > 0;
    }
    return found;
}

/* Where the network begins in the name: the dots passed over, or SIZE_MAX. Every net has a first
 * convolution in its first block. */
static size_t network_begins(const char *name)
{
    for (const char *at = name; at; at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL)
        if (rn_names_is(at, "layer1.0.conv1.weight")) return (size_t)(at - name);
    return SIZE_MAX;
}

static void find_network(const rn_tensors *tensors, const char *wanted, candidate *best,
                         size_t *count)
{
    for (size_t i = 0; i < tensors->count; i++) {
        const rn_tensor *tensor = &tensors->tensor[i];
        if (tensor->rank != 4) continue;
        const size_t size = network_begins(tensor->name);
        if (size == SIZE_MAX) continue;
        const candidate c = describe(tensors, tensor->name, size, wanted);
        if (is_better(&c, best)) *best = c;
        ++*count;
    }
}

/* The prefix under which most layers of the list have tensors: none when that will do. */
static void find_list(const rn_tensors *tensors, const rn_json *list, const char *wanted,
                      candidate *best, size_t *count)
{
    size_t layers = layers_under(tensors, list, "", 0);
    if (layers && !wanted) return;
    for (size_t i = 0; i < tensors->count; i++) {
        const char *name = tensors->tensor[i].name;
        for (const char *at = strchr(name, '.'); at; at = strchr(at + 1, '.')) {
            candidate c = {.name = name, .size = (size_t)(at - name) + 1};
            if (i > 0 && strncmp(tensors->tensor[i - 1].name, name, c.size) == 0) continue;
            c = describe(tensors, name, c.size, wanted);
            c.tensors = layers_under(tensors, list, name, c.size);
            if (c.tensors < rn_max(layers, 1)) continue;
            *count = c.tensors > layers ? 1 : *count + 1;
            if (c.tensors > layers || is_better(&c, best)) *best = c;
            layers = c.tensors;
        }
    }
}

static bool is_inside(const rn_subtree *found, const rn_tensor *tensor)
{
    return strncmp(tensor->name, found->prefix, strlen(found->prefix)) == 0;
}

/* Last keys of a normaliser's tensors, and the number of each that changes nothing. */
static const struct {
    const char *leaf;
    float neutral;
} normaliser[] = {{"mean", 0}, {"std", 1}, {"pixel_mean", 0}, {"pixel_std", 1}};

size_t rn_subtree_parent(const char *prefix)
{
    size_t size = strlen(prefix);
    if (size > 0) size--;
    while (size > 0 && prefix[size - 1] != '.') size--;
    return size;
}

/* The row of `normaliser` that the tensor is, beside the network at most one key deep; or NULL. */
static const float *neutral_of(const rn_subtree *found, const rn_tensor *tensor)
{
    const size_t shared = rn_subtree_parent(found->prefix);
    if (is_inside(found, tensor) || strncmp(tensor->name, found->prefix, shared) != 0) return NULL;
    const char *rest = tensor->name + shared, *dot = strchr(rest, '.');
    if (dot && strchr(dot + 1, '.')) return NULL;
    for (size_t i = 0; i < sizeof normaliser / sizeof *normaliser; i++)
        if (strcmp(dot ? dot + 1 : rest, normaliser[i].leaf) == 0) return &normaliser[i].neutral;
    return NULL;
}

/* A normaliser in front of the network is no part of it here: its answer would be another one. */
static rn_status check_normaliser(const rn_subtree *found, const rn_tensors *tensors, rn_error *err)
{
    enum { MAX_CHANNELS = 64 }; /* more are no picture's */
    for (size_t i = 0; i < tensors->count; i++) {
        rn_tensor *tensor = &tensors->tensor[i];
        const float *neutral = neutral_of(found, tensor);
        if (!neutral || rn_tensor_elements(tensor) > MAX_CHANNELS) continue;
        const float *number = rn_tensor_floats(tensor, err);
        if (!number) return rn_failure(err);
        for (size_t k = 0; k < rn_tensor_elements(tensor); k++)
            if (number[k] != *neutral)
                return rn_fail(err, RN_ERR_FORMAT,
                               "tensor %.80s: the network has a normaliser in front, which is not "
                               "applied: export the model to ONNX, or save the network alone "
                               "and give its mean and std in config.json's preprocess",
                               tensor->name);
    }
    return RN_OK;
}

rn_status rn_subtree_find(rn_subtree *found, const rn_tensors *tensors, const rn_json *config,
                          const rn_json *list, rn_error *err)
{
    candidate best = {0};
    size_t count = 0;
    const rn_json *key = rn_json_get(config, "weights");
    const char *wanted = rn_json_string(key);
    *found = (rn_subtree){0};
    if (!rn_json_is_null(key) && !wanted)
        return rn_arch_bad_key(err, "weights", "the keys that lead to the network's tensors");
    if (list)
        find_list(tensors, list, wanted, &best, &count);
    else
        find_network(tensors, wanted, &best, &count);
    if (wanted && !best.is_chosen)
        return rn_fail(err, RN_ERR_FORMAT,
                       "config.json: weights: no network under %.60s; one is under \"%.*s\"",
                       wanted, (int)rn_min(best.size, 60), best.name ? best.name : "");
    found->prefix = rn_strndup(best.name ? best.name : "", best.size, err);
    if (!found->prefix) return RN_ERR_MEMORY;
    found->others = count ? count - 1 : 0;
    for (size_t i = 0; i < tensors->count; i++)
        if (!is_inside(found, &tensors->tensor[i])) tensors->tensor[i].used = true;
    return *found->prefix ? check_normaliser(found, tensors, err) : RN_OK;
}

rn_status rn_subtree_note(const rn_subtree *found, const rn_tensors *tensors, rn_arch *arch,
                          rn_error *err)
{
    size_t left = 0, used = 0;
    char names[160] = "";
    for (size_t i = 0; i < tensors->count; i++) {
        if (is_inside(found, &tensors->tensor[i])) continue;
        if (left++ < SHOWN && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%.48s",
                                     left > 1 ? ", " : "", tensors->tensor[i].name);
    }
    if (!*found->prefix) return RN_OK;
    const size_t end = strlen(found->prefix) - 1; /* without the dot */
    rn_status status =
        rn_arch_note(arch, err, "weights: %.*s of the file%s", (int)end, found->prefix,
                     found->others ? ", one of several networks in it: \"weights\" "
                                     "in config.json names another"
                                   : "");
    if (status == RN_OK && left)
        status = rn_arch_note(arch, err, "left over: %zu tensors outside (%s%s)", left, names,
                              left > SHOWN ? ", ..." : "");
    return status;
}

void rn_subtree_release(rn_subtree *found)
{
    rn_free(found->prefix);
    *found = (rn_subtree){0};
}
