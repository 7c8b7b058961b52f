/* TorchServe's health check. Its predictions are in infer_head.c, with everything that computes. */
#include "api.h"

static void ping(struct request *request)
{
    const char *why = api_not_ready(request);
    struct buffer *text = api_begin_json(request);
    buffer_text(text,
                why ? "{\"status\":\"Unhealthy\",\"error\":\"" : "{\"status\":\"Healthy\"}\n");
    if (!why) return;
    buffer_format(text, "%s\"}\n", why);
    request->reply.status = 503;
}

const struct handler api_torchserve_ping = {.end = ping};
