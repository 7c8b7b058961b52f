/* What the daemon says about itself and its models, and how it refuses to start. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/fixture.h"

#include "check_main.h"

static void start(void)
{
    DAEMON_START(&server, "--model", "deploy/models/fashion-reslayer", "--model",
                 "other=deploy/models/fashion-resnet/model.safetensors", "--model",
                 "third=fashion-reslayer", "--input-size", "28");
}

START_TEST(metadata)
{
    expect_get("/v2/models", 200, "{\"models\":[\"fashion-reslayer\",\"other\",\"third\"]}\n");
    expect_get("/v2/models/other", 200,
               "{\"name\":\"other\",\"versions\":[\"1\"],\"platform\":\"resnetd\",\"inputs\":[{"
               "\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[-1,1,28,28]}],\"outputs\":[{"
               "\"name\":\"output\",\"datatype\":\"FP32\",\"shape\":[-1,10]}]}\n");
    expect_get("/v2/models/third/versions/1/ready", 200, "{\"name\":\"third\",\"ready\":true}\n");
    static const char *const live[] = {"/v2/health/live", "/livez"};
    static const char *const ready[] = {"/v2/health/ready", "/readyz", "/healthz"};
    for (size_t i = 0; i < 2; i++) expect_get(live[i], 200, "{\"live\":true}\n");
    for (size_t i = 0; i < 3; i++) expect_get(ready[i], 200, "{\"ready\":true}\n");
    struct response response = client_get(server.port, "/v2/");
    ck_assert_ptr_nonnull(strstr(response.body, "\"name\":\"resnetd\""));
    response_free(&response);
}
END_TEST

/* Each model's example is a body that its model answers. */
START_TEST(examples_are_answered)
{
    static const char *const name[] = {"fashion-reslayer", "other", "third"};
    for (size_t i = 0; i < 3; i++) {
        char target[64];
        snprintf(target, sizeof target, "/v2/models/%s/example", name[i]);
        struct response example = client_get(server.port, target);
        ck_assert_int_eq(example.status, 200);
        snprintf(target, sizeof target, "/infer?model=%s&top_k=1", name[i]);
        struct response response = client_post_json(server.port, target, example.body);
        ck_assert_msg(response.status == 200, "%s", response.body);
        json_t *root = json_loads(response.body, 0, NULL);
        ck_assert_str_eq(json_string_value(json_object_get(root, "model")), name[i]);
        json_decref(root);
        response_free(&response);
        response_free(&example);
    }
}
END_TEST

START_TEST(the_page)
{
    struct response response = client_get(server.port, "/");
    char type[64] = "";
    ck_assert_int_eq(response.status, 200);
    ck_assert(response_header(&response, "Content-Type", type, sizeof type));
    ck_assert_str_eq(type, "text/html; charset=utf-8");
    ck_assert_ptr_nonnull(strstr(response.body, "http://test/v2/models/other/example"));
    response_free(&response);
    const int fd = client_open(server.port);
    static const char request[] = "GET / HTTP/1.1\r\nHost: <script>\r\n\r\n";
    client_send(fd, request, sizeof request - 1);
    response = client_receive(fd);
    ck_assert_ptr_null(strstr(response.body, "<script>"));
    response_free(&response);
    close(fd);
}
END_TEST

