/* Loading and unloading models by the repository extension and by SIGHUP, with requests on their
 * way. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "http/fixture.h"

#include "check_main.h"

#define REPOSITORY "/v2/repository/models"

static char folder[40], weights[80], config[80];

static void copy(const char *from, const char *to)
{
    char temporary[100], bytes[4096];
    snprintf(temporary, sizeof temporary, "%s.new", to);
    FILE *in = fopen(from, "rb"), *out = fopen(temporary, "wb");
    ck_assert(in && out);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
        ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
    fclose(in);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(rename(temporary, to), 0);
}

static void use(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "deploy/models/%s/model.safetensors", name);
    copy(path, weights);
    snprintf(path, sizeof path, "deploy/models/%s/config.json", name);
    copy(path, config);
}

static void start(void)
{
    char model[100];
    snprintf(folder, sizeof folder, "/tmp/repository-test-%d", (int)getpid());
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    snprintf(weights, sizeof weights, "%s/model.safetensors", folder);
    snprintf(config, sizeof config, "%s/config.json", folder);
    use("fashion-reslayer");
    snprintf(model, sizeof model, "m=%s", folder);
    DAEMON_START(&server, "--model", model, "--model", "other=fashion-resnet", "--model-control",
                 "explicit", "--http-threads", "4");
}

static void stop(void)
{
    const int code = daemon_stop(&server, SIGTERM);
    unlink(weights);
    unlink(config);
    rmdir(folder);
    ck_assert_int_eq(code, 0);
}

/* Asks, expects, and hands back the answer's body, to be freed. */
static char *expect(const char *target, const char *body, int status, const char *part)
{
    struct response answer = client_ask(server.port, "POST", target, "", body, strlen(body));
    ck_assert_msg(answer.status == status && strstr(answer.body, part), "%s: %d %s, want %d %s",
                  target, answer.status, answer.body, status, part);
    char *text = strdup(answer.body);
    response_free(&answer);
    return text;
}

static void check(const char *target, const char *body, int status, const char *part)
{
    free(expect(target, body, status, part));
}

static void expect_index(const char *text)
{
    char *body = expect("/v2/repository/index", "", 200, "");
    ck_assert_str_eq(body, text);
    free(body);
}

static void digest_of(const char *model, char digest[40])
{
    char target[64];
    snprintf(target, sizeof target, "/v2/models/%s/example", model);
    struct response example = client_get(server.port, target);
    snprintf(target, sizeof target, "/infer?model=%s", model);
    struct response answer = client_post_json(server.port, target, example.body);
    ck_assert_msg(answer.status == 200, "%s", answer.body);
    ck_assert(response_header(&answer, "X-Model-Digest", digest, 40));
    response_free(&answer);
    response_free(&example);
}

/* ---- requests while models come and go ------------------------------------------------------- */

struct crowd {
    atomic_bool stop;
    atomic_size_t answers, missing, wrong;
};

static void *ask_on(void *argument)
{
    struct crowd *crowd = argument;
    static float image[784];
    const int fd = client_open(server.port);
    while (!atomic_load(&crowd->stop)) {
        client_send_request(fd, "POST", "/infer?model=m",
                            "Content-Type: application/octet-stream\r\n", image, sizeof image);
        struct response answer = client_receive(fd);
        atomic_fetch_add(answer.status == 200   ? &crowd->answers
                         : answer.status == 404 ? &crowd->missing
                                                : &crowd->wrong,
                         1);
        response_free(&answer);
    }
    close(fd);
    return NULL;
}

enum { ASKERS = 3 };

static void crowd_start(struct crowd *crowd, pthread_t thread[ASKERS])
{
    for (size_t i = 0; i < ASKERS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, ask_on, crowd), 0);
    while (atomic_load(&crowd->answers) + atomic_load(&crowd->wrong) < 20) clock_sleep(NS_PER_MS);
}

static void crowd_stop(struct crowd *crowd, pthread_t thread[ASKERS])
{
    atomic_store(&crowd->stop, true);
    for (size_t i = 0; i < ASKERS; i++) pthread_join(thread[i], NULL);
    ck_assert_uint_eq(atomic_load(&crowd->wrong), 0);
}

