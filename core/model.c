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

/* What load works on; only the model outlives it. */
typedef struct {
    rn_model *model;
    rn_model_options opt;
    rn_file weights;                                     /* taken over by the model's tensors */
    rn_file config_file, labels_file, preprocessor_file; /* beside the weights, if they are there */
    rn_json *config, *preprocessor;
    char *folder; /* of all these files; NULL: the weights are in memory */
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
        if (rn_file_exists(path)) {
            *found = path;
            return RN_OK;
        }
        rn_free(path);
    }
    const rn_status status = find_only_weights(folder, found, err);
    if (status != RN_OK || *found) return status;
    return rn_fail(err, RN_ERR_IO, "%s: holds no weights file (model.safetensors, *.pth, *.onnx)",
                   folder);
}

/* A file of the folder, if it is there. */
static rn_status map_if_there(rn_file *file, const char *folder, const char *name, rn_error *err)
{
    char *path = rn_path_join(folder, name, err);
    if (!path) return RN_ERR_MEMORY;
    const rn_status status = rn_file_exists(path) ? rn_file_map(file, path, err) : RN_OK;
    rn_free(path);
    return status;
}

static rn_status map_config(loader *l)
{
    const char *folder = l->folder;
    rn_status status = map_if_there(&l->config_file, folder, "config.json", l->err);
    if (status == RN_OK) status = map_if_there(&l->labels_file, folder, "labels.txt", l->err);
    if (status == RN_OK)
        status = map_if_there(&l->preprocessor_file, folder, "preprocessor_config.json", l->err);
    if (status == RN_OK && !l->opt.config) {
        l->opt.config = (const char *)l->config_file.bytes;
        l->opt.config_size = l->config_file.size;
    }
    return status;
}

static rn_status map_folder(loader *l, const char *folder)
{
    char *path = NULL;
    rn_status status = find_weights(folder, &path, l->err);
    if (status == RN_OK) status = rn_file_map(&l->weights, path, l->err);
    l->folder = status == RN_OK ? rn_strdup(folder, l->err) : NULL;
    if (status == RN_OK) status = l->folder ? map_config(l) : RN_ERR_MEMORY;
    rn_free(path);
    return status;
}

/* A file by itself: the config.json beside it belongs to it. */
static rn_status map_single(loader *l, const char *path)
{
    const rn_status status = rn_file_map(&l->weights, path, l->err);
    if (status != RN_OK) return status;
    const char *slash = strrchr(path, '/');
    l->folder =
        slash ? rn_strndup(path, (size_t)(slash - path) + 1, l->err) : rn_strdup(".", l->err);
    return l->folder ? map_config(l) : RN_ERR_MEMORY;
}

static rn_status read_weights(loader *l)
{
    rn_model *m = l->model;
    const rn_format_options format = {l->opt.max_header, l->opt.input_height, l->opt.input_width,
                                      l->folder};
    return rn_format_load(&m->tensors, &m->graph, &l->weights, &format, l->err);
}

static rn_status build_graph(loader *l)
{
    rn_model *m = l->model;
    const rn_arch_options arch = {.config = l->config,
                                  .input_height = l->opt.input_height,
                                  .input_width = l->opt.input_width,
                                  .labels = (const char *)l->labels_file.bytes,
                                  .labels_size = l->labels_file.size,
                                  .preprocessor = l->preprocessor};
    return rn_arch_build(&m->arch, &m->graph, &m->tensors, &arch, l->err);
}

