/* Metrics: what is counted is what the text says, and the text keeps Prometheus's rules. */
#include "metrics.h"

#include <stdio.h>
#include <string.h>

#include "route.h"

#include "check_main.h"

static struct metrics *metrics;
static struct buffer text;

static void set_up(void)
{
    metrics = metrics_new();
    ck_assert_ptr_nonnull(metrics);
}

static void tear_down(void)
{
    metrics_free(metrics);
    buffer_free(&text);
}

static void expect(const char *line)
{
    char whole[300];
    buffer_free(&text);
    metrics_render(metrics, &text);
    ck_assert(!text.failed);
    snprintf(whole, sizeof whole, "\n%s\n", line);
    ck_assert_msg(strstr(text.bytes, whole) != NULL, "no line '%s' in:\n%s", line, text.bytes);
}

START_TEST(requests_count_by_route_and_code)
{
    metrics_request(metrics, 0, 200, 10, 100);
    metrics_request(metrics, 0, 200, 20, 100);
    metrics_request(metrics, ROUTES, 404, 0, 5);
    metrics_request(metrics, ROUTES + 7, 599, 0, 0);
    expect("resnetd_http_requests_total{route=\"/\",code=\"200\"} 2");
    expect("resnetd_http_requests_total{route=\"none\",code=\"404\"} 1");
    expect("resnetd_http_requests_total{route=\"none\",code=\"500\"} 1");
    expect("resnetd_http_received_bytes_total 30");
    expect("resnetd_http_sent_bytes_total 205");
}
END_TEST

/* An architecture's name comes from the model's files. */
START_TEST(labels_are_escaped)
{
    metrics_add_model(metrics, "m", "d", "a\"b\\c\nd\x1b\xff");
    expect("resnetd_model_info{model=\"m\",digest=\"d\",arch=\"a\\\"b\\\\c?d?\?\"} 1");
}
END_TEST

START_TEST(histograms_are_cumulative)
{
    struct model_metrics *model = metrics_add_model(metrics, "m", "d1", "resnet18");
    ck_assert_ptr_nonnull(model);
    metrics_observe_batch(model, 1);
    metrics_observe_batch(model, 8);
    metrics_observe_batch(model, 3);
    metrics_observe_batch(model, 1000);
    expect("resnetd_batch_samples_bucket{model=\"m\",le=\"1\"} 1");
    expect("resnetd_batch_samples_bucket{model=\"m\",le=\"2\"} 1");
    expect("resnetd_batch_samples_bucket{model=\"m\",le=\"4\"} 2");
    expect("resnetd_batch_samples_bucket{model=\"m\",le=\"8\"} 3");
    expect("resnetd_batch_samples_bucket{model=\"m\",le=\"256\"} 3");
    expect("resnetd_batch_samples_bucket{model=\"m\",le=\"+Inf\"} 4");
    expect("resnetd_batch_samples_sum{model=\"m\"} 1012");
    expect("resnetd_batch_samples_count{model=\"m\"} 4");
    metrics_observe_stage(model, STAGE_QUEUE, 2000000);
    expect("resnetd_request_duration_seconds_bucket{model=\"m\",stage=\"queue\",le=\"0.001\"} 0");
    expect("resnetd_request_duration_seconds_bucket{model=\"m\",stage=\"queue\",le=\"0.0025\"} 1");
    expect("resnetd_request_duration_seconds_sum{model=\"m\",stage=\"queue\"} 0.002");
    expect("resnetd_model_info{model=\"m\",digest=\"d1\",arch=\"resnet18\"} 1");
}
END_TEST

START_TEST(gauges_go_up_and_down)
{
    metrics_connections(metrics, 1);
    metrics_connections(metrics, 1);
    metrics_connections(metrics, -1);
    metrics_active(metrics, 1);
    metrics_failure(metrics, REASON_DEADLINE);
    expect("resnetd_http_connections 1");
    expect("resnetd_http_requests_active 1");
    expect("resnetd_failures_total{reason=\"deadline\"} 1");
    expect("resnetd_failures_total{reason=\"input\"} 0");
    expect("resnetd_ready 0");
    metrics_ready(metrics, true);
    expect("resnetd_ready 1");
    ck_assert_uint_eq(metrics_active_now(metrics), 1);
    ck_assert_uint_eq(metrics_connections_now(metrics), 1);
}
END_TEST

START_TEST(what_was_dropped_is_a_failure_too)
{
    struct model_metrics *model = metrics_add_model(metrics, "m", "d1", "resnet18");
    metrics_dropped(metrics, REASON_DEADLINE, PHASE_QUEUED);
    metrics_dropped(metrics, REASON_CANCELLED, PHASE_COMPUTING);
    metrics_dropped(metrics, REASON_CANCELLED, PHASE_READING);
    expect("resnetd_dropped_total{reason=\"deadline\",phase=\"queued\"} 1");
    expect("resnetd_dropped_total{reason=\"deadline\",phase=\"computing\"} 0");
    expect("resnetd_dropped_total{reason=\"cancelled\",phase=\"computing\"} 1");
    expect("resnetd_failures_total{reason=\"deadline\"} 1");
    expect("resnetd_failures_total{reason=\"cancelled\"} 2");
    atomic_fetch_add(&model->requests[1], 1);
    atomic_fetch_add(&model->stopped, 1);
    expect("resnetd_model_requests_total{model=\"m\",priority=\"high\"} 1");
    expect("resnetd_model_requests_total{model=\"m\",priority=\"normal\"} 0");
    expect("resnetd_batches_stopped_total{model=\"m\"} 1");
}
END_TEST

/* Every row has its HELP and TYPE, and no line is anything but those or a sample. */
START_TEST(every_metric_is_declared)
{
    expect("# TYPE resnetd_build_info gauge");
#define METRIC(type, name, help, render) \
    ck_assert_ptr_nonnull(               \
        strstr(text.bytes, "# HELP " name " " help "\n# TYPE " name " " #type "\n"));
#include "metrics.def"
#undef METRIC
    for (const char *line = text.bytes; *line; line = strchr(line, '\n') + 1)
        ck_assert_msg(!strncmp(line, "# ", 2) || !strncmp(line, "resnetd_", 8) ||
                          !strncmp(line, "process_", 8),
                      "%.40s", line);
    ck_assert_ptr_nonnull(strstr(text.bytes, "\nprocess_resident_memory_bytes "));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tests = tcase_create("metrics");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, requests_count_by_route_and_code);
    tcase_add_test(tests, labels_are_escaped);
    tcase_add_test(tests, histograms_are_cumulative);
    tcase_add_test(tests, gauges_go_up_and_down);
    tcase_add_test(tests, what_was_dropped_is_a_failure_too);
    tcase_add_test(tests, every_metric_is_declared);
    return run_suite(suite);
}
