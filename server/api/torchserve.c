/* TorchServe's health check. Its predictions are in infer_head.c, with everything that computes. */
#include "api.h"
#include "server.h"

static void ping(struct request *request)
{
    const bool ready = atomic_load(&request->server->state) == SERVER_READY;
    struct buffer *text = api_begin_json(request);
    buffer_text(text, ready ? "{\"status\":\"Healthy\"}\n"
                            : "{\"status\":\"Unhealthy\",\"error\":\"the server is stopping\"}\n");
    if (ready) return;
    request->reply.status = 503;
    request->reply.retry_after = 1;
}

const struct handler api_torchserve_ping = {.end = ping};
