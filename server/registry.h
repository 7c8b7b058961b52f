/* The models being served, by name; the first one is the default.
 *
 * Filled at start by one thread. Afterwards any thread asks; a model handed out is retained, so
 * that it can be replaced or dropped while requests still use it. */
#ifndef SERVER_REGISTRY_H
#define SERVER_REGISTRY_H

#include "model.h"

struct registry;

/* Opens every model of the options, or the built-in ones when they name none. On failure nothing is
 * left; *error has the model's name in front, and *exit_code is 64, 65 or 66. */
struct registry *registry_open(const struct options *options, struct metrics *metrics,
                               rn_error *error, int *exit_code);
void registry_close(struct registry *registry);

/* name NULL or "": the default. The caller releases it; NULL: no such model. */
struct model *registry_get(struct registry *registry, const char *name);
/* The i-th in the order of the options; NULL behind the last. The caller releases it. */
struct model *registry_at(struct registry *registry, size_t i);

#endif
