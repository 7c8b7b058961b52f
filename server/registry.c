/* Models by name; see registry.h. */
#include "registry.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "builtin.h"
#include "log.h"
#include "options.h"

struct registry {
    pthread_rwlock_t lock;
    struct model **model;
    size_t models;
};

/* "name=path" or "path", whose last part then gives the name: without its ending, and for
 * "folder/model.safetensors" the folder's. */
static bool read_source(const char *text, char name[MODEL_NAME_SIZE], struct model_source *source,
                        rn_error *error)
{
    const char *equals = strchr(text, '=');
    *source = (struct model_source){.name = name, .path = text};
    if (equals && !memchr(text, '/', (size_t)(equals - text))) {
        snprintf(name, MODEL_NAME_SIZE, "%.*s", (int)(equals - text), text);
        source->path = equals + 1;
        if (equals - text < MODEL_NAME_SIZE && model_name_is_valid(name)) return true;
    } else {
        size_t end = strlen(text);
        while (end && text[end - 1] == '/') end--;
        size_t begin = end;
        while (begin && text[begin - 1] != '/') begin--;
        const char *dot = memrchr(text + begin, '.', end - begin);
        if (dot && dot > text + begin) end = (size_t)(dot - text);
        snprintf(name, MODEL_NAME_SIZE, "%.*s", (int)(end - begin), text + begin);
        if (end - begin < MODEL_NAME_SIZE && model_name_is_valid(name)) return true;
    }
    error->status = RN_ERR_ARGUMENT;
    snprintf(error->text, sizeof error->text,
             "--model %.100s: no valid name (letters, digits, '.', '_', '-'); use NAME=PATH", text);
    return false;
}

static struct model *find(const struct registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->models; i++)
        if (!strcmp(registry->model[i]->name, name)) return registry->model[i];
    return NULL;
}

static rn_status add(struct registry *registry, const struct model_source *source,
                     const struct options *options, struct metrics *metrics, rn_error *error)
{
    struct model *model;
    if (find(registry, source->name)) {
        error->status = RN_ERR_ARGUMENT;
        snprintf(error->text, sizeof error->text, "--model: two models named %s", source->name);
        return error->status;
    }
    if (model_open(&model, source, options, metrics, error)) {
        rn_error inner = *error;
        snprintf(error->text, sizeof error->text, "%s: %.170s", source->name, inner.text);
        return error->status;
    }
    registry->model[registry->models++] = model;
    LOG(LOG_INFO, "model", LOG_TEXT("name", model->name), LOG_TEXT("arch", model->info->arch),
        LOG_TEXT("format", model->info->format), LOG_TEXT("isa", model->info->isa),
        LOG_TEXT("digest", model->digest), LOG_NUMBER("parameters", model->info->parameters));
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
                         const struct options *options, struct metrics *metrics, rn_error *error)
{
    for (size_t i = 0; i < paths->count; i++) {
        struct model_source source;
        struct builtin builtin;
        char name[MODEL_NAME_SIZE];
        if (!read_source(paths->item[i], name, &source, error)) return error->status;
        if (access(source.path, F_OK) && builtin_find(source.path, &builtin))
            source.builtin = &builtin;
        if (add(registry, &source, options, metrics, error)) return error->status;
    }
    struct builtin builtin;
    for (size_t i = 0; !paths->count && builtin_at(i, &builtin); i++) {
        const struct model_source source = {.name = builtin.name, .builtin = &builtin};
        if (add(registry, &source, options, metrics, error)) return error->status;
    }
    return RN_OK;
}

static int exit_code_of(rn_status status)
{
    switch (status) {
    case RN_ERR_ARGUMENT:
    case RN_ERR_CPU: return EX_USAGE;
    case RN_ERR_IO: return EX_NOINPUT;
    default: return EX_DATAERR;
    }
}

struct registry *registry_open(const struct options *options, struct metrics *metrics,
                               rn_error *error, int *exit_code)
{
    const char *fallback;
    const struct option_list paths = wanted(options, &fallback);
    const size_t models = paths.count ? paths.count : builtin_count;
    struct registry *registry = calloc(1, sizeof *registry);
    if (registry) registry->model = calloc(models, sizeof(struct model *));
    if (registry) pthread_rwlock_init(&registry->lock, NULL);
    error->status = RN_ERR_MEMORY;
    snprintf(error->text, sizeof error->text, "no memory for the models");
    if (registry && registry->model && !add_all(registry, &paths, options, metrics, error))
        return registry;
    *exit_code = exit_code_of(error->status);
    registry_close(registry);
    return NULL;
}

void registry_close(struct registry *registry)
{
    if (!registry) return;
    for (size_t i = 0; registry->model && i < registry->models; i++)
        model_release(registry->model[i]);
    free(registry->model);
    pthread_rwlock_destroy(&registry->lock);
    free(registry);
}

struct model *registry_get(struct registry *registry, const char *name)
{
    pthread_rwlock_rdlock(&registry->lock);
    struct model *model = name && *name ? find(registry, name) : registry->model[0];
    if (model) model_retain(model);
    pthread_rwlock_unlock(&registry->lock);
    return model;
}

struct model *registry_at(struct registry *registry, size_t i)
{
    pthread_rwlock_rdlock(&registry->lock);
    struct model *model = i < registry->models ? model_retain(registry->model[i]) : NULL;
    pthread_rwlock_unlock(&registry->lock);
    return model;
}
