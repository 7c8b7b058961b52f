/* One served model: the engine's model, its sessions, its batcher and workers.
 *
 * Made by model_open(), which proves that it can be served: each session answers a zero image
 * before the first request comes. Constant afterwards and counted: registry_get() retains,
 * model_release() drops. The last release waits for the workers; any thread but a worker's. */
#ifndef SERVER_MODEL_H
#define SERVER_MODEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "resnet.h"

struct batcher;
struct metrics;
struct model_metrics;
struct options;
struct statistics;
struct workers;

enum { MODEL_NAME_SIZE = 65, MODEL_DIGEST_SIZE = 17 };
#define MODEL_VERSION "1"

struct model {
    char name[MODEL_NAME_SIZE], digest[MODEL_DIGEST_SIZE];
    rn_model *engine;
    const rn_model_info *info;
    const char *example; /* a request body that shows something, or NULL; `example_size` bytes */
    size_t example_size;
    struct batcher *batcher;
    struct workers *workers;
    struct metrics *all_metrics;
    struct model_metrics *metrics;
    struct statistics *statistics;
    size_t bytes;                  /* weights and sessions */
    struct model_session *session; /* private to model.c: one for each worker */
    size_t sessions;               /* workers */
    size_t threads;                /* of each session */
    atomic_size_t references;
};

/* What to serve, and as what. */
struct model_source {
    const char *name;
    const char *path; /* a file or directory; NULL: built in */
    const struct builtin *builtin;
};

/* [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
bool model_name_is_valid(const char *name);
/* The last part of a path without its ending; false when that is no valid name. */
bool model_name_of(const char *path, char name[MODEL_NAME_SIZE]);

/* "224" or "224x320" (H x W) into the options; NULL leaves them as they are. */
rn_status model_input_size(const char *text, rn_model_options *options, rn_error *error);

/* Loads, tests and starts. On failure *error says why, RN_ERR_IO: the file isn't there. */
rn_status model_open(struct model **out, const struct model_source *source,
                     const struct options *options, struct metrics *metrics, rn_error *error);
struct model *model_retain(struct model *model);
void model_release(struct model *model);
/* Releases the last reference but those of requests, once these are done: waits for that. Not on an
 * HTTP thread. */
void model_drain(struct model *model);

#endif
