/* What people call the network that was found, and the notes that say how it was told. */
#include <stdio.h>
#include <string.h>

#include "arch/family.h"

#define TEXT 96 /* bytes of a shape or list in a note */

static const char *kind(const rn_stage *s)
{
    return s->bottleneck ? "bottleneck" : "basic";
}

static bool one_kind(const rn_family *f)
{
    for (size_t i = 1; i < f->stages; i++)
        if (f->stage[i].bottleneck != f->stage[0].bottleneck) return false;
    return true;
}

/* "3,4,6,3 bottleneck", or "1 basic,1 bottleneck" when the kinds are mixed */
static char *stages_text(const rn_family *f, char text[TEXT])
{
    size_t used = 0;
    for (size_t i = 0; i < f->stages && used < TEXT; i++) {
        const bool name_kind = !one_kind(f) || i + 1 == f->stages;
        used += snprintf(text + used, TEXT - used, "%s%zu%s%s", i ? "," : "", f->stage[i].blocks,
                         name_kind ? " " : "", name_kind ? kind(&f->stage[i]) : "");
    }
    return text;
}

static bool any_block_has(const rn_builder *b, const char *leaf)
{
    return rn_family_tensor(b, 0, 0, leaf) != NULL;
}

/* ---- the name -------------------------------------------------------------------------------- */

static const struct {
    size_t depth;
    bool bottleneck;
    size_t blocks[4];
} depths[] = {
    {10, false, {1, 1, 1, 1}},   {18, false, {2, 2, 2, 2}},   {34, false, {3, 4, 6, 3}},
    {14, true, {1, 1, 1, 1}},    {26, true, {2, 2, 2, 2}},    {50, true, {3, 4, 6, 3}},
    {101, true, {3, 4, 23, 3}},  {152, true, {3, 8, 36, 3}},  {200, true, {3, 24, 36, 3}},
    {269, true, {3, 30, 48, 8}}, {270, true, {4, 29, 53, 4}}, {350, true, {4, 36, 72, 4}},
    {420, true, {4, 44, 87, 4}},
};

/* 0: no depth that has a name */
static size_t named_depth(const rn_family *f)
{
    for (size_t i = 0; f->stages == 4 && i < sizeof depths / sizeof *depths; i++) {
        bool same = one_kind(f) && depths[i].bottleneck == f->stage[0].bottleneck;
        for (size_t s = 0; s < 4; s++) same &= f->stage[s].blocks == depths[i].blocks[s];
        if (same) return depths[i].depth;
    }
    return 0;
}

/* ImageNet's widths: 64 channels (256 of bottlenecks), twice as many in each stage. */
static bool standard_widths(const rn_family *f, const rn_builder *b)
{
    const size_t first = f->stage[0].bottleneck ? 256 : 64;
    for (size_t s = 0; s < f->stages; s++)
        if (rn_family_width(f, b, s) != first << s) return false;
    return true;
}

/* timm's letter for the stem: c and s differ in its width, t has three widths, d averages. */
static const char *stem_letter(const rn_family *f, const rn_builder *b)
{
    const rn_tensor *first = rn_family_stem(f, b), *middle = rn_build_find(b, "conv1.3", "weight");
    const rn_tensor *shortcut = rn_family_tensor(b, 1, 0, "downsample.1.weight");
    if (!f->deep_stem || f->conv_pool || !middle || middle->rank != 4) return "";
    if (first->shape[0] != middle->shape[0]) return "t";
    if (f->avg_down || (shortcut && shortcut->rank == 4)) return "d";
    return first->shape[0] == 32 ? "c" : "s";
}

static const char *middle_word(const rn_family *f)
{
    if (f->preact) return "v2_";
    if (f->conv_pool) return "rs";
    if (f->antialias == RN_ANTIALIAS_BLUR) return "blur";
    return f->antialias == RN_ANTIALIAS_AVG ? "aa" : "";
}

/* "_32x4d", "_2", or nothing; from conv2 (oc, ic / groups, 3, 3) of the first block */
static void width_text(size_t width, size_t group_width, char text[TEXT])
{
    text[0] = '\0';
    if (group_width < width)
        snprintf(text, TEXT, "_%zux%zud", width / group_width, group_width);
    else if (width != 64)
        snprintf(text, TEXT, "_%zu", width / 64);
}

