/* The table of the built-in models; see builtin.h. The files themselves are placed by
 * builtin.S. */
#include "builtin.h"

#include <stdint.h>
#include <string.h>

#define BUILTIN(symbol, name, weights, config)                                        \
    extern const char builtin_##symbol##_weights[], builtin_##symbol##_weights_end[]; \
    extern const char builtin_##symbol##_config[], builtin_##symbol##_config_end[];
#include "builtin.def"
#undef BUILTIN
extern const char builtin_example[], builtin_example_end[];

static const struct builtin_row {
    const char *name, *weights, *weights_end, *config, *config_end;
} row[] = {
#define BUILTIN(symbol, name, weights, config)                                                    \
    {name, builtin_##symbol##_weights, builtin_##symbol##_weights_end, builtin_##symbol##_config, \
     builtin_##symbol##_config_end},
#include "builtin.def"
#undef BUILTIN
};

const size_t builtin_count = sizeof row / sizeof *row;

/* Bytes from one of builtin.S's symbols to another: to C they are different objects. */
static size_t span(const char *begin, const char *end)
{
    return (uintptr_t)end - (uintptr_t)begin;
}

bool builtin_at(size_t index, struct builtin *builtin)
{
    if (index >= builtin_count) return false;
    const struct builtin_row *r = &row[index];
    *builtin = (struct builtin){.name = r->name,
                                .weights = r->weights,
                                .weights_size = span(r->weights, r->weights_end),
                                .config = r->config,
                                .config_size = span(r->config, r->config_end),
                                .example = builtin_example,
                                .example_size = span(builtin_example, builtin_example_end)};
    return true;
}

bool builtin_find(const char *name, struct builtin *builtin)
{
    for (size_t i = 0; builtin_at(i, builtin); i++)
        if (!strcmp(builtin->name, name)) return true;
    return false;
}

rn_status builtin_load(rn_model **model, const struct builtin *builtin,
                       const rn_model_options *options, rn_error *error)
{
    rn_model_options with_config = *options;
    with_config.config = builtin->config;
    with_config.config_size = builtin->config_size;
    return rn_model_load_memory(model, builtin->weights, builtin->weights_size, &with_config,
                                error);
}
