/* Models by name; see registry.h. */
#include "registry.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builtin.h"
#include "failure.h"
#include "log.h"
#include "metrics.h"
#include "options.h"

/* One name to serve under. What is above the lock's line never changes. */
struct entry {
    char name[MODEL_NAME_SIZE];
    const char *path; /* of the options; NULL: built in */
    struct builtin builtin;
    /* under the lock */
    struct model *model; /* NULL: not loaded */
    enum registry_state state;
    char reason[REGISTRY_REASON_SIZE];
};

struct registry {
    const struct options *options;
    struct metrics *metrics;
    pthread_mutex_t changes; /* held over a whole load or unload; taken before the lock */
    pthread_rwlock_t lock;   /* never held over a load */
    struct entry *entry;
    size_t entries;
};

/* "name=path" or "path", whose last part then gives the name. */
static bool read_source(const char *text, char name[MODEL_NAME_SIZE], struct model_source *source,
                        rn_error *error)
{
    const char *equals = strchr(text, '=');
    *source = (struct model_source){.name = name, .path = text};
    if (equals && !memchr(text, '/', (size_t)(equals - text))) {
        snprintf(name, MODEL_NAME_SIZE, "%.*s", (int)(equals - text), text);
        source->path = equals + 1;
        if (equals - text < MODEL_NAME_SIZE && model_name_is_valid(name)) return true;
    } else if (model_name_of(text, name)) {
        return true;
    }
    error->status = RN_ERR_ARGUMENT;
    snprintf(error->text, sizeof error->text,
             "--model %.100s: no valid name (letters, digits, '.', '_', '-'); use NAME=PATH", text);
    return false;
}

static struct entry *find(const struct registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->entries; i++)
        if (!strcmp(registry->entry[i].name, name)) return &registry->entry[i];
    return NULL;
}

/* Makes the entry's model; no lock is needed, nor may the registry's be held. */
static rn_status open_entry(struct registry *registry, const struct entry *entry,
                            struct model **model, rn_error *error)
{
    const struct model_source source = {
        .name = entry->name, .path = entry->path, .builtin = entry->path ? NULL : &entry->builtin};
    if (model_open(model, &source, registry->options, registry->metrics, error))
        return error->status;
    const rn_model_info *info = (*model)->info;
    LOG(LOG_INFO, "model", LOG_TEXT("name", entry->name), LOG_TEXT("arch", info->arch),
        LOG_TEXT("format", info->format), LOG_TEXT("isa", info->isa),
        LOG_TEXT("digest", (*model)->digest), LOG_NUMBER("parameters", info->parameters));
    return RN_OK;
}

static rn_status add(struct registry *registry, const struct model_source *source, rn_error *error)
{
    struct entry *entry = &registry->entry[registry->entries];
    if (find(registry, source->name)) {
        error->status = RN_ERR_ARGUMENT;
        snprintf(error->text, sizeof error->text, "--model: two models named %s", source->name);
        return error->status;
    }
    snprintf(entry->name, sizeof entry->name, "%s", source->name);
    if (source->builtin)
        entry->builtin = *source->builtin;
    else
        entry->path = source->path;
    if (open_entry(registry, entry, &entry->model, error)) {
        rn_error inner = *error;
        snprintf(error->text, sizeof error->text, "%s: %.170s", source->name, inner.text);
        return error->status;
    }
    entry->state = REGISTRY_READY;
    registry->entries++;
    return RN_OK;
}

/* The paths to serve; none: the built-in models. `fallback` is room for a list of one. */
static struct option_list wanted(const struct options *options, const char **fallback)
{
    *fallback = options->default_model;
    const bool use = !options->model.count && *fallback && !access(*fallback, F_OK);
    return use ? (struct option_list){fallback, 1} : options->model;
}

