/* Loading: file -> formats -> arch -> graph -> plan. What a caller may ask about a loaded model. */
#include "model.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/size.h"
#include "formats/digest.h"
#include "formats/format.h"
#include "kernels/gemm_blas.h"
#include "run/team.h"

#define LOAD_THREADS  8 /* at most, whatever the machine has */
#define LARGE_WEIGHTS ((size_t)4 << 20)

/* A text beside the weights, such as config.json. */
typedef struct {
    char *path; /* NULL: there is no folder */
    rn_file file;
    char *text; /* NULL: the file is not there */
} companion;

/* What load works on; only the model outlives it. */
typedef struct {
    rn_model *model;
    rn_model_options opt;
    rn_file weights; /* taken over by the model's tensors */
    companion config_file, labels_file, preprocessor_file;
    rn_json_document *config, *preprocessor;
    char *folder;           /* of all these files; NULL: the weights are in memory */
    rn_digest digest;       /* of the weights file, begun when it was opened */
    rn_digest *side_digest; /* of each side file, begun when all are known */
    size_t sides;
    rn_error *err;
} loader;

static const char *const weight_names[] = {"model.safetensors", "model.safetensors.index.json",
                                           "pytorch_model.bin", "pytorch_model.bin.index.json",
                                           "model.onnx"};
static const char *const weight_endings[] = {".safetensors", ".pth", ".pt", ".bin", ".onnx"};

static bool is_weight_name(const char *name)
{
    const size_t size = strlen(name);
    for (size_t i = 0; i < sizeof weight_endings / sizeof *weight_endings; i++) {
        const size_t ending = strlen(weight_endings[i]);
        if (size > ending && strcmp(name + size - ending, weight_endings[i]) == 0) return true;
    }
    return false;
}

/* The folder's only file with a known ending; *found stays NULL when there is none. */
static rn_status find_only_weights(const char *folder, char **found, rn_error *err)
{
    DIR *entries = opendir(folder);
    if (!entries) return rn_fail(err, RN_ERR_IO, "%s: can't be read", folder);
    rn_status status = RN_OK;
    for (const struct dirent *e; status == RN_OK && (e = readdir(entries));) {
        if (!is_weight_name(e->d_name)) continue;
        if (*found)
            status = rn_fail(err, RN_ERR_ARGUMENT, "%s: several weights files (%s, %s): name one",
                             folder, strrchr(*found, '/') + 1, e->d_name);
        else if (!(*found = rn_path_join(folder, e->d_name, err)))
            status = RN_ERR_MEMORY;
    }
    closedir(entries);
    return status;
}

static rn_status find_weights(const char *folder, char **found, rn_error *err)
{
    for (size_t i = 0; i < sizeof weight_names / sizeof *weight_names; i++) {
        char *path = rn_path_join(folder, weight_names[i], err);
        if (!path) return RN_ERR_MEMORY;
        rn_path_kind kind;
        const rn_status status = rn_path_look(path, &kind, err);
        if (status == RN_OK && kind == RN_PATH_FILE) {
            *found = path;
            return RN_OK;
        }
        rn_free(path);
        if (status != RN_OK) return status;
    }
    const rn_status status = find_only_weights(folder, found, err);
    if (status != RN_OK || *found) return status;
    return rn_fail(err, RN_ERR_IO, "%s: holds no weights file (model.safetensors, *.pth, *.onnx)",
                   folder);
}

/* ---- the files ------------------------------------------------------------------------------- */

static rn_status open_companion(loader *l, companion *c, const char *name)
{
    const rn_format_options limits = {.max_header = l->opt.max_header};
    const size_t limit = rn_format_header_limit(&limits);
    c->path = rn_path_join(l->folder, name, l->err);
    if (!c->path) return RN_ERR_MEMORY;
    rn_path_kind kind;
    rn_status status = rn_path_look(c->path, &kind, l->err);
    if (status != RN_OK || kind != RN_PATH_FILE) return status;
    status = rn_file_open(&c->file, c->path, l->err);
    if (status != RN_OK) return status;
    if (c->file.size > limit)
        return rn_fail(l->err, RN_ERR_FORMAT, "%s: %zu bytes, at most %zu are read", c->path,
                       c->file.size, limit);
    c->text = rn_file_read_new(&c->file, 0, c->file.size, l->err);
    return c->text ? RN_OK : rn_failure(l->err);
}

