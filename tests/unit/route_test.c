/* Targets and routes: one spelling of each path, every other one refused or not found. */
#include "route.h"

#include <string.h>

#include "origin.h"
#include "target.h"

#include "check_main.h"

static struct target target;
static const char *error;

START_TEST(paths_are_read_once)
{
    static const struct {
        const char *raw, *path;
    } cases[] = {
        {"/", "/"},
        {"/v2/", "/v2"},
        {"/v2/models/a%2Db", "/v2/models/a-b"},
        {"/a%20b", "/a b"},
        {"/a%2525", "/a%25"}, /* decoded once */
        {"/a+b", "/a+b"},
        {"http://host:80/infer?x=1", "/infer"},
        {"HTTP://host/infer", "/infer"},
        {"http://host", "/"},
        {"https://host?x=1", "/"},
        {"/infer?", "/infer"},
        {"/%C3%A9", "/\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(target_parse(&target, cases[i].raw, &error), "%s", cases[i].raw);
        ck_assert_str_eq(target.path, cases[i].path);
        target_free(&target);
    }
}
END_TEST

START_TEST(doubtful_targets_are_refused)
{
    static const struct {
        const char *raw, *reason;
    } cases[] = {
        {"//infer", "empty segment"},
        {"/infer//", "empty segment"},
        {"/v2//models", "empty segment"},
        {"/./infer", "dot segment"},
        {"/x/../infer", "dot segment"},
        {"/x/%2e%2e/infer", "dot segment"},
        {"/x/%2E./infer", "dot segment"},
        {"/v2%2Fmodels", "escaped slash or backslash"},
        {"/v2%5cmodels", "escaped slash or backslash"},
        {"/v2\\models", "escaped slash or backslash"},
        {"/infer%00", "control character"},
        {"/infer%0d%0aX: y", "control character"},
        {"/infer%7f", "control character"},
        {"/infer%", "broken % escape"},
        {"/infer%4", "broken % escape"},
        {"/infer%zz", "broken % escape"},
        {"/infer#x", "fragment"},
        {"infer", "does not begin with a slash"},
        {"*", "does not begin with a slash"},
        {"", "does not begin with a slash"},
        {"http:", "does not begin with a slash"},
        {"/infer?a=%0a", "control character"},
        {"/infer?a=1&a=2", "parameter given twice"},
        {"/infer?a=1&%61=2", "parameter given twice"},
        {"/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q", "too many parameters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(!target_parse(&target, cases[i].raw, &error), "%s", cases[i].raw);
        ck_assert_str_eq(error, cases[i].reason);
        target_free(&target);
    }
}
END_TEST

START_TEST(queries_are_decoded)
{
    ck_assert(target_parse(&target, "/infer?model=a%2Bb&top_k=5&note=x+y&flag&&empty=", &error));
    ck_assert_str_eq(target_query(&target, "model"), "a+b");
    ck_assert_str_eq(target_query(&target, "top_k"), "5");
    ck_assert_str_eq(target_query(&target, "note"), "x y");
    ck_assert_str_eq(target_query(&target, "flag"), "");
    ck_assert_str_eq(target_query(&target, "empty"), "");
    ck_assert_ptr_null(target_query(&target, "timeout_ms"));
    target_free(&target);
}
END_TEST

/* Finds the route of a target, which is freed again. */
static enum route_answer find(const char *method, const char *raw, const char **name,
                              const char **allow)
{
    size_t route;
    ck_assert(target_parse(&target, raw, &error));
    const enum route_answer answer = route_find(&target, method, &route, allow);
    *name = route_name(route);
    if (answer == ROUTE_FOUND) ck_assert_ptr_nonnull(route_handler(route));
    return answer;
}

START_TEST(routes_are_found)
{
    const char *name, *allow = NULL;
    ck_assert_int_eq(find("POST", "/infer", &name, &allow), ROUTE_FOUND);
    ck_assert_str_eq(name, "/infer");
    target_free(&target);
    ck_assert_int_eq(find("HEAD", "/v2/health/live", &name, &allow), ROUTE_FOUND);
    ck_assert_str_eq(name, "/v2/health/live");
    target_free(&target);
    ck_assert_int_eq(find("GET", "/v2/models/m.1/versions/7", &name, &allow), ROUTE_FOUND);
    ck_assert_str_eq(name, "/v2/models/{model}/versions/{version}");
    ck_assert_str_eq(target_capture(&target, "model"), "m.1");
    ck_assert_str_eq(target_capture(&target, "version"), "7");
    ck_assert_ptr_null(target_capture(&target, "mode"));
    target_free(&target);
}
END_TEST

START_TEST(a_wrong_method_gets_the_right_ones)
{
    const char *name, *allow = NULL;
    ck_assert_int_eq(find("GET", "/infer", &name, &allow), ROUTE_NO_METHOD);
    ck_assert_str_eq(allow, "POST, PUT");
    ck_assert_str_eq(name, "/infer");
    target_free(&target);
    ck_assert_int_eq(find("DELETE", "/metrics", &name, &allow), ROUTE_NO_METHOD);
    ck_assert_str_eq(allow, "GET, HEAD");
    target_free(&target);
}
END_TEST

START_TEST(other_paths_are_not_found)
{
    static const char *const raw[] = {"/infe",
                                      "/inferx",
                                      "/infer/x",
                                      "/v2/model",
                                      "/v2/models/a/b",
                                      "/INFER",
                                      "/v2/models/a/versions",
                                      "/metrics/x"};
    const char *name, *allow = NULL;
    for (size_t i = 0; i < sizeof raw / sizeof *raw; i++) {
        ck_assert_msg(find("GET", raw[i], &name, &allow) == ROUTE_NO_PATH, "%s", raw[i]);
        ck_assert_str_eq(name, "none");
        target_free(&target);
    }
}
END_TEST

START_TEST(a_long_capture_is_cut)
{
    char raw[600] = "/v2/models/";
    const char *name, *allow = NULL;
    memset(raw + strlen(raw), 'a', 500);
    ck_assert_int_eq(find("GET", raw, &name, &allow), ROUTE_FOUND);
    ck_assert_uint_eq(strlen(target_capture(&target, "model")), TARGET_CAPTURE_SIZE - 1);
    target_free(&target);
}
END_TEST

/* Every route that does something to the models, and no other. */
START_TEST(what_changes_models_is_marked)
{
    size_t marked = 0;
    for (size_t i = 0; i < ROUTES; i++) {
        const char *path = route_name(i);
        const bool changes = strstr(path, "/load") || strstr(path, "/unload");
        ck_assert_msg((route_at(i)->effect == ROUTE_CHANGES) == changes, "%s", path);
        marked += changes;
    }
    ck_assert_uint_eq(marked, 2);
}
END_TEST

START_TEST(origins_that_are_foreign)
{
    static const struct {
        const char *site, *origin, *host;
        bool foreign;
    } cases[] = {
        {NULL, NULL, "h:8080", false}, /* curl, tritonclient */
        {NULL, NULL, NULL, false},
        {"same-origin", NULL, "h", false},
        {"same-origin", "http://h", "behind-a-proxy", false},
        {"none", NULL, "h", false},
        {"cross-site", NULL, "h", true},
        {"same-site", NULL, "h", true},
        {"same-site", "http://h", "h", true},
        {"cross-site", "http://h", "h", true},
        {"", NULL, "h", true},
        {"same-origin, cross-site", NULL, "h", true},
        {NULL, "http://h:8080", "h:8080", false},
        {NULL, "http://H:8080", "h:8080", false},
        {NULL, "http://h", "h:80", false},
        {NULL, "http://h:80", "h", false},
        {NULL, "https://h", "h", false},
        {NULL, "https://h", "h:443", false},
        {NULL, "http://[::1]:8080", "[::1]:8080", false},
        {NULL, "http://h:8080", "h:8081", true},
        {NULL, "http://h", "h:443", true},
        {NULL, "http://evil", "h", true},
        {NULL, "http://h.evil", "h", true},
        {NULL, "http://evil.h", "h", true},
        {NULL, "http://hh", "h", true},
        {NULL, "http://h@evil", "h", true},
        {NULL, "http://", "", true},
        {NULL, "http://h", NULL, true},
        {NULL, "null", "null", true}, /* a file, or a frame in a sandbox */
        {NULL, "", "", true},
        {NULL, "chrome-extension://h", "h", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(origin_is_foreign(cases[i].site, cases[i].origin, cases[i].host) ==
                          cases[i].foreign,
                      "case %zu", i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("route");
    TCase *tests = tcase_create("route");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, paths_are_read_once);
    tcase_add_test(tests, doubtful_targets_are_refused);
    tcase_add_test(tests, queries_are_decoded);
    tcase_add_test(tests, routes_are_found);
    tcase_add_test(tests, a_wrong_method_gets_the_right_ones);
    tcase_add_test(tests, other_paths_are_not_found);
    tcase_add_test(tests, a_long_capture_is_cut);
    tcase_add_test(tests, what_changes_models_is_marked);
    tcase_add_test(tests, origins_that_are_foreign);
    return run_suite(suite);
}
