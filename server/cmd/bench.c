/* `resnetd bench MODEL`: how long a forward pass takes, and which layers take it.
 *
 * Passes are timed one by one until the seconds are over; the median is what is reported, the
 * minimum beside it. GFLOP/s are nominal: twice the direct convolutions' multiply-accumulates over
 * the time. */
#include "cmd/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "cpus.h"

#define MAX_PASSES 1000000
#define MIN_PASSES 3
#define TOP_LAYERS 8 /* shown without --layers */

struct result {
    double *seconds; /* of each pass, sorted */
    size_t passes;
    double *layer; /* seconds of each layer, of all passes together */
    double peak;   /* GFLOP/s of all threads together; 0: not known */
};

double bench_pass(struct bench *bench)
{
    rn_error err;
    const uint64_t start = clock_ns();
    if (rn_session_run(bench->session, bench->images, bench->batch, bench->outputs, &err) != RN_OK)
        cmd_die("bench", EX_SOFTWARE, "%s", err.text);
    return (double)(clock_ns() - start) / 1e9;
}

/* Numbers between -1 and 1, the same in every run. */
static void fill_images(float *image, size_t count)
{
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        image[i] = (float)(state >> 8) / (float)(1 << 23) - 1;
    }
}

static void bench_open(const struct cmd *self, struct bench *bench, bool profile)
{
    const rn_session_options options = {.threads = bench->threads, .profile = profile};
    bench->info = rn_model_info_of(bench->model);
    bench->session = cmd_open_session(self, bench->model, &options);
    bench->images = cmd_alloc(bench->batch * bench->info->input_size, sizeof *bench->images);
    bench->outputs = cmd_alloc(bench->batch * bench->info->output_size, sizeof *bench->outputs);
    fill_images(bench->images, bench->batch * bench->info->input_size);
}

static void bench_close(struct bench *bench)
{
    rn_session_free(bench->session);
    rn_model_release(bench->model);
    free(bench->images);
    free(bench->outputs);
}

/* ---- timing ---------------------------------------------------------------------------------- */