START_TEST(reload_loses_nothing)
{
    struct crowd crowd = {0};
    pthread_t thread[ASKERS];
    char first[40], second[40], third[40], other[40];
    digest_of("m", first);
    digest_of("other", other);
    ck_assert_str_ne(first, other);
    crowd_start(&crowd, thread);
    use("fashion-resnet");
    for (size_t i = 0; i < 5; i++)
        check(REPOSITORY "/m/load", "{}", 200,
              "{\"name\":\"m\",\"version\":\"1\",\"state\":\"READY\"");
    digest_of("m", second);
    ck_assert_str_eq(second, other);
    use("fashion-reslayer");
    check(REPOSITORY "/m/load", "", 200, "READY");
    digest_of("m", third);
    ck_assert_str_eq(third, first);
    crowd_stop(&crowd, thread);
    ck_assert_uint_eq(atomic_load(&crowd.missing), 0);
}
END_TEST

/* ---- a file that is written to while it is loaded ---------------------------------------------
 */

/* Two files of one network: the second's last weights are others. */
struct version {
    uint8_t *bytes;
    size_t size;
    char digest[40];
    char *answer;
};

/* As `cp new old` does it: cut to nothing, then written piece by piece. */
static void write_version(const struct version *version)
{
    const int fd = open(weights, O_WRONLY | O_TRUNC);
    ck_assert_int_ge(fd, 0);
    for (size_t at = 0; at < version->size; at += 4096) {
        const size_t rest = version->size - at, size = rest < 4096 ? rest : 4096;
        ck_assert_int_eq(write(fd, version->bytes + at, size), size);
    }
    close(fd);
}

/* What the model answers to an image, and whose digest that has. */
static char *ask_model(char digest[40])
{
    static float image[784];
    for (size_t i = 0; i < 784; i++) image[i] = (float)(i % 7) / 7;
    struct response answer =
        client_ask(server.port, "POST", "/infer?model=m",
                   "Content-Type: application/octet-stream\r\n", image, sizeof image);
    ck_assert_msg(answer.status == 200, "%s", answer.body);
    ck_assert(response_header(&answer, "X-Model-Digest", digest, 40));
    char *output = strstr(answer.body, "\"output\"");
    ck_assert_ptr_nonnull(output);
    char *text = strdup(output);
    response_free(&answer);
    text[strcspn(text, "]")] = '\0';
    return text;
}

static void learn(struct version *version)
{
    write_version(version);
    check(REPOSITORY "/m/load", "{}", 200, "READY");
    version->answer = ask_model(version->digest);
}

static const struct version *served(const struct version version[2])
{
    char digest[40];
    char *answer = ask_model(digest);
    const struct version *which = strcmp(digest, version[0].digest) == 0 ? version : version + 1;
    ck_assert_str_eq(digest, which->digest);
    ck_assert_str_eq(answer, which->answer);
    free(answer);
    return which;
}

static void *write_versions(void *argument)
{
    const struct version *version = argument;
    for (size_t i = 0; i < 50; i++) write_version(&version[i % 2]);
    return NULL;
}

static uint8_t *read_weights(size_t *size)
{
    struct stat info;
    ck_assert_int_eq(stat(weights, &info), 0);
    uint8_t *bytes = malloc((size_t)info.st_size);
    FILE *file = fopen(weights, "rb");
    ck_assert(bytes && file);
    *size = fread(bytes, 1, (size_t)info.st_size, file);
    fclose(file);
    return bytes;
}

