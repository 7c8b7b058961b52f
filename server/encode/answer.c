/* The JSON answer; see answer.h. */
#include "answer.h"

#include <stdlib.h>

#include "float_text.h"

static void append_float(struct buffer *text, float value)
{
    char digits[FLOAT_TEXT_SIZE];
    buffer_append(text, digits, float_text(value, digits));
}

/* One sample as nested arrays: dim[0] x ... x dim[rank - 1]. */
static const float *append_nested(struct buffer *text, const float *value, const size_t *dim,
                                  size_t rank)
{
    buffer_append(text, "[", 1);
    for (size_t i = 0; i < dim[0]; i++) {
        if (i) buffer_append(text, ",", 1);
        if (rank > 1)
            value = append_nested(text, value, dim + 1, rank - 1);
        else
            append_float(text, *value++);
    }
    buffer_append(text, "]", 1);
    return value;
}

static void append_top(struct buffer *text, const struct answer *answer, const float *logits,
                       size_t *cls, float *score)
{
    const rn_model_info *info = rn_model_info_of(answer->engine);
    const size_t k = rn_top_k(logits, info->output_size, answer->top_k, cls, score);
    buffer_append(text, "[", 1);
    for (size_t i = 0; i < k; i++) {
        const char *label = rn_model_label(answer->engine, cls[i]);
        buffer_format(text, "%s{\"class\":%zu,", i ? "," : "", cls[i]);
        if (label) {
            buffer_text(text, "\"label\":");
            buffer_json_string(text, label);
            buffer_append(text, ",", 1);
        }
        buffer_text(text, "\"score\":");
        append_float(text, score[i]);
        buffer_append(text, "}", 1);
    }
    buffer_append(text, "]", 1);
}

static void append_all_top(struct buffer *text, const struct answer *answer)
{
    const size_t size = rn_model_info_of(answer->engine)->output_size;
    const size_t k = answer->top_k < size ? answer->top_k : size;
    size_t *cls = calloc(k, sizeof *cls);
    float *score = calloc(k, sizeof *score);
    const bool room = cls && score;
    text->failed |= !room;
    buffer_text(text, ",\"top\":[");
    for (size_t n = 0; room && n < answer->samples; n++) {
        if (n) buffer_append(text, ",", 1);
        append_top(text, answer, answer->output + n * size, cls, score);
    }
    buffer_append(text, "]", 1);
    free(cls);
    free(score);
}

void answer_tensor(struct buffer *text, const struct answer *answer)
{
    const rn_model_info *info = rn_model_info_of(answer->engine);
    buffer_append(text, "[", 1);
    for (size_t n = 0; n < answer->samples; n++) {
        if (n) buffer_append(text, ",", 1);
        append_nested(text, answer->output + n * info->output_size, info->output,
                      info->output_rank);
    }
    buffer_append(text, "]", 1);
}

void answer_json(struct buffer *text, const struct answer *answer)
{
    const rn_model_info *info = rn_model_info_of(answer->engine);
    buffer_text(text, "{\"model\":");
    buffer_json_string(text, answer->model);
    buffer_text(text, ",\"model_version\":");
    buffer_json_string(text, answer->version);
    if (*answer->id) {
        buffer_text(text, ",\"id\":");
        buffer_json_string(text, answer->id);
    }
    buffer_format(text, ",\"shape\":[%zu", answer->samples);
    for (size_t i = 0; i < info->output_rank; i++) buffer_format(text, ",%zu", info->output[i]);
    buffer_text(text, "],\"output\":");
    answer_tensor(text, answer);
    if (answer->top_k) append_all_top(text, answer);
    buffer_text(text, "}\n");
}