static void show_progress(double done)
{
    enum { WIDTH = 40 };
    const int full = (int)((done < 1 ? done : 1) * WIDTH);
    fprintf(stderr, "\r[%.*s%*s] %3.0f %%", full, "########################################",
            WIDTH - full, "", (done < 1 ? done : 1) * 100);
    if (done >= 1) fprintf(stderr, "\r%*s\r", WIDTH + 8, "");
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(struct bench *bench, double seconds, struct result *result)
{
    const bool terminal = isatty(STDERR_FILENO);
    result->seconds = cmd_alloc(MAX_PASSES, sizeof *result->seconds);
    result->layer = cmd_alloc(bench->info->layers, sizeof *result->layer);
    bench_pass(bench); /* warms caches and threads */
    rn_session_profile(bench->session, result->layer);

    double total = 0, shown = 0;
    while (result->passes < MAX_PASSES && (total < seconds || result->passes < MIN_PASSES)) {
        const double pass = bench_pass(bench);
        result->seconds[result->passes++] = pass;
        total += pass;
        if (terminal && total - shown > 0.1) show_progress((shown = total) / seconds * 0.999);
    }
    if (terminal) show_progress(1);
    rn_session_profile(bench->session, result->layer);
    qsort(result->seconds, result->passes, sizeof *result->seconds, by_size);
}

static double median(const struct result *result)
{
    const size_t half = result->passes / 2;
    return result->passes % 2 ? result->seconds[half]
                              : (result->seconds[half - 1] + result->seconds[half]) / 2;
}

/* ---- reports --------------------------------------------------------------------------------- */

/* GFLOP/s of `macs` per image, when a batch takes that long. */
static double gflops(const struct bench *bench, uint64_t macs, double seconds)
{
    return seconds > 0 ? 2e-9 * (double)macs * (double)bench->batch / seconds : 0;
}

static double layer_total(const struct bench *bench, const struct result *result)
{
    double total = 0;
    for (size_t i = 0; i < bench->info->layers; i++) total += result->layer[i];
    return total > 0 ? total : 1;
}

static void print_layer(const struct bench *bench, const struct result *result, size_t index)
{
    rn_layer_info layer;
    if (!rn_model_layer(bench->model, index, &layer)) return;
    const double seconds = result->layer[index] / (double)result->passes;
    const double speed = gflops(bench, layer.macs, seconds);
    char share[16] = "";
    if (result->peak > 0) snprintf(share, sizeof share, "%5.0f %%", 1e2 * speed / result->peak);
    printf("%5.1f %%  %8.3f ms  %7.1f GFLOP/s %s  %-22s %s%s%s %s %s\n",
           100 * result->layer[index] / layer_total(bench, result), seconds * 1e3, speed, share,
           layer.impl, layer.op, *layer.fused ? "+" : "", layer.fused, layer.name, layer.detail);
}

/* All layers in their order, or the slowest few. */
static void print_layers(const struct bench *bench, const struct result *result, bool all)
{
    const size_t layers = bench->info->layers;
    printf("%7s  %11s  %15s %s  %-22s %s\n", "share", "time", "speed",
           result->peak > 0 ? "of peak" : "", "kernel", "layer");
    if (all || layers <= TOP_LAYERS) {
        for (size_t i = 0; i < layers; i++) print_layer(bench, result, i);
        return;
    }
    bool *shown = cmd_alloc(layers, sizeof *shown);
    for (size_t n = 0; n < TOP_LAYERS; n++) {
        size_t best = layers;
        for (size_t i = 0; i < layers; i++)
            if (!shown[i] && (best == layers || result->layer[i] > result->layer[best])) best = i;
        shown[best] = true;
        print_layer(bench, result, best);
    }
    printf("         the slowest %d of %zu layers; --layers shows all\n", TOP_LAYERS, layers);
    free(shown);
}

static void print_text(const struct bench *bench, const struct result *result, bool all)
{
    const double typical = median(result), best = result->seconds[0];
    printf("%s, batch %zu, %zu thread%s, %s: median %.3f ms, minimum %.3f ms of %zu passes\n",
           bench->info->arch, bench->batch, bench->threads, bench->threads == 1 ? "" : "s",
           bench->info->isa, typical * 1e3, best * 1e3, result->passes);
    printf("%.1f images/s, %.1f GFLOP/s nominal", (double)bench->batch / typical,
           gflops(bench, bench->info->macs, typical));
    if (result->peak > 0) printf("; peak of multiply-adds %.1f GFLOP/s", result->peak);
    printf("\n\n");
    print_layers(bench, result, all);
}

static void print_json(const struct bench *bench, const struct result *result)
{
    const double typical = median(result), total = layer_total(bench, result);
    struct buffer text = {0};
    rn_layer_info layer;
    buffer_format(&text,
                  "{\"arch\":\"%s\",\"isa\":\"%s\",\"batch\":%zu,\"threads\":%zu,\"passes\":%zu,"
                  "\"median_ms\":%.6g,\"minimum_ms\":%.6g,\"images_per_second\":%.6g,"
                  "\"gflops\":%.6g,\"peak_gflops\":%.6g,\"layers\":[",
                  bench->info->arch, bench->info->isa, bench->batch, bench->threads, result->passes,
                  typical * 1e3, result->seconds[0] * 1e3, (double)bench->batch / typical,
                  gflops(bench, bench->info->macs, typical), result->peak);
    for (size_t i = 0; rn_model_layer(bench->model, i, &layer); i++) {
        buffer_text(&text, i ? ",{\"name\":" : "{\"name\":");
        buffer_json_string(&text, layer.name);
        buffer_format(&text,
                      ",\"op\":\"%s\",\"fused\":\"%s\",\"impl\":\"%s\",\"ms\":%.6g,"
                      "\"share\":%.6g}",
                      layer.op, layer.fused, layer.impl,
                      result->layer[i] / (double)result->passes * 1e3, result->layer[i] / total);
    }
    buffer_text(&text, "]}");
    if (text.failed) cmd_die("bench", EX_OSERR, "no memory for the report");
    puts(text.bytes);
    buffer_free(&text);
}

static void bench_speed(struct bench *bench, double seconds, bool layers, bool json)
{
    struct result result = {
        .peak = 1e-9 * rn_isa_peak(bench->info->isa) * (double)bench->threads,
    };
    measure(bench, seconds, &result);
    if (json)
        print_json(bench, &result);
    else
        print_text(bench, &result, layers);
    free(result.seconds);
    free(result.layer);
}

int cmd_bench(const struct cmd *self, int argc, char **argv)
{
    struct bench bench = {.batch = 1, .threads = cpus_usable()};
    const char *input = NULL, *expect = NULL;
    double seconds = 3;
    size_t rounds = 10;
    bool json = false, layers = false, worker = false, load = false, first = false;
    const struct cmd_option rows[] = {
        {"batch", "N", CMD_SIZE, &bench.batch, 1, 4096, "images of one pass, default 1"},
        {"threads", "T", CMD_SIZE, &bench.threads, 1, 256, "default: one per usable CPU"},
        {"seconds", "S", CMD_SECONDS, &seconds, 0, 3600, "time to spend, default 3"},
        CMD_MODEL_ROWS(bench.options),
        {"layers", "", CMD_FLAG, &layers, 0, 0, "show every layer, not only the slowest"},
        {"json", "", CMD_FLAG, &json, 0, 0, "print one JSON object"},
        {"load", "", CMD_FLAG, &load, 0, 0,
         "time processes from their start to their first answer"},
        {"rounds", "N", CMD_SIZE, &rounds, 1, 1000, "processes of --load, default 10"},
        {"first", "", CMD_FLAG, &first, 0, 0, "be a process of --load"},
        {"worker", "", CMD_FLAG, &worker, 0, 0, "time as many passes as each line of stdin says"},
        {"input", "X.npy", CMD_TEXT, &input, 0, 0, "images of the worker"},
        {"expect", "Y.npy", CMD_TEXT, &expect, 0, 0, "the answers they should have"},
    };
    cmd_parse(self, argc, argv, rows, sizeof rows / sizeof *rows, 1);
    const uint64_t start = clock_ns();
    bench.name = argv[optind];
    bench.model = cmd_load_model(self, bench.name, &bench.options);
    const double load_seconds = (double)(clock_ns() - start) / NS_PER_SECOND;
    bench_open(self, &bench, !worker && !first);

    int code = EX_OK;
    if (worker)
        code = bench_worker(&bench, input, expect);
    else if (first)
        code = bench_first(&bench, load_seconds);
    else if (load)
        code = bench_load(&bench, rounds, json);
    else
        bench_speed(&bench, seconds, layers, json);
    bench_close(&bench);
    return code;
}