static rn_status add_all(struct registry *registry, const struct option_list *paths,
                         rn_error *error)
{
    for (size_t i = 0; i < paths->count; i++) {
        struct model_source source;
        struct builtin builtin;
        char name[MODEL_NAME_SIZE];
        if (!read_source(paths->item[i], name, &source, error)) return error->status;
        if (access(source.path, F_OK) && builtin_find(source.path, &builtin))
            source.builtin = &builtin;
        if (add(registry, &source, error)) return error->status;
    }
    struct builtin builtin;
    for (size_t i = 0; !paths->count && builtin_at(i, &builtin); i++) {
        const struct model_source source = {.name = builtin.name, .builtin = &builtin};
        if (add(registry, &source, error)) return error->status;
    }
    return RN_OK;
}

struct registry *registry_open(const struct options *options, struct metrics *metrics,
                               rn_error *error, int *exit_code)
{
    const char *fallback;
    const struct option_list paths = wanted(options, &fallback);
    const size_t models = paths.count ? paths.count : builtin_count;
    struct registry *registry = calloc(1, sizeof *registry);
    error->status = RN_ERR_MEMORY;
    snprintf(error->text, sizeof error->text, "no memory for the models");
    *exit_code = failure_exit(error->status);
    if (!registry) return NULL;
    registry->options = options;
    registry->metrics = metrics;
    pthread_mutex_init(&registry->changes, NULL);
    pthread_rwlock_init(&registry->lock, NULL);
    registry->entry = calloc(models, sizeof *registry->entry);
    if (registry->entry && !add_all(registry, &paths, error)) return registry;
    *exit_code = failure_exit(error->status);
    registry_close(registry);
    return NULL;
}

void registry_close(struct registry *registry)
{
    if (!registry) return;
    for (size_t i = 0; registry->entry && i < registry->entries; i++)
        model_release(registry->entry[i].model);
    free(registry->entry);
    pthread_rwlock_destroy(&registry->lock);
    pthread_mutex_destroy(&registry->changes);
    free(registry);
}

/* The i-th of those that are loaded; under the lock. */
static struct model *loaded_at(const struct registry *registry, size_t i)
{
    for (size_t e = 0; e < registry->entries; e++)
        if (registry->entry[e].model && i-- == 0) return registry->entry[e].model;
    return NULL;
}

struct model *registry_get(struct registry *registry, const char *name)
{
    pthread_rwlock_rdlock(&registry->lock);
    const struct entry *entry = name && *name ? find(registry, name) : NULL;
    struct model *model = name && *name ? NULL : loaded_at(registry, 0);
    if (entry) model = entry->model;
    if (model) model_retain(model);
    pthread_rwlock_unlock(&registry->lock);
    return model;
}

struct model *registry_at(struct registry *registry, size_t i)
{
    pthread_rwlock_rdlock(&registry->lock);
    struct model *model = loaded_at(registry, i);
    if (model) model_retain(model);
    pthread_rwlock_unlock(&registry->lock);
    return model;
}

size_t registry_largest_input(struct registry *registry)
{
    const struct model *model;
    size_t largest = 0;
    pthread_rwlock_rdlock(&registry->lock);
    for (size_t i = 0; (model = loaded_at(registry, i)); i++)
        if (model->info->input_size > largest) largest = model->info->input_size;
    pthread_rwlock_unlock(&registry->lock);
    return largest;
}

/* ---- load and unload ------------------------------------------------------------------------- */

bool registry_row(struct registry *registry, size_t i, struct registry_row *row)
{
    if (i >= registry->entries) return false;
    const struct entry *entry = &registry->entry[i];
    pthread_rwlock_rdlock(&registry->lock);
    row->name = entry->name;
    row->state = entry->state;
    snprintf(row->reason, sizeof row->reason, "%s", entry->reason);
    pthread_rwlock_unlock(&registry->lock);
    return true;
}

bool registry_has(struct registry *registry, const char *name)
{
    return find(registry, name) != NULL;
}

/* Puts a model, or none, in the place of the one that is returned. */
static struct model *replace(struct registry *registry, struct entry *entry, struct model *model)
{
    pthread_rwlock_wrlock(&registry->lock);
    struct model *old = entry->model;
    entry->model = model;
    pthread_rwlock_unlock(&registry->lock);
    return old;
}