static rn_status open_companions(loader *l)
{
    rn_status status = open_companion(l, &l->config_file, "config.json");
    if (status == RN_OK) status = open_companion(l, &l->labels_file, "labels.txt");
    if (status == RN_OK)
        status = open_companion(l, &l->preprocessor_file, "preprocessor_config.json");
    if (status == RN_OK && !l->opt.config) {
        l->opt.config = l->config_file.text;
        l->opt.config_size = l->config_file.file.size;
    }
    return status;
}

static rn_status open_folder(loader *l, const char *folder)
{
    char *path = NULL;
    rn_status status = find_weights(folder, &path, l->err);
    if (status == RN_OK) status = rn_file_open(&l->weights, path, l->err);
    l->folder = status == RN_OK ? rn_strdup(folder, l->err) : NULL;
    if (status == RN_OK) status = l->folder ? open_companions(l) : RN_ERR_MEMORY;
    rn_free(path);
    return status;
}

/* A file by itself: the config.json beside it belongs to it. */
static rn_status open_single(loader *l, const char *path)
{
    const rn_status status = rn_file_open(&l->weights, path, l->err);
    if (status != RN_OK) return status;
    const char *slash = strrchr(path, '/');
    const size_t length = slash ? (size_t)(slash - path) : 0;
    l->folder = slash ? rn_strndup(path, length ? length : 1, l->err) : rn_strdup(".", l->err);
    return l->folder ? open_companions(l) : RN_ERR_MEMORY;
}

/* What was read is there still, and what was not there isn't. */
static rn_status check_companion(const companion *c, rn_error *err)
{
    if (c->text || !c->path) return rn_file_check(&c->file, err);
    rn_path_kind kind;
    const rn_status status = rn_path_look(c->path, &kind, err);
    if (status != RN_OK || kind != RN_PATH_FILE) return status;
    return rn_fail(err, RN_ERR_IO, "%s: it came while the model was read: load it again", c->path);
}

/* All files are what they were when they were opened: they belong together. */
static rn_status check_files(const loader *l, rn_error *err)
{
    const rn_tensors *set = &l->model->tensors;
    rn_status status = rn_file_check(&set->file, err);
    for (size_t i = 0; status == RN_OK && i < set->sides; i++)
        status = rn_file_check(&set->side[i].file, err);
    if (status == RN_OK) status = check_companion(&l->config_file, err);
    if (status == RN_OK) status = check_companion(&l->labels_file, err);
    if (status == RN_OK) status = check_companion(&l->preprocessor_file, err);
    return status;
}

/* What makes no sense may be half of what somebody is writing: that is the reason, then. */
static rn_status explain(const loader *l, rn_status status)
{
    rn_error change;
    if (status != RN_ERR_FORMAT || check_files(l, &change) == RN_OK) return status;
    *l->err = change;
    return change.status;
}

static void close_companion(companion *c)
{
    rn_free(c->path);
    rn_free(c->text);
    rn_file_close(&c->file);
}

/* ---- the digest ------------------------------------------------------------------------------ */

static rn_status start_side_digests(loader *l)
{
    const rn_tensors *set = &l->model->tensors;
    if (set->sides == 0) return RN_OK;
    l->side_digest = rn_alloc_zero(set->sides, sizeof *l->side_digest, l->err);
    if (!l->side_digest) return RN_ERR_MEMORY;
    for (; l->sides < set->sides; l->sides++)
        rn_digest_start(&l->side_digest[l->sides], &set->side[l->sides].file);
    return RN_OK;
}

/* Waits for all of them, or ends them when loading has failed with `status`. */
static rn_status finish_digests(loader *l, rn_status status)
{
    if (status != RN_OK) rn_digest_stop(&l->digest);
    for (size_t i = 0; i < l->sides && status != RN_OK; i++) rn_digest_stop(&l->side_digest[i]);
    rn_status end = rn_digest_finish(&l->digest, status == RN_OK ? l->err : NULL);
    if (status == RN_OK) status = end;
    for (size_t i = 0; i < l->sides; i++) {
        end = rn_digest_finish(&l->side_digest[i], status == RN_OK ? l->err : NULL);
        if (status == RN_OK) status = end;
    }
    if (status == RN_OK && l->sides) rn_digest_join(&l->digest, l->side_digest, l->sides);
    return status;
}