/* Each load serves one of the two whole, or says why it can't and leaves what was served. */
START_TEST(a_file_that_is_written_to_is_never_half_served)
{
    struct version version[2] = {0};
    pthread_t writer;
    for (size_t i = 0; i < 2; i++) version[i].bytes = read_weights(&version[i].size);
    memset(version[1].bytes + version[1].size - 40, 0, 40);
    for (size_t i = 0; i < 2; i++) learn(&version[i]);
    ck_assert_str_ne(version[0].answer, version[1].answer);
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(pthread_create(&writer, NULL, write_versions, version), 0);
        for (int i = 0; i < 10; i++) {
            const struct version *before = served(version);
            struct response answer =
                client_ask(server.port, "POST", REPOSITORY "/m/load", "", "{}", 2);
            if (answer.status != 200) ck_assert_ptr_eq(served(version), before);
            if (answer.status != 200) ck_assert_ptr_null(strstr(answer.body, folder));
            response_free(&answer);
        }
        pthread_join(writer, NULL);
    }
    check(REPOSITORY "/m/load", "{}", 200, "READY");
    ck_assert_ptr_eq(served(version), &version[1]); /* the last that was written */
    use("fashion-reslayer");
    check(REPOSITORY "/m/load", "{}", 200, "READY");
    for (size_t i = 0; i < 2; i++) {
        free(version[i].answer);
        free(version[i].bytes);
    }
}
END_TEST

START_TEST(sighup_reloads)
{
    struct crowd crowd = {0};
    pthread_t thread[ASKERS];
    char first[40], other[40], now[40];
    digest_of("m", first);
    digest_of("other", other);
    crowd_start(&crowd, thread);
    use("fashion-resnet");
    kill(server.pid, SIGHUP);
    free(await_log("event=reload loaded=2 failed=0", 1));
    digest_of("m", now);
    ck_assert_str_eq(now, other);
    ck_assert_int_eq(truncate(weights, 100), 0); /* the old one stays, and the log says why */
    kill(server.pid, SIGHUP);
    free(await_log("event=reload loaded=1 failed=1", 1));
    free(await_log("event=load name=m error=", 1));
    digest_of("m", now);
    ck_assert_str_eq(now, other);
    use("fashion-reslayer");
    for (int i = 0; i < 50; i++) kill(server.pid, SIGHUP);
    for (int i = 0; i < 6000 && strcmp(now, first) != 0; i++) digest_of("m", now);
    ck_assert_str_eq(now, first);
    crowd_stop(&crowd, thread);
    ck_assert_uint_eq(atomic_load(&crowd.missing), 0);
}
END_TEST

/* What was unloaded is not brought back. */
START_TEST(sighup_leaves_out_what_is_unloaded)
{
    check(REPOSITORY "/other/unload", "", 200, "UNAVAILABLE");
    free(await_log("event=unload name=other", 1));
    kill(server.pid, SIGHUP);
    free(await_log("event=reload loaded=1 failed=0", 1));
    check("/v2/repository/index", "", 200, "\"other\",\"version\":\"1\",\"state\":\"UNAVAILABLE\"");
    check(REPOSITORY "/other/load", "{}", 200, "READY");
}
END_TEST

START_TEST(sigterm_during_a_reload)
{
    struct daemon plain;
    DAEMON_START(&plain, "--model", "fashion-resnet");
    for (int i = 0; i < 20; i++) kill(plain.pid, SIGHUP);
    ck_assert_int_eq(daemon_stop(&plain, SIGTERM), 0);
}
END_TEST

START_TEST(unload_drains)
{
    struct crowd crowd = {0};
    pthread_t thread[ASKERS];
    crowd_start(&crowd, thread);
    for (size_t i = 0; i < 3; i++) {
        check(REPOSITORY "/m/unload", "{\"parameters\":{\"unload_dependents\":false}}", 200,
              "UNAVAILABLE");
        expect_index("[{\"name\":\"m\",\"version\":\"1\",\"state\":\"UNAVAILABLE\",\"reason\":"
                     "\"unloaded\"},{\"name\":\"other\",\"version\":\"1\",\"state\":\"READY\","
                     "\"reason\":\"\"}]\n");
        char *ready = expect("/v2/repository/index", "{\"ready\":true}", 200, "\"other\"");
        ck_assert_ptr_null(strstr(ready, "\"m\""));
        free(ready);
        struct response models = client_get(server.port, "/v2/models");
        ck_assert_str_eq(models.body, "{\"models\":[\"other\"]}\n");
        response_free(&models);
        struct response metadata = client_get(server.port, "/v2/models/m");
        ck_assert_int_eq(metadata.status, 404);
        response_free(&metadata);
        const size_t answers = atomic_load(&crowd.answers);
        check(REPOSITORY "/m/load", "{}", 200, "READY");
        ck_assert_uint_le(answers, atomic_load(&crowd.answers));
    }
    check(REPOSITORY "/m/unload", "", 200, "UNAVAILABLE");
    check(REPOSITORY "/m/unload", "", 200, "UNAVAILABLE"); // again: nothing happens
    check(REPOSITORY "/m/load", "{}", 200, "READY");
    crowd_stop(&crowd, thread);
    ck_assert_uint_gt(atomic_load(&crowd.missing), 0);
}
END_TEST

