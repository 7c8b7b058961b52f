#include "arch/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"

/* In a pattern %S, %B and %N stand for a number, %s and %n for the number less one; a star at the
 * end stands for the rest of the name. */
static const struct {
    const char *ours, *theirs;
    rn_naming naming;
} rows[] = {
    {"conv1.*", "embedder.embedder.convolution.*", RN_NAMING_HUGGING_FACE},
    {"bn1.*", "embedder.embedder.normalization.*", RN_NAMING_HUGGING_FACE},
    {"layer%S.%B.conv%N.*", "encoder.stages.%s.layers.%B.layer.%n.convolution.*",
     RN_NAMING_HUGGING_FACE},
    {"layer%S.%B.bn%N.*", "encoder.stages.%s.layers.%B.layer.%n.normalization.*",
     RN_NAMING_HUGGING_FACE},
    {"layer%S.%B.downsample.0.*", "encoder.stages.%s.layers.%B.shortcut.convolution.*",
     RN_NAMING_HUGGING_FACE},
    {"layer%S.%B.downsample.1.*", "encoder.stages.%s.layers.%B.shortcut.normalization.*",
     RN_NAMING_HUGGING_FACE},
    {"fc.*", "classifier.1.*", RN_NAMING_HUGGING_FACE},

    {"conv1.*", "stem.conv.*", RN_NAMING_TIMM_V2},
    {"conv1.0.*", "stem.conv1.*", RN_NAMING_TIMM_V2},
    {"conv1.1.*", "stem.norm1.*", RN_NAMING_TIMM_V2},
    {"conv1.3.*", "stem.conv2.*", RN_NAMING_TIMM_V2},
    {"conv1.4.*", "stem.norm2.*", RN_NAMING_TIMM_V2},
    {"conv1.6.*", "stem.conv3.*", RN_NAMING_TIMM_V2},
    {"layer%S.%B.conv%N.*", "stages.%s.blocks.%B.conv%N.*", RN_NAMING_TIMM_V2},
    {"layer%S.%B.bn%N.*", "stages.%s.blocks.%B.norm%N.*", RN_NAMING_TIMM_V2},
    {"layer%S.%B.downsample.0.*", "stages.%s.blocks.%B.downsample.conv.*", RN_NAMING_TIMM_V2},
    {"fc.*", "head.fc.*", RN_NAMING_TIMM_V2},

    {"fc.*", "linear.*", RN_NAMING_TORCHVISION},
    {"norm.*", "bn.*", RN_NAMING_TORCHVISION},
    {"layer%S.%B.downsample.%N.*", "layer%S.%B.shortcut.%N.*", RN_NAMING_TORCHVISION},
    {"layer%S.%B.se.*", "layer%S.%B.se_module.*", RN_NAMING_TORCHVISION},
};

typedef struct {
    size_t s, b, n;
    const char *rest;
} match;

static size_t *number_of(match *found, char letter)
{
    switch (letter) {
    case 'S':
    case 's': return &found->s;
    case 'B': return &found->b;
    default: return &found->n;
    }
}

static size_t base_of(char letter)
{
    return letter == 's' || letter == 'n';
}

/* At most 4 digits: no network has more blocks, and nothing overflows. */
static bool read_number(const char **text, size_t *number)
{
    const char *p = *text;
    size_t value = 0;
    while (*p >= '0' && *p <= '9' && p - *text < 4) value = value * 10 + (size_t)(*p++ - '0');
    *number = value;
    if (p == *text) return false;
    *text = p;
    return true;
}

static bool matches(const char *pattern, const char *text, match *found)
{
    size_t number;
    for (; *pattern; pattern++) {
        if (*pattern == '*') return found->rest = text, true;
        if (*pattern == '%') {
            if (!read_number(&text, &number)) return false;
            pattern++;
            *number_of(found, *pattern) = number + base_of(*pattern);
        } else if (*pattern != *text++) {
            return false;
        }
    }
    return *text == '\0';
}

static void render(const char *pattern, match *found, char text[RN_NAME])
{
    size_t used = 0;
    for (; *pattern && used < RN_NAME - 1; pattern++) {
        if (*pattern == '*') {
            used += snprintf(text + used, RN_NAME - used, "%s", found->rest);
        } else if (*pattern == '%') {
            pattern++;
            used += snprintf(text + used, RN_NAME - used, "%zu",
                             *number_of(found, *pattern) - base_of(*pattern));
        } else {
            text[used++] = *pattern;
        }
    }
    text[rn_min(used, RN_NAME - 1)] = '\0';
}