static void set_name(const rn_family *f, const rn_builder *b)
{
    char text[2 * TEXT], list[TEXT];
    const size_t depth = named_depth(f);
    const rn_tensor *middle = rn_family_tensor(b, 0, 0, "conv2.weight");
    const size_t width = middle && middle->rank == 4 ? middle->shape[0] : 0;
    const size_t group_width = width ? middle->shape[1] : 0;
    if (!depth || !group_width || width % 64 || !standard_widths(f, b)) {
        snprintf(text, sizeof text, "resnet%s (%.50s)", f->preact ? "v2" : "",
                 stages_text(f, list));
    } else {
        const bool next = group_width < width;
        width_text(width, group_width, list);
        snprintf(text, sizeof text, "%s%s%s%s%zu%s%s%s",
                 any_block_has(b, "se.fc1.weight")    ? "se"
                 : any_block_has(b, "se.conv.weight") ? "eca"
                                                      : "",
                 width > 64 && !next ? "wide_" : "", next ? "resnext" : "resnet", middle_word(f),
                 depth, stem_letter(f, b), list,
                 f->bit           ? "x1_bit"
                 : f->norm_groups ? "_gn"
                                  : "");
    }
    snprintf(b->arch->name, sizeof b->arch->name, "%.63s", text);
}

/* ---- notes ----------------------------------------------------------------------------------- */

static rn_status note_stem(const rn_family *f, const rn_builder *b)
{
    static const char *const pools[] = {"3x3 max pool of stride 2", "2x2 average pool",
                                        "3x3 max pool and blur of stride 2"};
    char shape[TEXT];
    const rn_tensor *weight = rn_family_stem(f, b);
    return rn_arch_note(b->arch, b->err, "stem: %sstride %zu, %s (%.60s %s)",
                        f->deep_stem ? "three convolutions, " : "", f->stem_stride,
                        f->conv_pool   ? "a convolution of stride 2"
                        : f->stem_pool ? pools[f->antialias]
                                       : "no pool",
                        weight->name, rn_shape_text(weight->shape, 4, shape, sizeof shape));
}

static rn_status note_strides(const rn_family *f, const rn_builder *b)
{
    char strides[TEXT] = "";
    for (size_t i = 0, used = 0; i < f->stages && used < TEXT; i++)
        used += snprintf(strides + used, TEXT - used, "%s%zu", i ? "," : "", f->stage[i].stride);
    return rn_arch_note(b->arch, b->err,
                        "strides: %s, in a bottleneck's %s convolution (not in the weights: "
                        "default or config.json)",
                        strides, f->stride_in_1x1 ? "first 1x1" : "3x3");
}

static rn_status note_norm(const rn_family *f, const rn_builder *b)
{
    if (f->norm_groups)
        return rn_arch_note(b->arch, b->err,
                            "norm: %zu groups, epsilon %g (no running_mean; that it is group norm: "
                            "config.json; groups and epsilon: default or config.json)",
                            f->norm_groups, f->eps);
    return rn_arch_note(b->arch, b->err,
                        "norm: batch norm, epsilon %g (not in the weights: default or config.json)",
                        f->eps);
}

/* Properties that few networks have: a note each where it is so. */
static rn_status note_variants(const rn_family *f, const rn_builder *b)
{
    const struct {
        bool holds;
        const char *note;
    } variants[] = {
        {f->preact, "order: norm and ReLU in front of the convolutions (no tensor bn1.*)"},
        {f->bit, "weights: standardised, zeros around the stem's pool (group norm, 7x7 stem)"},
        {f->zero_shortcut, "shortcuts: zero channels where the width changes (no downsample.*)"},
        {f->avg_down, "shortcuts: average pool in front (deep stem)"},
        {any_block_has(b, "se.fc1.weight"), "gates: squeeze-excite (layer1.0.se.fc1.weight)"},
        {any_block_has(b, "se.conv.weight"), "gates: ECA (layer1.0.se.conv.weight)"},
        {f->antialias == RN_ANTIALIAS_AVG, "anti-aliasing: average pools (config.json)"},
        {f->antialias == RN_ANTIALIAS_BLUR, "anti-aliasing: blurred pools (config.json)"},
    };
    rn_status status = RN_OK;
    for (size_t i = 0; status == RN_OK && i < sizeof variants / sizeof *variants; i++)
        if (variants[i].holds) status = rn_arch_note(b->arch, b->err, "%s", variants[i].note);
    return status;
}

rn_status rn_family_identify(const rn_family *f, const rn_builder *b, const rn_json *config)
{
    char list[TEXT];
    const char *architecture = rn_json_string(rn_json_get(config, "architecture"));
    set_name(f, b);
    if (architecture) snprintf(b->arch->name, sizeof b->arch->name, "%.63s", architecture);
    rn_status status = note_stem(f, b);
    if (status == RN_OK)
        status = rn_arch_note(b->arch, b->err, "blocks: %s (layer*.*.conv*.weight)",
                              stages_text(f, list));
    if (status == RN_OK) status = note_strides(f, b);
    if (status == RN_OK) status = note_norm(f, b);
    if (status == RN_OK) status = note_variants(f, b);
    return status;
}
