/* The router: method and path -> a row of routes.def. No state: any thread. */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include <stddef.h>

struct handler;
struct target;

#define ROUTE(method, template, function, ...) +1
enum {
    ROUTES = 0
#include "routes.def"
};
#undef ROUTE

enum route_effect { ROUTE_ASKS, ROUTE_CHANGES };

struct route {
    const char *method; /* "GET", "POST" or "POST_PUT" */
    const char *template;
    enum route_effect effect;
    const char *body, *answer, *summary; /* for the API document */
};

enum route_answer { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };

/* Finds the row for the target's path and fills its captures. ROUTE_NO_METHOD: *allow lists the
 * methods that the path has ("GET, HEAD"). *route is ROUTES unless a path matched. */
enum route_answer route_find(struct target *target, const char *method, size_t *route,
                             const char **allow);
const struct handler *route_handler(size_t route);
/* The template, as a name for metrics and logs; ROUTES: "none". */
const char *route_name(size_t route);

/* The row; route < ROUTES. */
const struct route *route_at(size_t route);

#endif
