/* make bench-http: what the daemon adds to the engine, on loopback.
 *
 *   http_bench [SECONDS NAME=PATH ...]      PATH "": the model NAME is built into the daemon
 *
 * The daemon is $RESNETD, or build/resnetd; without arguments a built-in model gets 2 seconds a
 * row.
 *
 * For each model: the engine alone in this process (one image: latency; batches of 8: throughput),
 * then the daemon with raw float32 and with JSON bodies, closed loop with 1, 2, 8, 32 and 128
 * clients, and open loop at 70 % of the engine's rate. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/load.h"
#include "builtin.h"
#include "resnet.h"

enum { BATCH = 8, RUNS_MAX = 10000 };

struct bench {
    const char *daemon;
    double seconds;
    size_t threads;
    const char *name, *path;
    rn_model *model;
    const rn_model_info *info;
    float *image;
    double latency, rate; /* of the engine: ms of one image, images/s in batches */
};

struct process {
    pid_t pid;
    uint16_t port;
    int output;
};

static void die(const char *what)
{
    fprintf(stderr, "http_bench: %s\n", what);
    exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the engine alone ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median seconds of one run over n images. */
static double median_run(rn_session *session, const float *images, size_t n, float *outputs,
                         double seconds)
{
    static double times[RUNS_MAX];
    size_t count = 0;
    for (const double end = now() + seconds; count < RUNS_MAX && (now() < end || count < 3);) {
        const double began = now();
        rn_error err;
        if (rn_session_run(session, images, n, outputs, &err) != RN_OK) die(err.text);
        times[count++] = now() - began;
    }
    qsort(times, count, sizeof *times, by_value);
    return times[count / 2];
}

static void measure_engine(struct bench *b)
{
    rn_session *session;
    rn_error err;
    const rn_session_options options = {.threads = b->threads};
    if (rn_session_new(&session, b->model, &options, &err) != RN_OK) die(err.text);
    float *images = malloc(BATCH * b->info->input_size * sizeof *images);
    float *outputs = malloc(BATCH * b->info->output_size * sizeof *outputs);
    if (!images || !outputs) die("no memory");
    for (size_t i = 0; i < BATCH; i++)
        memcpy(images + i * b->info->input_size, b->image, b->info->input_size * sizeof *images);
    b->latency = 1e3 * median_run(session, images, 1, outputs, b->seconds);
    b->rate = BATCH / median_run(session, images, BATCH, outputs, b->seconds);
    free(images);
    free(outputs);
    rn_session_free(session);
}

/* ---- the daemon ---- */

static void exec_daemon(const struct bench *b, int output)
{
    char model[4096];
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    snprintf(model, sizeof model, "%s=%s", b->name, b->path);
    if (*b->path)
        execl(b->daemon, b->daemon, "--port", "0", "--model", model, (char *)NULL);
    else
        execl(b->daemon, b->daemon, "--port", "0", (char *)NULL);
    _exit(127);
}

/* The port stands in the first URL that the daemon prints once it is ready. */
static uint16_t read_port(int output)
{
    char text[16384];
    size_t size = 0;
    for (ssize_t n; size < sizeof text - 1; size += (size_t)n) {
        n = read(output, text + size, sizeof text - 1 - size);
        if (n <= 0) break;
        text[size + (size_t)n] = '\0';
        const char *url = strstr(text, "http://127.0.0.1:");
        if (url && strchr(url, '\n')) return (uint16_t)strtoul(url + 17, NULL, 10);
    }
    die("the daemon did not say where it listens");
    return 0;
}

static struct process start_daemon(const struct bench *b)
{
    int ends[2];
    if (pipe(ends) != 0) die("no pipe");
    struct process p = {.pid = fork(), .output = ends[0]};
    if (p.pid == 0) exec_daemon(b, ends[1]);
    close(ends[1]);
    if (p.pid < 0) die("no process");
    p.port = read_port(p.output);
    return p;
}

/* Keeps the daemon's log from filling the pipe. */
static void drain(const struct process *p)
{
    if (fork() != 0) return;
    char waste[65536];
    while (read(p->output, waste, sizeof waste) > 0) {
    }
    _exit(0);
}

static size_t resident_kib(const struct process *p)
{
    char path[64], line[256];
    size_t kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)p->pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0) kib = strtoul(line + 6, NULL, 10);
    if (file) fclose(file);
    return kib;
}

static void stop_daemon(const struct process *p)
{
    kill(p->pid, SIGTERM);
    close(p->output);
    int status;
    waitpid(p->pid, &status, 0);
    while (waitpid(-1, &status, 0) > 0) {
    }
}

/* ---- requests ---- */

struct body {
    char *text;
    size_t size;
};

