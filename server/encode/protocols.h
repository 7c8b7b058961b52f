/* Outputs of a network as answers of the other protocols. No state: any thread. */
#ifndef SERVER_ENCODE_PROTOCOLS_H
#define SERVER_ENCODE_PROTOCOLS_H

#include "answer.h"

/* The names of a network's one input and one output. */
#define V2_INPUT  "input"
#define V2_OUTPUT "output"

/* Open Inference Protocol. `binary`: the tensor follows the JSON as bytes, which are then in
 * `tail`; `classes`, where it is not 0: the best ones as strings in place of the tensor. */
void answer_v2(struct buffer *text, struct buffer *tail, const struct answer *answer, bool binary,
               size_t classes);

/* TorchServe: {"label":score,..}, top_k of them (at least 1), best first; a list of these where
 * there are several samples. A class without a label, or with that of a better one, goes by its
 * number. */
void answer_labels(struct buffer *text, const struct answer *answer);

/* TF Serving: {"predictions": ...}, or {"outputs": ...} for a request of columns. */
void answer_v1(struct buffer *text, const struct answer *answer, bool columns);

#endif
