/* Outputs of a network to the body of an answer. No state: any thread. */
#ifndef SERVER_ENCODE_ANSWER_H
#define SERVER_ENCODE_ANSWER_H

#include "buffer.h"
#include "resnet.h"

struct answer {
    const char *model, *version;
    const char *id; /* the client's; "": none */
    const rn_model *engine;
    const float *output; /* samples x output_size, all finite */
    size_t samples;
    size_t top_k; /* 0: none asked for */
};

/* {"model":..,"model_version":..,"shape":[N,classes],"output":[[..],..],"top":[[{..},..],..]} */
void answer_json(struct buffer *text, const struct answer *answer);
/* What answers of all protocols begin with: {"KEY":model,"model_version":..,"id":.. */
void answer_head(struct buffer *text, const char *key, const struct answer *answer);

/* "1,-2.5,3" */
void answer_floats(struct buffer *text, const float *values, size_t count);
/* The outputs alone: [[..],..] */
void answer_tensor(struct buffer *text, const struct answer *answer);

/* The outputs alone, little-endian float32: as they are, and as a .npy file (version 1.0). */
void answer_raw(struct buffer *bytes, const struct answer *answer);
void answer_npy(struct buffer *bytes, const struct answer *answer);

#endif