START_TEST(head_is_get_without_a_body)
{
    static const char request[] =
        "HEAD /v2/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char text[1024] = "";
    size_t size = 0;
    const int fd = client_open(server.port);
    client_send(fd, request, sizeof request - 1);
    for (ssize_t n; (n = read(fd, text + size, sizeof text - 1 - size)) > 0;) size += (size_t)n;
    close(fd);
    ck_assert_int_eq(strncmp(text, "HTTP/1.1 200 OK\r\n", 17), 0);
    ck_assert_str_eq(text + size - 4, "\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(text, "Content-Length: "));
}
END_TEST

/* promtool judges the metrics where it is installed; the rules it knows are otherwise those of the
 * unit test. */
START_TEST(metrics_are_clean)
{
    struct response response = client_get(server.port, "/metrics");
    char type[64] = "";
    ck_assert_int_eq(response.status, 200);
    ck_assert(response_header(&response, "Content-Type", type, sizeof type));
    ck_assert_str_eq(type, "text/plain; version=0.0.4; charset=utf-8");
    ck_assert_ptr_nonnull(strstr(response.body, "\nresnetd_ready 1\n"));
    ck_assert_ptr_nonnull(strstr(response.body, "resnetd_model_info{model=\"other\",digest=\""));
    FILE *promtool =
        popen("command -v promtool >/dev/null && promtool check metrics || cat >/dev/null", "w");
    ck_assert_ptr_nonnull(promtool);
    fwrite(response.body, 1, response.size, promtool);
    ck_assert_int_eq(pclose(promtool), 0);
    response_free(&response);
}
END_TEST

/* The other names, where they are wanted; they count what the statistics extension counts. */
START_TEST(metrics_by_other_names)
{
    static const float images[2 * 784];
    struct response answer = client_get(server.port, "/metrics");
    ck_assert_ptr_null(strstr(answer.body, "nv_inference"));
    response_free(&answer);
    DAEMON_START(&server, "--model", "fashion-resnet", "--nv-metrics", "on");
#define LABELS "{model=\"fashion-resnet\",version=\"1\"}"
    answer = client_ask(server.port, "POST", "/infer", "Content-Type: application/octet-stream\r\n",
                        images, sizeof images);
    ck_assert_int_eq(answer.status, 200);
    response_free(&answer);
    answer = client_post_json(server.port, "/infer", "{\"input\":[1]}");
    ck_assert_int_eq(answer.status, 400);
    response_free(&answer);
    await_metric("nv_inference_request_success" LABELS, 1);
    await_metric("nv_inference_request_failure" LABELS, 1);
    await_metric("nv_inference_count" LABELS, 2);
    await_metric("nv_inference_exec_count" LABELS, 1);
    const double whole = metric("nv_inference_request_duration_us" LABELS);
    const double part = metric("nv_inference_compute_infer_duration_us" LABELS);
    ck_assert(part > 0 && part <= whole);
    server_stop();
}
END_TEST

START_TEST(requests_are_counted_and_logged)
{
    struct response response =
        client_ask(server.port, "GET", "/livez", "X-Request-Id: look-for-me\r\n", "", 0);
    response_free(&response);
    char *log = await_log("id=look-for-me ", 1);
    const char *line = strstr(log, "id=look-for-me ");
    ck_assert_int_eq(
        strncmp(line, "id=look-for-me method=GET path=/livez status=200 received=0 ", 60), 0);
    free(log);
    ck_assert(metric("resnetd_http_requests_total{route=\"/livez\",code=\"200\"}") >= 1);
}
END_TEST

/* A folder with a file in it of this text; both stay until the test's end. */
static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/resnetd-models-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void drop_folder(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    unlink(path);
    rmdir(folder);
}

static void put_model(const void *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fwrite(bytes, 1, size, file);
    fclose(file);
}

static void expect_exit(int code, const char *text, const char *const *options)
{
    char got[4096];
    ck_assert_msg(daemon_run(options, got, sizeof got) == code, "%s", got);
    ck_assert_msg(strstr(got, text) != NULL, "no '%s' in: %s", text, got);
}
#define EXPECT_EXIT(code, text, ...) \
    expect_exit(code, text, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(bad_starts_have_their_exit_codes)
{
    char port[16];
    snprintf(port, sizeof port, "%u", server.port);
    EXPECT_EXIT(64, "resnetd: no option --nope (see --help)", "--nope");
    EXPECT_EXIT(64, "resnetd: --port: 'x' is not a whole number", "serve", "--port", "x");
    EXPECT_EXIT(64, "use NAME=PATH", "--model", "bad name=/x", "--port", "0");
    EXPECT_EXIT(64, "two models named fashion-resnet", "--model", "fashion-resnet", "--model",
                "fashion-resnet", "--port", "0");
    EXPECT_EXIT(64, "--input-size: '0' is not N or HxW", "--input-size", "0", "--model",
                "deploy/models/fashion-resnet", "--port", "0");
    EXPECT_EXIT(66, "resnetd: nope: ", "--model", "nope=/nonexistent/model", "--port", "0");
    EXPECT_EXIT(66, "--config: /nonexistent: No such file", "--config", "/nonexistent");
    EXPECT_EXIT(69, "Address already in use", "--port", port);
    EXPECT_EXIT(0, "usage: resnetd", "--help");
    EXPECT_EXIT(0, "resnetd 0.", "--version");
    EXPECT_EXIT(0, "max-batch = 16\n", "--print-config");
    EXPECT_EXIT(0, "name=fashion-resnet", "--check");
}
END_TEST

START_TEST(a_model_that_cannot_be_served_names_its_tensor)
{
    char path[128], option[160];
    static const char header[] =
        "{\"stray.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    unsigned char bytes[8 + sizeof header - 1 + 4] = {sizeof header - 1};
    memcpy(bytes + 8, header, sizeof header - 1);
    put_model(bytes, sizeof bytes);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    snprintf(option, sizeof option, "m=%s", path);
    EXPECT_EXIT(65, "resnetd: m: ", "--model", option, "--port", "0");
    put_model("not safetensors at all", 22);
    EXPECT_EXIT(65, "resnetd: m: ", "--model", option, "--port", "0");
}
END_TEST

/* A config.json is a stranger's: what it says is text, in HTML too. */
START_TEST(a_name_of_a_config_is_text)
{
    char path[128], option[160];
    size_t size;
    char *weights = read_file("deploy/models/fashion-resnet/model.safetensors", &size);
    put_model(weights, size);
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *config = fopen(path, "w");
    ck_assert_ptr_nonnull(config);
    fputs("{\"model_type\":\"resnet\",\"input\":{\"shape\":[1,28,28]},"
          "\"architecture\":\"<b>&\\\"\"}",
          config);
    fclose(config);
    snprintf(option, sizeof option, "m=%s", folder);
    DAEMON_START(&server, "--model", option);
    struct response response = client_get(server.port, "/");
    ck_assert_ptr_null(strstr(response.body, "<b>"));
    ck_assert_ptr_nonnull(strstr(response.body, "&lt;b&gt;&amp;&quot;"));
    response_free(&response);
    server_stop();
    unlink(path);
    free(weights);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("models");
    TCase *tests = tcase_create("one daemon"), *starts = tcase_create("starts");
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, starts);
    tcase_set_timeout(tests, 120);
    tcase_set_timeout(starts, 120);
    tcase_add_unchecked_fixture(tests, start, server_stop);
    tcase_add_test(tests, metadata);
    tcase_add_test(tests, examples_are_answered);
    tcase_add_test(tests, the_page);
    tcase_add_test(tests, head_is_get_without_a_body);
    tcase_add_test(tests, metrics_are_clean);
    tcase_add_test(tests, metrics_by_other_names);
    tcase_add_test(tests, requests_are_counted_and_logged);
    tcase_add_test(tests, bad_starts_have_their_exit_codes);
    tcase_add_checked_fixture(starts, make_folder, drop_folder);
    tcase_add_test(starts, a_model_that_cannot_be_served_names_its_tensor);
    tcase_add_test(starts, a_name_of_a_config_is_text);
    return run_suite(suite);
}
