/* `resnetd infer MODEL FILE...`: the answers that the daemon would give, without a daemon. Each
 * file is a request's body: JSON, raw float32, an .npy array or a picture; each answer is one line
 * of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cpus.h"
#include "encode/answer.h"
#include "ingest/samples.h"
#include "model.h"

struct infer {
    const struct cmd *self;
    const char *model_name;
    rn_model *model;
    rn_session *session;
    size_t top_k;
};

/* What the daemon makes of such a body; *result lives as long as what is returned. */
static struct ingest *ingest_file(const struct infer *infer, const char *path, const char *bytes,
                                  size_t size, const struct ingest_result **result)
{
    const rn_model_info *info = rn_model_info_of(infer->model);
    /* A file holds no more numbers than it has bytes. */
    const struct ingest_spec spec = {.form = ingest_form_of(bytes, size),
                                     .body_size = size,
                                     .sample_size = info->input_size,
                                     .max_floats = size,
                                     .max_pixels = SIZE_MAX,
                                     .max_bytes = SIZE_MAX,
                                     .recipe = image_recipe_of(info)};
    struct ingest *ingest = ingest_new(&spec);
    if (!ingest) cmd_die(infer->self->name, EX_OSERR, "%s: no memory", path);
    *result = ingest_feed(ingest, bytes, size) ? ingest_finish(ingest) : NULL;
    if (!*result)
        cmd_die(infer->self->name, EX_DATAERR, "%s: %s", path, ingest_error(ingest)->text);
    return ingest;
}

static void answer(const struct infer *infer, const char *path, const struct ingest_result *request)
{
    const rn_model_info *info = rn_model_info_of(infer->model);
    const struct tensor *tensor = &request->tensor;
    char error[SAMPLES_ERROR_SIZE];
    rn_error err;
    const size_t samples = tensor_samples(request, info, infer->model_name, error);
    if (!samples) cmd_die(infer->self->name, EX_DATAERR, "%s: %s", path, error);

    float *output = cmd_alloc(samples * info->output_size, sizeof *output);
    if (rn_session_run(infer->session, tensor->data, samples, output, &err) != RN_OK)
        cmd_die(infer->self->name, EX_SOFTWARE, "%s: %s", path, err.text);
    const bool own_top_k = !infer->top_k && request->has_top_k;
    const struct answer text_of = {.model = infer->model_name,
                                   .version = MODEL_VERSION,
                                   .id = request->id,
                                   .engine = infer->model,
                                   .output = output,
                                   .samples = samples,
                                   .top_k = own_top_k ? request->top_k : infer->top_k};
    struct buffer text = {0};
    answer_json(&text, &text_of);
    if (text.failed) cmd_die(infer->self->name, EX_OSERR, "%s: no memory", path);
    fwrite(text.bytes, 1, text.size, stdout);
    buffer_free(&text);
    free(output);
}

static void infer_file(const struct infer *infer, const char *path)
{
    size_t size;
    char *bytes = cmd_read_file(infer->self->name, path, &size);
    const struct ingest_result *result;
    struct ingest *ingest = ingest_file(infer, path, bytes, size, &result);
    answer(infer, path, result);
    ingest_free(ingest);
    free(bytes);
}

int cmd_infer(const struct cmd *self, int argc, char **argv)
{
    char name[MODEL_NAME_SIZE];
    struct infer infer = {.self = self};
    struct cmd_model_options options = {0};
    rn_session_options session = {.threads = cpus_usable()};
    const struct cmd_option rows[] = {
        {"top-k", "K", CMD_SIZE, &infer.top_k, 0, INGEST_MAX_TOP_K, "add the K best classes"},
        {"threads", "T", CMD_SIZE, &session.threads, 1, 256, "default: one per usable CPU"},
        CMD_MODEL_ROWS(options),
    };
    cmd_parse(self, argc, argv, rows, sizeof rows / sizeof *rows, 2);

    const char *path = argv[optind];
    infer.model_name = model_name_of(path, name) ? name : path; /* as the daemon calls it */
    infer.model = cmd_load_model(self, path, &options);
    infer.session = cmd_open_session(self, infer.model, &session);
    for (int i = optind + 1; i < argc; i++) infer_file(&infer, argv[i]);
    rn_session_free(infer.session);
    rn_model_release(infer.model);
    return EX_OK;
}
