#include "ingest/samples.h"

#include <stdio.h>
#include <string.h>

enum { RANK = 3, SHAPE_TEXT = 100 };

/* "[16,3,224,224]". */
static void shape_text(const size_t *dim, size_t rank, char text[SHAPE_TEXT])
{
    size_t used = (size_t)snprintf(text, SHAPE_TEXT, "[");
    for (size_t i = 0; i < rank && used < SHAPE_TEXT; i++)
        used += (size_t)snprintf(text + used, SHAPE_TEXT - used, i ? ",%zu" : "%zu", dim[i]);
    if (used < SHAPE_TEXT) snprintf(text + used, SHAPE_TEXT - used, "]");
}

static bool may_be_one_sample(enum ingest_layout layout)
{
    return layout == LAYOUT_INPUT || layout == LAYOUT_ARRAY;
}

/* What the writer of such a shape may have meant. */
static const char *hint_of(const struct ingest_result *request, const rn_model_info *info)
{
    const struct tensor *tensor = &request->tensor;
    const size_t rank = tensor->rank, *last = tensor->dim + rank - RANK;
    if (request->layout == LAYOUT_INPUT && rank == 1) return "; flat numbers need a \"shape\"";
    const bool channels_last = rank >= RANK && last[0] == info->input[1] &&
                               last[1] == info->input[2] && last[2] == info->input[0];
    return channels_last ? "; the channels come before height and width" : "";
}

static void say_what_is_needed(const struct ingest_result *request, const rn_model_info *info,
                               const char *name, char error[SAMPLES_ERROR_SIZE])
{
    const struct tensor *tensor = &request->tensor;
    const bool rows = request->layout == LAYOUT_ROWS && tensor->rank > 0;
    const bool flat = request->layout == LAYOUT_FLAT;
    char shape[SHAPE_TEXT], sample[SHAPE_TEXT], one[SHAPE_TEXT + 8] = "";
    shape_text(tensor->dim + rows, tensor->rank - rows, shape);
    shape_text(flat ? &info->input_size : info->input, flat ? 1 : RANK, sample);
    if (may_be_one_sample(request->layout)) snprintf(one, sizeof one, " or %s", sample);
    snprintf(error, SAMPLES_ERROR_SIZE, "%s: shape %.60s, model %.64s needs %s%s%s%s",
             request->place, shape, name, rows ? "[" : "[N,", sample + 1, one,
             hint_of(request, info));
}

size_t tensor_samples(const struct ingest_result *request, const rn_model_info *info,
                      const char *name, char error[SAMPLES_ERROR_SIZE])
{
    const size_t *dim = request->tensor.dim, rank = request->tensor.rank;
    size_t samples = 0;
    if (request->layout == LAYOUT_FLAT)
        samples = rank == 2 && dim[1] == info->input_size ? dim[0] : 0;
    else if (rank == RANK + 1 && !memcmp(dim + 1, info->input, RANK * sizeof *dim))
        samples = dim[0];
    else if (may_be_one_sample(request->layout) && rank == RANK)
        samples = !memcmp(dim, info->input, RANK * sizeof *dim);
    if (!samples) say_what_is_needed(request, info, name, error);
    return samples;
}
