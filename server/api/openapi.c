/* GET /openapi.json: the API document. The paths are made of the routes' table, so that none can be
 * missing; what they refer to is openapi.json beside this file, compiled into the binary. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "resnet.h"
#include "route.h"

extern const char api_components[]; /* builtin.S puts a NUL behind it */

static void append_reference(struct buffer *text, const char *kind, const char *name)
{
    buffer_format(text, "{\"$ref\":\"#/components/%s/%s\"}", kind, name);
}

/* "get_v2_models_model": the method and the letters of the template. */
static void append_id(struct buffer *text, const char *method, const char *template)
{
    bool gap = true;
    buffer_format(text, "\"operationId\":\"%s", method);
    for (const char *c = template; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_') {
            gap = true;
            continue;
        }
        buffer_format(text, gap ? "_%c" : "%c", *c);
        gap = false;
    }
    buffer_text(text, "\"");
}

/* What the template captures, and what the query of those who compute may have. */
static void append_parameters(struct buffer *text, const struct route *route)
{
    static const char *const query[] = {"query_model", "query_top_k", "query_timeout_ms",
                                        "query_priority"};
    const bool computes = *route->body && !strstr(route->template, "/repository/");
    const bool labels = strcmp(route->answer, "labels") == 0; /* as many as top_k says */
    const char *comma = "";
    char name[TARGET_CAPTURE_SIZE];
    buffer_text(text, ",\"parameters\":[");
    for (const char *at = route->template; (at = strchr(at, '{')); comma = ",") {
        at++;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "}"), at);
        buffer_text(text, comma);
        append_reference(text, "parameters", name);
    }
    for (size_t i = *comma ? 2 - labels : 0; computes && i < 4; i++) {
        buffer_text(text, comma);
        append_reference(text, "parameters", query[i]);
        comma = ",";
    }
    buffer_text(text, "]");
}

static void append_operation(struct buffer *text, const struct route *route, const char *method)
{
    buffer_format(text, "\"%s\":{\"summary\":", method);
    buffer_json_string(text, route->summary);
    buffer_text(text, ",");
    append_id(text, method, route->template);
    append_parameters(text, route);
    if (*route->body) {
        buffer_text(text, ",\"requestBody\":");
        append_reference(text, "requestBodies", route->body);
    }
    buffer_text(text, ",\"responses\":{\"200\":");
    append_reference(text, "responses", route->answer);
    buffer_text(text, ",\"default\":");
    append_reference(text, "responses", "error");
    buffer_text(text, "}}");
}

static void document(struct request *request)
{
    struct buffer *text = api_begin_json(request);
    request->reply.compressible = true;
    buffer_text(text,
                "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"resnetd\",\"version\":\"" RN_VERSION
                "\",\"description\":\"Residual networks behind HTTP\"},\"paths\":{");
    for (size_t i = 0; i < ROUTES; i++) {
        const struct route *route = route_at(i);
        const bool put = !strcmp(route->method, "POST_PUT");
        buffer_format(text, i ? ",\"%s\":{" : "\"%s\":{", route->template);
        append_operation(text, route, strcmp(route->method, "GET") ? "post" : "get");
        if (put) {
            buffer_text(text, ",");
            append_operation(text, route, "put");
        }
        buffer_text(text, "}");
    }
    buffer_text(text, "},\"components\":");
    buffer_text(text, api_components);
    buffer_text(text, "}\n");
}

const struct handler api_openapi = {.end = document};
