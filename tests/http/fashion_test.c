/* All 10,000 test images of Fashion-MNIST through the daemon: as many right as PyTorch gets right.
 */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "http/client.h"
#include "http/daemon.h"
#include "http/fashion.h"

#include "check_main.h"

static const char *const model[] = {"fashion-resnet", "fashion-reslayer"};

static size_t expected(const char *name, const char *key)
{
    char path[128];
    snprintf(path, sizeof path, "deploy/models/%s/accuracy.json", name);
    json_t *root = json_load_file(path, 0, NULL);
    ck_assert_msg(root != NULL, "%s cannot be read", path);
    const size_t value = (size_t)json_integer_value(json_object_get(root, key));
    json_decref(root);
    return value;
}

static size_t best(const float *logits)
{
    size_t cls = 0;
    for (size_t c = 1; c < FASHION_CLASSES; c++)
        if (logits[c] > logits[cls]) cls = c;
    return cls;
}

/* Posts images in requests of `step`, all over one connection. */
static size_t count_correct(unsigned port, const char *name, const struct fashion *fashion,
                            size_t step)
{
    const int fd = client_open(port);
    char target[64];
    size_t correct = 0;
    snprintf(target, sizeof target, "/infer?model=%s", name);
    for (size_t i = 0; i < FASHION_IMAGES; i += step) {
        ck_assert(client_send_request(
            fd, "POST", target,
            "Content-Type: application/octet-stream\r\nAccept: application/octet-stream\r\n",
            fashion->image + i * FASHION_PIXELS, step * FASHION_PIXELS * sizeof(float)));
        struct response response = client_receive(fd);
        ck_assert_int_eq(response.status, 200);
        ck_assert_uint_eq(response.size, step * FASHION_CLASSES * sizeof(float));
        float logits[100 * FASHION_CLASSES];
        memcpy(logits, response.body, response.size);
        for (size_t n = 0; n < step; n++)
            correct += best(logits + n * FASHION_CLASSES) == fashion->label[i + n];
        response_free(&response);
    }
    close(fd);
    return correct;
}

START_TEST(as_many_right_as_pytorch)
{
    struct daemon daemon;
    struct fashion fashion;
    ck_assert_msg(fashion_load(&fashion), "no test images: apt-get install dataset-fashion-mnist");
    DAEMON_START(&daemon, "--log-level", "warning");
    ck_assert_uint_eq(expected(model[_i], "images"), FASHION_IMAGES);
    ck_assert_uint_eq(count_correct(daemon.port, model[_i], &fashion, _i ? 100 : 1),
                      expected(model[_i], "correct"));
    ck_assert_int_eq(daemon_stop(&daemon, SIGTERM), 0);
    fashion_free(&fashion);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fashion");
    TCase *tests = tcase_create("fashion");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 280);
    tcase_add_loop_test(tests, as_many_right_as_pytorch, 0, 2);
    return run_suite(suite);
}
