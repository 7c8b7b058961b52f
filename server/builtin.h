/* The models that are compiled into the binary: the files of deploy/models/, placed by builtin.S.
 */
#ifndef SERVER_BUILTIN_H
#define SERVER_BUILTIN_H

#include <stdbool.h>
#include <stddef.h>

#include "resnet.h"

struct builtin {
    const char *name;
    const void *weights; /* a safetensors file */
    size_t weights_size;
    const char *config; /* its config.json */
    size_t config_size;
    const char *example; /* a body for POST /infer: one test image */
    size_t example_size;
};

extern const size_t builtin_count;

/* False when there is none of this index or name. Any thread. */
bool builtin_at(size_t index, struct builtin *builtin);
bool builtin_find(const char *name, struct builtin *builtin);
/* As rn_model_load(); of the options, `config` is the built-in model's own. */
rn_status builtin_load(rn_model **model, const struct builtin *builtin,
                       const rn_model_options *options, rn_error *error);

#endif