/* The old one goes on, and the reason names no path. */
START_TEST(a_bad_file_changes_nothing)
{
    char before[40], after[40];
    digest_of("m", before);
    ck_assert_int_eq(truncate(weights, 100), 0);
    char *answer = expect(REPOSITORY "/m/load", "{}", 400, "model m could not be loaded: ");
    ck_assert_msg(!strstr(answer, folder), "%s", answer);
    free(answer);
    digest_of("m", after);
    ck_assert_str_eq(before, after);
    char *index = expect("/v2/repository/index", "", 200, "\"name\":\"m\"");
    ck_assert_ptr_nonnull(strstr(index, "\"state\":\"READY\",\"reason\":\"m"));
    free(index);
    unlink(weights);
    answer = expect(REPOSITORY "/m/load", "{}", 400, "model m could not be loaded: ");
    ck_assert_msg(!strstr(answer, folder), "%s", answer);
    free(answer);
    use("fashion-reslayer");
    check(REPOSITORY "/m/load", "{}", 200, "READY");
    check("/v2/repository/index", "", 200, "\"state\":\"READY\",\"reason\":\"\"");
}
END_TEST

START_TEST(what_is_refused)
{
    check(REPOSITORY "/m/load", "{\"parameters\":{\"config\":\"{}\"}}", 400,
          "parameters.config: not allowed here");
    check(REPOSITORY "/m/load", "{\"parameters\":{\"file:1/model.pt\":\"AAAA\"}}", 400,
          "parameters.file:1/model.pt: not allowed here");
    check(REPOSITORY "/m/load", "{\"parameters\":3}", 400, "parameters: not an object");
    check(REPOSITORY "/m/load", "[]", 400, "body: not an object");
    check(REPOSITORY "/m/load", "{", 400, "body: ");
    expect_error(client_ask(server.port, "POST", REPOSITORY "/m/load", "Content-Encoding: gzip\r\n",
                            "{}", 2),
                 415, "Content-Encoding gzip: not for this path");
    check(REPOSITORY "/x/load", "{}", 404, "no model x in the repository");
    check(REPOSITORY "/..%2Fm/load", "{}", 400, "slash");
    check(REPOSITORY "/x/unload", "{}", 404, "no model x in the repository");
    char deep[200];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    check("/v2/repository/index", deep, 400, "body: more than 32 arrays and objects");
    char *large = calloc(1, 70000);
    memset(large, ' ', 69999);
    check(REPOSITORY "/m/load", large, 413, "more than 65536 bytes");
    free(large);
}
END_TEST

/* The next one is the default as long as the first is gone; and with none, 503. */
START_TEST(no_model_at_all)
{
    static const float image[784] = {0};
    const char *headers = "Content-Type: application/octet-stream\r\n";
    char seconds[16] = "";
    check(REPOSITORY "/m/unload", "", 200, "");
    struct response answer =
        client_ask(server.port, "POST", "/infer", headers, image, sizeof image);
    ck_assert_ptr_nonnull(strstr(answer.body, "{\"model\":\"other\""));
    response_free(&answer);
    check(REPOSITORY "/other/unload", "", 200, "");
    answer = client_ask(server.port, "POST", "/infer", headers, image, sizeof image);
    ck_assert_int_eq(answer.status, 503);
    ck_assert(response_header(&answer, "Retry-After", seconds, sizeof seconds));
    response_free(&answer);
    expect_get("/readyz", 503, "{\"ready\":false,\"error\":\"no model is loaded\"}\n");
    expect_get("/ping", 503, "{\"status\":\"Unhealthy\",\"error\":\"no model is loaded\"}\n");
    answer = client_get(server.port, "/");
    ck_assert_int_eq(answer.status, 200);
    response_free(&answer);
    check(REPOSITORY "/other/load", "", 200, "");
    check(REPOSITORY "/m/load", "", 200, "");
    expect_get("/readyz", 200, "{\"ready\":true}\n");
}
END_TEST

