/* GET /metrics: everything counted, for Prometheus. */
#include "metrics.h"

#include <stddef.h>
#include <string.h>

#include "api.h"
#include "model.h"
#include "options.h"
#include "registry.h"
#include "server.h"
#include "statistics.h"

static const struct {
    const char *name, *help;
    size_t offset;
    uint64_t divisor;
} nv_metrics[] = {
#define NV_METRIC(name, field, divisor, help) \
    {name, help, offsetof(struct statistics, field), divisor},
#include "nv_metrics.def"
#undef NV_METRIC
};

/* One sample for each model that is served. */
static void render_nv_row(struct registry *registry, struct buffer *text, size_t row)
{
    const char *name = nv_metrics[row].name;
    struct model *model;
    buffer_format(text, "# HELP %s %s.\n# TYPE %s counter\n", name, nv_metrics[row].help, name);
    for (size_t i = 0; (model = registry_at(registry, i)); i++) {
        const char *at = (const char *)model->statistics + nv_metrics[row].offset;
        const uint64_t value = atomic_load((const _Atomic uint64_t *)(const void *)at);
        buffer_format(text, "%s{model=\"%s\",version=\"" MODEL_VERSION "\"} %llu\n", name,
                      model->name, (unsigned long long)(value / nv_metrics[row].divisor));
        model_release(model);
    }
}

static void render(struct request *request)
{
    const struct server *server = request->server;
    request->reply.status = 200;
    request->reply.compressible = true;
    request->reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_render(server->metrics, &request->reply.body);
    if (strcmp(server->options->nv_metrics, "on") != 0) return;
    for (size_t row = 0; row < sizeof nv_metrics / sizeof *nv_metrics; row++)
        render_nv_row(server->registry, &request->reply.body, row);
}

const struct handler api_metrics = {.end = render};
