#include "arch/head.h"

#include <stdio.h>
#include <string.h>

#include "arch/subtree.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"

/* timm, Cadene, mmpretrain, Sequential(Dropout, Linear); inside the network or beside it. */
static const char *const heads[] = {"fc",   "last_linear", "classifier",  "head.fc",
                                    "head", "fc.1",        "classifier.1"};

/* Keys above encoders that are trained without classes. */
static const char *const encoders[] = {"encoder_q",        "encoder_k", "base_encoder",
                                       "momentum_encoder", "student",   "teacher"};

/* Channels of the last stage; 0: unknown. */
static size_t features(const rn_names *names)
{
    char name[64];
    for (size_t stage = RN_MAX_RANK; stage > 0; stage--)
        for (int conv = 3; conv >= 2; conv--) {
            snprintf(name, sizeof name, "layer%zu.0.conv%d.weight", stage, conv);
            const rn_tensor *weight = rn_names_find(names, name);
            if (weight) return weight->rank ? weight->shape[0] : 0;
        }
    return 0;
}

/* The tensor PREFIX HEAD . LEAF of the file, PREFIX being the first `size` bytes. */
static rn_tensor *find(const rn_tensors *tensors, const char *prefix, size_t size, const char *head,
                       const char *leaf)
{
    char name[2 * RN_NAME];
    const int length =
        snprintf(name, sizeof name, "%.*s%s.%s", (int)rn_min(size, RN_NAME), prefix, head, leaf);
    if (length < 0 || (size_t)length >= sizeof name || size > RN_NAME) return NULL;
    return rn_tensors_find(tensors, name);
}

static rn_status take(rn_names *names, const rn_tensors *tensors, const char *prefix, size_t size,
                      const char *head, rn_error *err)
{
    rn_tensor *weight = find(tensors, prefix, size, head, "weight");
    rn_tensor *bias = find(tensors, prefix, size, head, "bias");
    rn_status status = rn_names_rename(names, weight, "fc.weight", err);
    if (status == RN_OK && bias) status = rn_names_rename(names, bias, "fc.bias", err);
    return status;
}

static bool trains_without_classes(const char *prefix)
{
    for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++)
        if (strstr(prefix, encoders[i])) return true;
    return false;
}

static rn_status skip_projection(rn_names *names, rn_arch *arch, rn_error *err)
{
    size_t skipped = 0;
    for (size_t i = 0; i < names->count; i++) {
        rn_name *entry = &names->entry[i];
        if (strncmp(entry->name, "fc.", 3) != 0 && strncmp(entry->name, "head.", 5) != 0) continue;
        entry->tensor->used = true;
        skipped++;
    }
    if (skipped == 0) return RN_OK;
    return rn_arch_note(arch, err, "left over: %zu tensors of the encoder's projection", skipped);
}

rn_status rn_head_find(rn_names *names, const rn_tensors *tensors, const char *prefix,
                       rn_arch *arch, rn_error *err)
{
    const size_t width = features(names);
    const size_t places[] = {strlen(prefix), rn_subtree_parent(prefix)}; /* inside, beside */
    if (rn_names_have(names, "fc.weight") || rn_names_have(names, "fc.bias")) return RN_OK;
    if (trains_without_classes(prefix)) return skip_projection(names, arch, err);
    for (size_t place = 0; place < sizeof places / sizeof *places; place++)
        for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
            const size_t size = places[place];
            const rn_tensor *weight = find(tensors, prefix, size, heads[i], "weight");
            if (!weight || weight->rank != 2 || weight->shape[1] != width) continue;
            const rn_status status = take(names, tensors, prefix, size, heads[i], err);
            if (status != RN_OK) return status;
            return rn_arch_note(arch, err, "head: %.*s%s (%zu to %zu)", (int)size, prefix, heads[i],
                                width, weight->shape[0]);
        }
    return rn_arch_note(arch, err, "head: none: the answer is the pooled features (%zu)", width);
}