static void set_state(struct registry *registry, struct entry *entry, enum registry_state state,
                      const char *reason)
{
    pthread_rwlock_wrlock(&registry->lock);
    entry->state = state;
    snprintf(entry->reason, sizeof entry->reason, "%s", reason);
    pthread_rwlock_unlock(&registry->lock);
}

/* Clients are told what is wrong, not where the files lie: the path becomes the model's name, and
 * the folder of a file beside it is left out. */
static void hide_path(const struct entry *entry, char text[REGISTRY_REASON_SIZE])
{
    char clean[REGISTRY_REASON_SIZE] = "";
    const size_t length = entry->path ? strlen(entry->path) : 0;
    const char *slash = length ? strrchr(entry->path, '/') : NULL;
    const size_t folder = slash ? (size_t)(slash - entry->path) + 1 : 0;
    size_t used = 0;
    for (const char *at = text; *at && used + 1 < sizeof clean;) {
        const bool path = length && !strncmp(at, entry->path, length);
        if (!path && folder > 1 && !strncmp(at, entry->path, folder)) {
            at += folder;
            continue;
        }
        used += (size_t)snprintf(clean + used, sizeof clean - used, path ? "%s" : "%.1s",
                                 path ? entry->name : at);
        at += path ? length : 1;
    }
    memcpy(text, clean, sizeof clean);
}

/* Under `changes`, which alone changes entry->model. */
static rn_status load(struct registry *registry, struct entry *entry, struct model **old,
                      char reason[REGISTRY_REASON_SIZE])
{
    struct model *model = NULL;
    rn_error error;
    const bool serves = entry->model != NULL;
    *old = NULL;
    if (!serves) set_state(registry, entry, REGISTRY_LOADING, "");
    const rn_status status = open_entry(registry, entry, &model, &error);
    if (status == RN_OK) {
        *old = replace(registry, entry, model);
        set_state(registry, entry, REGISTRY_READY, "");
    } else {
        LOG(LOG_WARNING, "load", LOG_TEXT("name", entry->name), LOG_TEXT("error", error.text));
        snprintf(reason, REGISTRY_REASON_SIZE, "%s", error.text);
        hide_path(entry, reason);
        set_state(registry, entry, serves ? REGISTRY_READY : REGISTRY_UNAVAILABLE, reason);
    }
    metrics_load(registry->metrics, status == RN_OK);
    return status;
}

rn_status registry_load(struct registry *registry, const char *name, struct model **old,
                        char reason[REGISTRY_REASON_SIZE])
{
    pthread_mutex_lock(&registry->changes);
    const rn_status status = load(registry, find(registry, name), old, reason);
    pthread_mutex_unlock(&registry->changes);
    return status;
}

void registry_reload(struct registry *registry, const atomic_bool *stop)
{
    size_t loaded = 0, failed = 0;
    for (size_t i = 0; i < registry->entries && !atomic_load(stop); i++) {
        struct entry *entry = &registry->entry[i];
        struct model *old = NULL;
        char reason[REGISTRY_REASON_SIZE];
        pthread_mutex_lock(&registry->changes);
        const bool serves = entry->model; /* else unloaded, and not asked for */
        const bool good = serves && load(registry, entry, &old, reason) == RN_OK;
        loaded += good;
        failed += serves && !good;
        pthread_mutex_unlock(&registry->changes);
        model_drain(old);
    }
    LOG(failed ? LOG_WARNING : LOG_INFO, "reload", LOG_NUMBER("loaded", loaded),
        LOG_NUMBER("failed", failed));
}

void registry_unload(struct registry *registry, const char *name)
{
    struct entry *entry = find(registry, name);
    pthread_mutex_lock(&registry->changes);
    set_state(registry, entry, REGISTRY_UNLOADING, "");
    model_drain(replace(registry, entry, NULL));
    set_state(registry, entry, REGISTRY_UNAVAILABLE, "unloaded");
    pthread_mutex_unlock(&registry->changes);
    LOG(LOG_INFO, "unload", LOG_TEXT("name", name));
}