/* Counters go on over a reload, and there is one of each. */
START_TEST(metrics_stay_one_model)
{
    struct response metrics = client_get(server.port, "/metrics");
    size_t rows = 0;
    for (const char *at = metrics.body; (at = strstr(at, "\nresnetd_images_total{model=\"m\"}"));
         at++)
        rows++;
    ck_assert_uint_eq(rows, 1);
    ck_assert_ptr_nonnull(strstr(metrics.body, "resnetd_model_info{model=\"m\",digest=\""));
    response_free(&metrics);
}
END_TEST

static void post_from(const char *target, const char *headers, int status, const char *part)
{
    struct response answer = client_ask(server.port, "POST", target, headers, "", 0);
    ck_assert_msg(answer.status == status && strstr(answer.body, part), "%s%s: %d %s", headers,
                  target, answer.status, answer.body);
    response_free(&answer);
}

/* What Chromium and Firefox send with a post from a page of another origin, of another port of this
 * host, in a frame in a sandbox, and from the daemon's own page. The Host is "test". */
START_TEST(pages_of_another_origin)
{
    static const char *const foreign[] = {
        "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
        "Origin: http://test:18300\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\n",
        "Origin: null\r\nSec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n",
        "Origin: http://evil.example\r\nContent-Type: text/plain\r\n",
        "Origin: http://test:18300\r\n",
        "Origin: null\r\n",
        "Origin: http://test\r\nOrigin: http://evil.example\r\n",
    };
    static const char *const own[] = {
        "", "Origin: http://test\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n",
        "Origin: http://test\r\n", "Sec-Fetch-Site: none\r\n",
        "Sec-Fetch-Mode: cors\r\n" /* node's fetch */};
    static const char *const targets[] = {"/other/unload", "/other/load", "/x/load"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        for (size_t k = 0; k < 3; k++) {
            char target[64];
            snprintf(target, sizeof target, REPOSITORY "%s", targets[k]);
            post_from(target, foreign[i], 403, "{\"error\":\"a web page of another origin (");
        }
    expect_get("/v2/models/other/ready", 200, "{\"name\":\"other\",\"ready\":true}\n");
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        post_from(REPOSITORY "/other/load", own[i], 200, "READY");
    post_from("/v2/repository/index", foreign[0], 200, "READY"); /* which changes nothing */
}
END_TEST

START_TEST(off_unless_asked_for)
{
    struct daemon plain;
    DAEMON_START(&plain, NULL);
    struct response answer =
        client_post_json(plain.port, "/v2/repository/models/fashion-resnet/unload", "{}");
    ck_assert_int_eq(answer.status, 403);
    ck_assert_ptr_nonnull(strstr(answer.body, "--model-control"));
    response_free(&answer);
    answer = client_ask(plain.port, "POST", "/v2/repository/index", "", "", 0);
    ck_assert_int_eq(answer.status, 200);
    response_free(&answer);
    ck_assert_int_eq(daemon_stop(&plain, SIGTERM), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repository");
    TCase *tests = tcase_create("repository");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 120);
    tcase_add_unchecked_fixture(tests, start, stop);
    tcase_add_test(tests, reload_loses_nothing);
    tcase_add_test(tests, sighup_leaves_out_what_is_unloaded);
    tcase_add_test(tests, sighup_reloads); /* counts lines of the log */
    tcase_add_test(tests, a_file_that_is_written_to_is_never_half_served);
    tcase_add_test(tests, sigterm_during_a_reload);
    tcase_add_test(tests, unload_drains);
    tcase_add_test(tests, a_bad_file_changes_nothing);
    tcase_add_test(tests, what_is_refused);
    tcase_add_test(tests, pages_of_another_origin);
    tcase_add_test(tests, no_model_at_all);
    tcase_add_test(tests, metrics_stay_one_model);
    tcase_add_test(tests, off_unless_asked_for);
    return run_suite(suite);
}