/* ---- the model ------------------------------------------------------------------------------- */

static rn_status read_weights(loader *l)
{
    rn_model *m = l->model;
    const rn_format_options format = {l->opt.max_header, l->opt.input_height, l->opt.input_width,
                                      l->folder};
    const rn_status status = rn_format_load(&m->tensors, &m->graph, &l->weights, &format, l->err);
    return status == RN_OK ? start_side_digests(l) : status;
}

static rn_status build_graph(loader *l)
{
    rn_model *m = l->model;
    const rn_arch_options arch = {.config = rn_json_root(l->config),
                                  .input_height = l->opt.input_height,
                                  .input_width = l->opt.input_width,
                                  .labels = l->labels_file.text,
                                  .labels_size = l->labels_file.file.size,
                                  .preprocessor = rn_json_root(l->preprocessor)};
    return rn_arch_build(&m->arch, &m->graph, &m->tensors, &arch, l->err);
}

static void describe(rn_model *m)
{
    const rn_shape in = m->plan.value[m->plan.input[0]].shape;
    const rn_shape out = m->plan.value[m->plan.output[0]].shape;
    m->info = (rn_model_info){
        .arch = m->arch.name,
        .format = m->tensors.format,
        .isa = rn_isa_name(m->plan.isa),
        .digest = m->digest,
        .input = {in.c, in.h, in.w},
        .input_size = rn_shape_size(in),
        .output_rank = out.rank,
        .output = {out.c, out.h, out.w},
        .output_size = rn_shape_size(out),
        .preprocess = m->arch.preprocess,
        .labels = m->arch.labels,
        .layers = m->plan.count,
        .notes = m->arch.notes,
        .weight_bytes = m->plan.weights_size * sizeof(float),
        .activation_bytes = m->plan.arena_size * sizeof(float),
    };
    for (size_t i = 0; i < m->plan.count; i++) {
        m->info.parameters += m->plan.step[i].parameters;
        m->info.macs += m->plan.step[i].macs;
    }
}

/* Threads for the packing of large weights; NULL when they can't be had: one will do. */
static rn_team *new_load_team(size_t bytes)
{
    rn_team *team = NULL;
    const size_t threads = rn_min(rn_team_cpus(), LOAD_THREADS);
    if (bytes >= LARGE_WEIGHTS && threads > 1) rn_team_new(&team, threads, false, NULL);
    return team;
}

static rn_status build_model(loader *l)
{
    rn_model *m = l->model;
    rn_isa isa;
    rn_status status = rn_isa_select(l->opt.isa, &isa, l->err);
    if (status == RN_OK && l->opt.config)
        status =
            rn_json_parse(&l->config, l->opt.config, l->opt.config_size, "config.json", l->err);
    if (status == RN_OK && l->preprocessor_file.file.size)
        status = rn_json_parse(&l->preprocessor, l->preprocessor_file.text,
                               l->preprocessor_file.file.size, "preprocessor_config.json", l->err);
    if (status == RN_OK) status = read_weights(l);
    if (status != RN_OK) return status;
    rn_team *team = new_load_team(rn_tensors_bytes(&m->tensors));
    status = build_graph(l);
    if (status == RN_OK) status = rn_plan_build(&m->plan, &m->graph, isa, team, l->err);
    rn_team_free(team);
    return status;
}

static rn_status load_opened(loader *l)
{
    rn_model *m = l->model;
    rn_digest_start(&l->digest, &l->weights);
    rn_status status = finish_digests(l, build_model(l));
    status = status == RN_OK ? check_files(l, l->err) : explain(l, status);
    if (status != RN_OK) return status;
    memcpy(m->digest, l->digest.text, sizeof m->digest);
    describe(m);
    rn_tensors_release(&m->tensors);
    return RN_OK;
}