static rn_naming translate_name(const char *theirs, char text[RN_NAME])
{
    static const char model[] = "resnet."; /* the inner model of a Hugging Face classifier */
    const char *inner =
        strncmp(theirs, model, sizeof model - 1) == 0 ? theirs + sizeof model - 1 : theirs;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        match found = {0};
        const char *name = rows[i].naming == RN_NAMING_HUGGING_FACE ? inner : theirs;
        if (!matches(rows[i].theirs, name, &found)) continue;
        render(rows[i].ours, &found, text);
        return rows[i].naming;
    }
    snprintf(text, RN_NAME, "%s", theirs);
    return RN_NAMING_TORCHVISION;
}

bool rn_names_is(const char *theirs, const char *ours)
{
    char text[RN_NAME];
    translate_name(theirs, text);
    return strcmp(text, ours) == 0;
}

char *rn_names_original(const rn_names *names, const char *name, char text[RN_NAME])
{
    for (size_t i = 0; names->naming && i < sizeof rows / sizeof *rows; i++) {
        match found = {0};
        if (rows[i].naming != names->naming || !matches(rows[i].ours, name, &found)) continue;
        render(rows[i].theirs, &found, text);
        return text;
    }
    snprintf(text, RN_NAME, "%s", name);
    return text;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const rn_name *)a)->name, ((const rn_name *)b)->name);
}

static rn_status check_twice(const rn_names *names, rn_error *err)
{
    for (size_t i = 1; i < names->count; i++)
        if (compare(&names->entry[i - 1], &names->entry[i]) == 0)
            return rn_fail(err, RN_ERR_FORMAT, "tensors %.80s and %.80s are both %.80s",
                           names->entry[i - 1].tensor->name, names->entry[i].tensor->name,
                           names->entry[i].name);
    return RN_OK;
}

static rn_status add_name(rn_names *names, rn_tensor *tensor, const char *name, bool translate,
                          rn_error *err)
{
    char text[RN_NAME];
    const rn_naming naming = translate ? translate_name(name, text) : RN_NAMING_TORCHVISION;
    if (naming) names->naming = naming;
    rn_name *entry = &names->entry[names->count++];
    entry->tensor = tensor;
    entry->name = rn_strdup(translate ? text : name, err);
    return entry->name ? RN_OK : RN_ERR_MEMORY;
}

rn_status rn_names_init(rn_names *names, const rn_tensors *tensors, const char *prefix,
                        bool translate, rn_error *err)
{
    *names = (rn_names){0};
    names->entry = rn_alloc_zero(tensors->count, sizeof *names->entry, err);
    if (!names->entry) return RN_ERR_MEMORY;
    const size_t skip = strlen(prefix);
    for (size_t i = 0; i < tensors->count; i++) {
        rn_tensor *tensor = &tensors->tensor[i];
        if (strncmp(tensor->name, prefix, skip) != 0) continue;
        const rn_status status = add_name(names, tensor, tensor->name + skip, translate, err);
        if (status != RN_OK) return status;
    }
    if (names->count) qsort(names->entry, names->count, sizeof *names->entry, compare);
    return check_twice(names, err);
}

rn_status rn_names_rename(rn_names *names, rn_tensor *tensor, const char *ours, rn_error *err)
{
    char *name = rn_strdup(ours, err);
    if (!name) return RN_ERR_MEMORY;
    size_t i = 0;
    while (i < names->count && names->entry[i].tensor != tensor) i++;
    if (i == names->count) names->entry[names->count++].name = NULL; /* room for every tensor */
    rn_free(names->entry[i].name);
    names->entry[i] = (rn_name){name, tensor};
    tensor->used = false;
    qsort(names->entry, names->count, sizeof *names->entry, compare);
    return check_twice(names, err);
}

/* The first entry whose name is not less. */
static const rn_name *lower_bound(const rn_names *names, const char *name)
{
    size_t low = 0, high = names->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(names->entry[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < names->count ? &names->entry[low] : NULL;
}

rn_tensor *rn_names_find(const rn_names *names, const char *name)
{
    const rn_name *found = lower_bound(names, name);
    return found && strcmp(found->name, name) == 0 ? found->tensor : NULL;
}

bool rn_names_have(const rn_names *names, const char *prefix)
{
    const rn_name *found = lower_bound(names, prefix);
    return found && strncmp(found->name, prefix, strlen(prefix)) == 0;
}

void rn_names_release(rn_names *names)
{
    for (size_t i = 0; i < names->count; i++) rn_free(names->entry[i].name);
    rn_free(names->entry);
    *names = (rn_names){0};
}
