/* The router; see route.h. */
#include "route.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "request.h"
#include "target.h"

static const struct row {
    struct route route;
    const struct handler *handler;
} table[] = {
#define ROUTE(method, template, function, effect, body, answer, summary) \
    {{#method, template, ROUTE_##effect, body, answer, summary}, &api_##function},
#include "routes.def"
#undef ROUTE
};

/* Walks the template beside the path, which a {name} takes one segment of, or its part in front of
 * a colon. */
static bool match(const char *pattern, struct target *target)
{
    const char *path = target->path;
    target->captures = 0;
    while (*pattern && *path) {
        if (*pattern != '{') {
            if (*pattern++ != *path++) return false;
            continue;
        }
        const char *behind = pattern + strcspn(pattern, "}") + 1;
        const size_t length = strcspn(path, "/:"); // no name has a colon
        if (!length || target->captures == TARGET_CAPTURES) return false;
        struct target_capture *capture = &target->capture[target->captures++];
        capture->name = pattern + 1;
        snprintf(capture->value, sizeof capture->value, "%.*s", (int)length, path);
        pattern = behind;
        path += length;
    }
    return !*pattern && !*path;
}

static bool method_fits(const struct row *row, const char *method)
{
    if (!strcmp(row->route.method, "GET")) return !strcmp(method, "GET") || !strcmp(method, "HEAD");
    if (!strcmp(row->route.method, "POST_PUT"))
        return !strcmp(method, "POST") || !strcmp(method, "PUT");
    return !strcmp(row->route.method, method);
}

static const char *allowed(const struct row *row)
{
    if (!strcmp(row->route.method, "GET")) return "GET, HEAD";
    return !strcmp(row->route.method, "POST_PUT") ? "POST, PUT" : row->route.method;
}

enum route_answer route_find(struct target *target, const char *method, size_t *route,
                             const char **allow)
{
    enum route_answer answer = ROUTE_NO_PATH;
    *route = ROUTES;
    for (size_t i = 0; i < ROUTES; i++) {
        if (!match(table[i].route.template, target)) continue;
        *route = i;
        if (method_fits(&table[i], method)) return ROUTE_FOUND;
        *allow = allowed(&table[i]);
        answer = ROUTE_NO_METHOD;
    }
    return answer;
}

const struct handler *route_handler(size_t route)
{
    return table[route].handler;
}

const char *route_name(size_t route)
{
    return route < ROUTES ? table[route].route.template : "none";
}

const struct route *route_at(size_t route)
{
    return &table[route].route;
}