/* Frees what only loading needed, and the model too when it failed. */
static rn_status finish(loader *l, rn_status status, rn_model **out)
{
    rn_json_free(l->config);
    rn_json_free(l->preprocessor);
    close_companion(&l->config_file);
    close_companion(&l->labels_file);
    close_companion(&l->preprocessor_file);
    rn_file_close(&l->weights);
    rn_free(l->side_digest);
    rn_free(l->folder);
    if (status == RN_OK)
        *out = l->model;
    else
        rn_model_release(l->model);
    return status;
}

static rn_status start(loader *l, const rn_model_options *opt, rn_error *err)
{
    memset(l, 0, sizeof *l);
    l->opt = opt ? *opt : (rn_model_options){0};
    l->err = err;
    l->model = rn_alloc_zero(1, sizeof *l->model, err);
    if (!l->model) return RN_ERR_MEMORY;
    atomic_init(&l->model->references, 1);
    rn_graph_init(&l->model->graph);
    rn_gemm_init();
    return RN_OK;
}

rn_status rn_model_load(rn_model **out, const char *path, const rn_model_options *opt,
                        rn_error *err)
{
    loader l;
    rn_error own = {0};
    rn_status status = start(&l, opt, err ? err : &own);
    rn_path_kind kind;
    if (status == RN_OK) status = rn_path_look(path, &kind, l.err);
    if (status == RN_OK)
        status = kind == RN_PATH_FOLDER ? open_folder(&l, path) : open_single(&l, path);
    if (status == RN_OK) {
        status = load_opened(&l);
        if (status == RN_ERR_FORMAT || status == RN_ERR_MEMORY) rn_context(err, "%s", path);
    }
    return finish(&l, status, out);
}

rn_status rn_model_load_memory(rn_model **out, const void *bytes, size_t size,
                               const rn_model_options *opt, rn_error *err)
{
    loader l;
    rn_error own = {0};
    rn_status status = start(&l, opt, err ? err : &own);
    if (status == RN_OK) {
        l.weights = (rn_file){.bytes = bytes, .size = size};
        status = load_opened(&l);
    }
    return finish(&l, status, out);
}

rn_model *rn_model_retain(rn_model *model)
{
    atomic_fetch_add(&model->references, 1);
    return model;
}

void rn_model_release(rn_model *model)
{
    if (!model || atomic_fetch_sub(&model->references, 1) != 1) return;
    rn_plan_release(&model->plan);
    rn_graph_release(&model->graph);
    rn_arch_release(&model->arch);
    rn_tensors_release(&model->tensors);
    rn_free(model);
}

const rn_model_info *rn_model_info_of(const rn_model *model)
{
    return &model->info;
}

static void window_text(const rn_desc *d, char *text, size_t size)
{
    const rn_window *w = &d->window;
    text[0] = '\0';
    if (w->kh == 0) return;
    int used = snprintf(text, size, "%zux%zu", w->kh, w->kw);
    if (w->stride_h > 1 || w->stride_w > 1)
        used += snprintf(text + used, size - (size_t)used, " stride %zu", w->stride_h);
    if (w->pad_top || w->pad_left)
        used += snprintf(text + used, size - (size_t)used, " pad %zu", w->pad_top);
    if (d->groups > 1) snprintf(text + used, size - (size_t)used, " groups %zu", d->groups);
}

bool rn_model_layer(const rn_model *model, size_t index, rn_layer_info *layer)
{
    if (index >= model->plan.count) return false;
    const rn_step *step = &model->plan.step[index];
    const rn_shape in = step->desc.in[0], out = step->desc.out;
    *layer = (rn_layer_info){
        .name = step->name,
        .op = rn_op_name(step->desc.op),
        .impl = step->impl->name,
        .in = {in.c, in.h, in.w},
        .out = {out.c, out.h, out.w},
        .parameters = step->parameters,
        .macs = step->macs,
    };
    rn_epilogue_write(&step->desc.epilogue, layer->fused, sizeof layer->fused);
    window_text(&step->desc, layer->detail, sizeof layer->detail);
    return true;
}

const char *rn_model_note(const rn_model *model, size_t index)
{
    return index < model->arch.notes ? model->arch.note[index] : NULL;
}

const char *rn_model_label(const rn_model *model, size_t cls)
{
    return cls < model->arch.labels ? model->arch.label[cls] : NULL;
}
