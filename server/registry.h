/* The models to serve, by name; the first one that is loaded is the default.
 *
 * Filled at start by one thread; the names stay what they are then. Afterwards any thread asks, and
 * a model handed out is retained, so that it can be replaced or dropped while requests use it. One
 * load or unload is done at a time, on a thread that may wait for seconds, never HTTP's; nobody who
 * asks meanwhile waits for it. */
#ifndef SERVER_REGISTRY_H
#define SERVER_REGISTRY_H

#include "model.h"

struct registry;

enum registry_state {
    REGISTRY_UNAVAILABLE,
    REGISTRY_READY,
    REGISTRY_LOADING, /* and not served meanwhile; a model that is reloaded stays READY */
    REGISTRY_UNLOADING,
};
enum { REGISTRY_REASON_SIZE = 240 };

/* Opens every model of the options, or the built-in ones when they name none. On failure nothing is
 * left; *error has the model's name in front, and *exit_code is 64, 65 or 66. */
struct registry *registry_open(const struct options *options, struct metrics *metrics,
                               rn_error *error, int *exit_code);
void registry_close(struct registry *registry);

/* name NULL or "": the default. The caller releases it; NULL: no such model. */
struct model *registry_get(struct registry *registry, const char *name);
/* The i-th loaded one in the order of the options; NULL behind the last. The caller releases it. */
struct model *registry_at(struct registry *registry, size_t i);

/* Floats of one sample of the model whose samples are the largest. */
size_t registry_largest_input(struct registry *registry);

/* Loaded or not: the i-th name of the options; false behind the last. */
struct registry_row {
    const char *name; /* lives as long as the registry */
    enum registry_state state;
    char reason[REGISTRY_REASON_SIZE]; /* why it is not there, or why the last load failed; or "" */
};
bool registry_row(struct registry *registry, size_t i, struct registry_row *row);
bool registry_has(struct registry *registry, const char *name);

/* For a name that registry_has(). Loads the model's files beside the model that is served, tests
 * it, and puts it in its place, which is then in *old, to be given to model_drain(); NULL: there
 * was none. Any other status than RN_OK: all is as it was, and `reason`, without any path, says
 * why. */
rn_status registry_load(struct registry *registry, const char *name, struct model **old,
                        char reason[REGISTRY_REASON_SIZE]);
/* The same for every model that is loaded, as far as nobody says `stop` between two. What fails
 * stays as it was, and the log says why. */
void registry_reload(struct registry *registry, const atomic_bool *stop);
/* The same for dropping one: waits until the last request for it is answered. */
void registry_unload(struct registry *registry, const char *name);

#endif
