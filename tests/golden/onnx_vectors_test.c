/* Single ONNX operators against the vectors that the format's own project ships (Debian's
 * libonnx-testdata; skipped without it).
 *
 *   onnx_vectors_test [-v] [FOLDER...]    -v: what was refused, and why
 *
 * A vector is a model of one operator, its inputs and its output. All inputs but the first become
 * constants of the model: they are weights here. Models that this engine refuses (other shapes,
 * other operators) don't count; those that it serves must give the output, and must not be fewer
 * than they were. The last line is "N passed, N failed". */
#include <onnx.pb-c.h>

#include <glob.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "resnet.h"

#define DATA       "/usr/lib/python3/dist-packages/onnx/backend/test/data"
#define SERVED     84 /* vectors of onnx 1.12 that fit */
#define TOLERANCE  1e-5
#define OLDEST     7 /* of the opsets; the operators that fit did not change from 1 to 7 */
#define FLOAT_TYPE 1

typedef struct {
    Onnx__Model *model;
    Onnx__Tensor *input, *output;
} vector;

typedef enum { SKIPPED, REFUSED, PASSED, FAILED } verdict;

static bool verbose;

/* The message in FOLDER/NAME, or NULL. */
static void *read_message(const char *folder, const char *name,
                          const ProtobufCMessageDescriptor *type)
{
    rn_file file;
    char *path = rn_path_join(folder, name, NULL);
    const bool there = rn_file_open(&file, path, NULL) == RN_OK;
    rn_free(path);
    if (!there) return NULL;
    uint8_t *bytes = rn_file_read_new(&file, 0, file.size, NULL);
    void *message = bytes ? protobuf_c_message_unpack(type, NULL, file.size, bytes) : NULL;
    rn_free(bytes);
    rn_file_close(&file);
    return message;
}

static Onnx__Tensor *read_tensor(const char *folder, const char *kind, size_t index)
{
    char name[64];
    snprintf(name, sizeof name, "test_data_set_0/%s_%zu.pb", kind, index);
    return read_message(folder, name, &onnx__tensor__descriptor);
}

/* Input `index` becomes an initialiser; the model owns the tensor then. */
static void make_constant(Onnx__Graph *graph, size_t index, Onnx__Tensor *tensor)
{
    if (tensor->name != protobuf_c_empty_string) free(tensor->name);
    tensor->name = strdup(graph->input[index]->name);
    graph->initializer =
        realloc(graph->initializer, (graph->n_initializer + 1) * sizeof(Onnx__Tensor *));
    if (!graph->initializer || !tensor->name) abort();
    graph->initializer[graph->n_initializer++] = tensor;
}

static bool is_float_batch(const Onnx__Tensor *t)
{
    return t && t->data_type == FLOAT_TYPE && t->n_dims > 0 && t->dims[0] > 0 && t->raw_data.len;
}

static bool read_vector(vector *v, const char *folder)
{
    *v = (vector){.model = read_message(folder, "model.onnx", &onnx__model__descriptor)};
    if (!v->model || !v->model->graph) return false;
    v->input = read_tensor(folder, "input", 0);
    v->output = read_tensor(folder, "output", 0);
    if (!is_float_batch(v->input) || !is_float_batch(v->output)) return false;
    for (size_t i = 1; i < v->model->graph->n_input; i++) {
        Onnx__Tensor *tensor = read_tensor(folder, "input", i);
        if (tensor) make_constant(v->model->graph, i, tensor);
    }
    while (v->model->graph->n_output > 1) /* the indices of a maximum */
        onnx__value_info__free_unpacked(v->model->graph->output[--v->model->graph->n_output], NULL);
    for (size_t i = 0; i < v->model->n_opset_import; i++)
        if (v->model->opset_import[i]->version < OLDEST)
            v->model->opset_import[i]->version = OLDEST;
    return true;
}

static void release(vector *v)
{
    if (v->model) onnx__model__free_unpacked(v->model, NULL);
    if (v->input) onnx__tensor__free_unpacked(v->input, NULL);
    if (v->output) onnx__tensor__free_unpacked(v->output, NULL);
}

/* The largest difference relative to the largest number. */
static double difference(const float *have, const Onnx__Tensor *want)
{
    double worst = 0, largest = 1e-30;
    for (size_t i = 0; i < want->raw_data.len / sizeof(float); i++) {
        float number;
        memcpy(&number, want->raw_data.data + i * sizeof number, sizeof number);
        if (isnan(have[i]) && isnan(number)) continue;
        const double off = fabs((double)have[i] - (double)number);
        worst = off > worst || isnan(off) ? off : worst;
        largest = fmax(largest, fabs((double)number));
    }
    return worst / largest;
}

static verdict run(const vector *v, rn_model *model, const char *folder)
{
    const rn_model_info *info = rn_model_info_of(model);
    const size_t n = (size_t)v->input->dims[0];
    double off = HUGE_VAL;
    rn_session *session = NULL;
    rn_error err = {0};
    float *out = rn_alloc(n * info->output_size, sizeof *out, NULL);
    const bool sizes = n * info->input_size * sizeof *out == v->input->raw_data.len &&
                       n * info->output_size * sizeof *out == v->output->raw_data.len;
    if (sizes && rn_session_new(&session, model, NULL, &err) == RN_OK &&
        rn_session_run(session, (const float *)(const void *)v->input->raw_data.data, n, out,
                       &err) == RN_OK)
        off = difference(out, v->output);
    if (!(off <= TOLERANCE)) printf("FAIL %.2e %s %s\n", off, folder, err.text);
    rn_session_free(session);
    rn_free(out);
    return off <= TOLERANCE ? PASSED : FAILED;
}

static verdict try_vector(const char *folder)
{
    vector v;
    verdict result = SKIPPED;
    if (read_vector(&v, folder)) {
        const size_t size = onnx__model__get_packed_size(v.model);
        uint8_t *bytes = rn_alloc(size, 1, NULL);
        onnx__model__pack(v.model, bytes);
        rn_model *model = NULL;
        rn_error err = {0};
        result = REFUSED;
        if (rn_model_load_memory(&model, bytes, size, NULL, &err) == RN_OK)
            result = run(&v, model, folder);
        else if (verbose)
            printf("refused %s: %s\n", strrchr(folder, '/') + 1, err.text);
        rn_model_release(model);
        rn_free(bytes);
    }
    release(&v);
    return result;
}

int main(int argc, char **argv)
{
    size_t count[4] = {0};
    glob_t found = {0};
    verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    const int first = verbose ? 2 : 1;
    if (argc > first) {
        for (int i = first; i < argc; i++) count[try_vector(argv[i])]++;
    } else if (access(DATA, F_OK)) {
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    } else {
        glob(DATA "/node/test_*", 0, NULL, &found);
        glob(DATA "/pytorch-*/test_*", GLOB_APPEND, NULL, &found);
        for (size_t i = 0; i < found.gl_pathc; i++) count[try_vector(found.gl_pathv[i])]++;
        globfree(&found);
        if (count[PASSED] < SERVED) {
            printf("only %zu of %d vectors are served\n", count[PASSED], SERVED);
            count[FAILED]++;
        }
    }
    printf("%zu refused\n%zu passed, %zu failed\n", count[REFUSED], count[PASSED], count[FAILED]);
    return count[PASSED] > 0 && count[FAILED] == 0 ? 0 : 1;
}