static struct body with_head(const struct bench *b, const char *type, const char *body, size_t size)
{
    char *text = malloc(size + 1024);
    if (!text) die("no memory");
    const int head = snprintf(text, 1024,
                              "POST /infer?model=%s HTTP/1.1\r\nHost: localhost\r\n"
                              "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                              b->name, type, size);
    memcpy(text + head, body, size);
    return (struct body){text, (size_t)head + size};
}

static struct body json_body(const struct bench *b)
{
    const size_t room = b->info->input_size * 16 + 256;
    char *text = malloc(room);
    if (!text) die("no memory");
    size_t size = (size_t)snprintf(text, room, "{\"shape\":[1,%zu,%zu,%zu],\"input\":[",
                                   b->info->input[0], b->info->input[1], b->info->input[2]);
    for (size_t i = 0; i < b->info->input_size; i++)
        size +=
            (size_t)snprintf(text + size, room - size, "%s%.9g", i ? "," : "", (double)b->image[i]);
    size += (size_t)snprintf(text + size, room - size, "]}");
    const struct body whole = with_head(b, "application/json", text, size);
    free(text);
    return whole;
}

static struct body raw_body(const struct bench *b)
{
    return with_head(b, "application/octet-stream", (const char *)b->image,
                     b->info->input_size * sizeof *b->image);
}

/* ---- the table ---- */

static void measure(const struct bench *b, const struct process *p, const struct body *body,
                    const char *form, size_t clients, double rate)
{
    const struct load load = {.port = p->port,
                              .request = body->text,
                              .request_size = body->size,
                              .clients = clients,
                              .seconds = b->seconds,
                              .rate = rate};
    struct load_result r;
    if (!load_run(&load, &r)) die("a load run failed");
    const double images = r.seconds > 0 ? (double)r.answers / r.seconds : 0;
    printf("%-16s %-6s %-6s %7zu %9.3f %+9.3f %9.3f %9.1f %7.1f%% %7zu %6zu %8zu\n", b->name, form,
           rate > 0 ? "open" : "closed", clients, r.p50, r.p50 - b->latency, r.p99, images,
           100 * images / b->rate, r.refused, r.failed, resident_kib(p) / 1024);
    fflush(stdout);
}

static void measure_form(const struct bench *b, const char *form, struct body body)
{
    static const size_t clients[] = {1, 2, 8, 32, 128};
    const struct process p = start_daemon(b);
    drain(&p);
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        measure(b, &p, &body, form, clients[i], 0);
    measure(b, &p, &body, form, 128, 0.7 * b->rate);
    stop_daemon(&p);
    free(body.text);
}

static rn_status load_model(struct bench *b, rn_error *err)
{
    struct builtin builtin;
    if (*b->path || !builtin_find(b->name, &builtin))
        return rn_model_load(&b->model, b->path, NULL, err);
    const rn_model_options options = {.config = builtin.config, .config_size = builtin.config_size};
    return rn_model_load_memory(&b->model, builtin.weights, builtin.weights_size, &options, err);
}

static void measure_model(struct bench *b)
{
    rn_error err;
    if (load_model(b, &err) != RN_OK) die(err.text);
    b->info = rn_model_info_of(b->model);
    b->image = malloc(b->info->input_size * sizeof *b->image);
    if (!b->image) die("no memory");
    for (size_t i = 0; i < b->info->input_size; i++)
        b->image[i] = (float)((i * 2654435761u >> 8) % 4096) / 1024 - 2;
    measure_engine(b);
    printf("%-16s engine alone: %.3f ms an image, %.1f images/s in batches of %d\n", b->name,
           b->latency, b->rate, BATCH);
    measure_form(b, "raw", raw_body(b));
    measure_form(b, "json", json_body(b));
    free(b->image);
    rn_model_release(b->model);
}

static void print_heading(void)
{
    printf("%-16s %-6s %-6s %7s %9s %9s %9s %9s %8s %7s %6s %8s\n", "model", "body", "loop",
           "clients", "p50 ms", "added ms", "p99 ms", "images/s", "engine", "refused", "failed",
           "MiB");
}

int main(int argc, char **argv)
{
    static char builtin[] = "fashion-resnet=";
    char *models[] = {builtin};
    char **model = argc > 2 ? argv + 2 : models;
    const int count = argc > 2 ? argc - 2 : 1;
    const char *daemon = getenv("RESNETD");
    struct bench b = {.daemon = daemon ? daemon : "build/resnetd",
                      .seconds = argc > 1 ? strtod(argv[1], NULL) : 2};
    b.threads = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    print_heading();
    for (int i = 0; i < count; i++) {
        char *equals = strchr(model[i], '=');
        if (!equals) die("usage: http_bench [SECONDS NAME=PATH ...]");
        *equals = '\0';
        b.name = model[i];
        b.path = equals + 1;
        measure_model(&b);
    }
    return EXIT_SUCCESS;
}
