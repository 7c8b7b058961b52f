/* The JSON answer; see answer.h. */
#include "answer.h"

#include <stdlib.h>

#include "float_text.h"

void answer_floats(struct buffer *text, const float *values, size_t count)
{
    enum { PART = 256 }; /* that room is made for at once: most texts take less than they may */
    for (size_t i = 0; i < count; i += PART) {
        const size_t part = count - i < PART ? count - i : PART;
        if (i) buffer_append(text, ",", 1);
        if (!buffer_reserve(text, part * FLOAT_TEXT_SIZE)) return;
        text->size += float_texts(values + i, part, text->bytes + text->size);
        text->bytes[text->size] = '\0';
    }
}

/* One sample as nested arrays: dim[0] x ... x dim[rank - 1]. */
static const float *append_nested(struct buffer *text, const float *value, const size_t *dim,
                                  size_t rank)
{
    buffer_append(text, "[", 1);
    if (rank == 1) answer_floats(text, value, dim[0]);
    for (size_t i = 0; rank > 1 && i < dim[0]; i++) {
        if (i) buffer_append(text, ",", 1);
        value = append_nested(text, value, dim + 1, rank - 1);
    }
    buffer_append(text, "]", 1);
    return rank == 1 ? value + dim[0] : value;
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
        answer_floats(text, &score[i], 1);
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

void answer_head(struct buffer *text, const char *key, const struct answer *answer)
{
    buffer_text(text, "{\"");
    buffer_text(text, key);
    buffer_text(text, "\":");
    buffer_json_string(text, answer->model);
    buffer_text(text, ",\"model_version\":");
    buffer_json_string(text, answer->version);
    if (*answer->id) {
        buffer_text(text, ",\"id\":");
        buffer_json_string(text, answer->id);
    }
}

void answer_json(struct buffer *text, const struct answer *answer)
{
    const rn_model_info *info = rn_model_info_of(answer->engine);
    answer_head(text, "model", answer);
    buffer_text(text, ",\"shape\":[");
    buffer_decimal(text, answer->samples, 0);
    for (size_t i = 0; i < info->output_rank; i++) {
        buffer_append(text, ",", 1);
        buffer_decimal(text, info->output[i], 0);
    }
    buffer_text(text, "],\"output\":");
    answer_tensor(text, answer);
    if (answer->top_k) append_all_top(text, answer);
    buffer_text(text, "}\n");
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are copied as they are");

void answer_raw(struct buffer *bytes, const struct answer *answer)
{
    const size_t size = rn_model_info_of(answer->engine)->output_size;
    buffer_append(bytes, answer->output, answer->samples * size * sizeof *answer->output);
}

/* The magic, the header's length in two bytes, and the header, padded so that the numbers begin at
 * a multiple of 64. */
void answer_npy(struct buffer *bytes, const struct answer *answer)
{
    enum { FRONT = 10, ALIGN = 64 };
    const rn_model_info *info = rn_model_info_of(answer->engine);
    struct buffer header = {0};
    buffer_format(&header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu",
                  answer->samples);
    for (size_t i = 0; i < info->output_rank; i++) buffer_format(&header, ", %zu", info->output[i]);
    buffer_text(&header, "), }");
    while ((FRONT + header.size + 1) % ALIGN && !header.failed) buffer_append(&header, " ", 1);
    buffer_append(&header, "\n", 1);
    const unsigned char length[2] = {header.size & 0xff, (unsigned char)(header.size >> 8)};
    buffer_append(bytes, "\x93NUMPY\x01", 8); // the literal's NUL is the minor version
    buffer_append(bytes, length, sizeof length);
    buffer_append(bytes, header.bytes ? header.bytes : "", header.size);
    bytes->failed |= header.failed;
    buffer_free(&header);
    answer_raw(bytes, answer);
}