static void describe(rn_model *m)
{
    const rn_dims in = m->plan.value[m->plan.input].dims;
    const rn_dims out = m->plan.value[m->plan.output].dims;
    m->info = (rn_model_info){
        .arch = m->arch.name,
        .format = m->tensors.format,
        .isa = rn_isa_name(m->plan.isa),
        .digest = m->digest,
        .input = {in.c, in.h, in.w},
        .input_size = rn_dims_size(in),
        .output_rank = out.rank,
        .output = {out.c, out.h, out.w},
        .output_size = rn_dims_size(out),
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

static void prepare_tensor(void *context, size_t task, size_t thread)
{
    (void)thread;
    rn_tensor *tensor = context;
    rn_tensor_prepare(&tensor[task]);
}

/* Threads for the conversion and packing of large weights; NULL when they can't be had: one will
 * do. */
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
    if (status == RN_OK && l->preprocessor_file.size)
        status = rn_json_parse(&l->preprocessor, (const char *)l->preprocessor_file.bytes,
                               l->preprocessor_file.size, "preprocessor_config.json", l->err);
    if (status == RN_OK) status = read_weights(l);
    if (status != RN_OK) return status;
    rn_team *team = new_load_team(rn_tensors_bytes(&m->tensors));
    rn_team_for(team, m->tensors.count, prepare_tensor, m->tensors.tensor);
    status = build_graph(l);
    if (status == RN_OK) status = rn_plan_build(&m->plan, &m->graph, isa, team, l->err);
    rn_team_free(team);
    return status;
}

static rn_status load_mapped(loader *l)
{
    rn_model *m = l->model;
    rn_digest digest;
    rn_digest_start(&digest, l->weights.bytes, l->weights.size);
    rn_status status = build_model(l);
    rn_digest_finish(&digest);
    if (status == RN_OK && m->tensors.sides)
        status = rn_digest_join(&digest, m->tensors.side, m->tensors.sides, l->err);
    if (status != RN_OK) return status;
    memcpy(m->digest, digest.text, sizeof m->digest);
    describe(m);
    rn_tensors_release(&m->tensors);
    return RN_OK;
}

/* Frees what only loading needed, and the model too when it failed. */
static rn_status finish(loader *l, rn_status status, rn_model **out)
{
    rn_json_free(l->config);
    rn_json_free(l->preprocessor);
    rn_file_unmap(&l->config_file);
    rn_file_unmap(&l->labels_file);
    rn_file_unmap(&l->preprocessor_file);
    rn_file_unmap(&l->weights);
    rn_free(l->folder);
    if (status == RN_OK)
        *out = l->model;
    else
        rn_model_release(l->model);
    return status;
}

static rn_status start(loader *l, const rn_model_options *opt, rn_error *err)
{
    *l = (loader){.opt = opt ? *opt : (rn_model_options){0}, .err = err};
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
    rn_status status = start(&l, opt, err);
    if (status == RN_OK)
        status = rn_is_directory(path) ? map_folder(&l, path) : map_single(&l, path);
    if (status == RN_OK) {
        status = load_mapped(&l);
        if (status != RN_OK && status != RN_ERR_CPU && status != RN_ERR_ARGUMENT)
            rn_context(err, "%s", path);
    }
    return finish(&l, status, out);
}

rn_status rn_model_load_memory(rn_model **out, const void *bytes, size_t size,
                               const rn_model_options *opt, rn_error *err)
{
    loader l;
    rn_status status = start(&l, opt, err);
    if (status == RN_OK) {
        l.weights = (rn_file){.bytes = bytes, .size = size};
        status = load_mapped(&l);
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

static const char *fused_text(rn_epilogue e)
{
    const bool relu = e.act == RN_ACT_RELU;
    switch (e.add) {
    case RN_ADD_BEFORE_ACT: return relu ? "Add+ReLU" : "Add";
    case RN_ADD_AFTER_ACT: return "ReLU+Add";
    default: return relu ? "ReLU" : "";
    }
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
    const rn_dims in = step->desc.in[0], out = step->desc.out;
    *layer = (rn_layer_info){
        .name = step->name,
        .op = rn_op_name(step->desc.op),
        .fused = fused_text(step->desc.epilogue),
        .impl = step->impl->name,
        .in = {in.c, in.h, in.w},
        .out = {out.c, out.h, out.w},
        .parameters = step->parameters,
        .macs = step->macs,
    };
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
