/* The answers of the Open Inference Protocol and of TF Serving; see protocols.h. */
#include "encode/protocols.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are copied as they are");

/* "value:index:label" */
static void class_line(struct buffer *line, const float *logits, size_t cls, const char *label)
{
    line->size = 0;
    answer_floats(line, &logits[cls], 1);
    buffer_format(line, label ? ":%zu:%s" : ":%zu", cls, label);
}

/* The lines of the k best classes of each sample: length and bytes to `tail`, or JSON to `text`. */
static void append_classes(struct buffer *text, struct buffer *tail, const struct answer *answer,
                           bool binary, size_t k)
{
    const size_t size = rn_model_info_of(answer->engine)->output_size;
    size_t *cls = calloc(k, sizeof *cls);
    float *score = calloc(k, sizeof *score);
    struct buffer line = {0};
    const bool room = cls && score;
    text->failed |= !room;
    for (size_t i = 0; room && i < answer->samples * k; i++) {
        const float *logits = answer->output + i / k * size;
        if (i % k == 0) rn_top_k(logits, size, k, cls, score);
        const size_t best = cls[i % k];
        class_line(&line, logits, best, rn_model_label(answer->engine, best));
        text->failed |= line.failed;
        const uint32_t length = (uint32_t)line.size;
        if (binary) {
            buffer_append(tail, &length, sizeof length);
            buffer_append(tail, line.bytes, line.size);
        } else {
            if (i) buffer_append(text, ",", 1);
            buffer_json_string(text, line.bytes ? line.bytes : "");
        }
    }
    buffer_free(&line);
    free(cls);
    free(score);
}

static void append_shape(struct buffer *text, const struct answer *answer, size_t classes)
{
    const rn_model_info *info = rn_model_info_of(answer->engine);
    buffer_format(text, "\"shape\":[%zu", answer->samples);
    if (classes)
        buffer_format(text, ",%zu", classes);
    else
        for (size_t i = 0; i < info->output_rank; i++) buffer_format(text, ",%zu", info->output[i]);
    buffer_text(text, "]");
}

void answer_v2(struct buffer *text, struct buffer *tail, const struct answer *answer, bool binary,
               size_t classes)
{
    const size_t size = rn_model_info_of(answer->engine)->output_size;
    const size_t k = classes < size ? classes : size;
    struct buffer data = {0};
    if (k)
        append_classes(&data, tail, answer, binary, k);
    else if (binary)
        buffer_append(tail, answer->output, answer->samples * size * sizeof(float));
    else
        answer_floats(&data, answer->output, answer->samples * size);
    answer_head(text, "model_name", answer);
    buffer_format(text, ",\"outputs\":[{\"name\":\"%s\",\"datatype\":\"%s\",", V2_OUTPUT,
                  k ? "BYTES" : "FP32");
    append_shape(text, answer, k);
    if (binary) {
        buffer_format(text, ",\"parameters\":{\"binary_data_size\":%zu}}]}", tail->size);
    } else {
        buffer_text(text, ",\"data\":[");
        buffer_append(text, data.bytes ? data.bytes : "", data.size);
        buffer_text(text, "]}]}");
    }
    text->failed |= data.failed | tail->failed;
    buffer_free(&data);
}

void answer_v1(struct buffer *text, const struct answer *answer, bool columns)
{
    buffer_text(text, columns ? "{\"outputs\":" : "{\"predictions\":");
    answer_tensor(text, answer);
    buffer_text(text, "}\n");
}

/* The classes before it that are better, by their labels. */
static bool is_taken(const rn_model *engine, const size_t *cls, size_t count, const char *label)
{
    for (size_t i = 0; i < count; i++) {
        const char *other = rn_model_label(engine, cls[i]);
        if (other && !strcmp(other, label)) return true;
    }
    return false;
}

static void append_labels(struct buffer *text, const struct answer *answer, const float *logits,
                          size_t *cls, float *score)
{
    const size_t size = rn_model_info_of(answer->engine)->output_size;
    const size_t k = rn_top_k(logits, size, answer->top_k, cls, score);
    buffer_text(text, "{");
    for (size_t i = 0; i < k; i++) {
        const char *label = rn_model_label(answer->engine, cls[i]);
        if (i) buffer_text(text, ",");
        if (label && !is_taken(answer->engine, cls, i, label))
            buffer_json_string(text, label);
        else
            buffer_format(text, "\"%zu\"", cls[i]);
        buffer_text(text, ":");
        answer_floats(text, &score[i], 1);
    }
    buffer_text(text, "}");
}

void answer_labels(struct buffer *text, const struct answer *answer)
{
    const size_t size = rn_model_info_of(answer->engine)->output_size;
    const size_t k = answer->top_k < size ? answer->top_k : size;
    size_t *cls = calloc(k, sizeof *cls);
    float *score = calloc(k, sizeof *score);
    const bool room = cls && score, list = answer->samples > 1;
    text->failed |= !room;
    if (list) buffer_text(text, "[");
    for (size_t n = 0; room && n < answer->samples; n++) {
        if (n) buffer_text(text, ",");
        append_labels(text, answer, answer->output + n * size, cls, score);
    }
    buffer_text(text, list ? "]\n" : "\n");
    free(cls);
    free(score);
}
