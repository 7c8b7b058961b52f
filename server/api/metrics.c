/* GET /metrics: everything counted, for Prometheus. */
#include "api.h"
#include "metrics.h"
#include "server.h"

static void render(struct request *request)
{
    request->reply.status = 200;
    request->reply.compressible = true;
    request->reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_render(request->server->metrics, &request->reply.body);
}

const struct handler api_metrics = {.end = render};
