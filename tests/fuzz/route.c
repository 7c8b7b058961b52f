/* Any bytes as a method and a request target: refused with a reason, or one spelling of a path that
 * reads back as itself and finds one row or none. */
#include "route.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

/* No segment is empty or a dot segment, and nothing is left that a file system or a log takes for
 * more than text. */
static void check_path(const char *path)
{
    must(path[0] == '/' && strstr(path, "//") == NULL && strchr(path, '\\') == NULL);
    for (const char *at = path; *at; at++) must((unsigned char)*at >= 0x20 && *at != 0x7f);
    for (const char *at = path; at; at = strchr(at + 1, '/')) {
        const size_t length = strcspn(at + 1, "/");
        must(!(length == 1 && at[1] == '.') && !(length == 2 && at[1] == '.' && at[2] == '.'));
    }
}

static void check_route(struct target *target, const char *method)
{
    size_t route = ROUTES;
    const char *allow = NULL;
    const enum route_answer answer = route_find(target, method, &route, &allow);
    must(route <= ROUTES && (route == ROUTES) == (answer == ROUTE_NO_PATH));
    must(answer != ROUTE_NO_METHOD || (allow && *allow));
    must(answer != ROUTE_FOUND || route_handler(route));
    must(*route_name(route) && target->captures <= TARGET_CAPTURES);
    for (size_t i = 0; i < target->captures; i++)
        must(strchr(target->capture[i].name, '}') && *target->capture[i].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "get", "", "X"};
    if (size < 1) return 0;
    char *raw = malloc(size);
    if (!raw) abort();
    memcpy(raw, bytes + 1, size - 1);
    raw[size - 1] = '\0';
    struct target target;
    const char *error = NULL;
    if (target_parse(&target, raw, &error)) {
        check_path(target.path);
        must(target.queries <= TARGET_PARAMETERS);
        for (size_t i = 0; i < target.queries; i++)
            must(target_query(&target, target.query[i].name) == target.query[i].value);
        check_route(&target, methods[bytes[0] % 8]);
    } else {
        must(error && *error);
    }
    target_free(&target);
    free(raw);
    return 0;
}
