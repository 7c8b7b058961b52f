/* make bench-http: what the daemon adds to the engine, on loopback.
 *
 *   http_bench [SECONDS NAME=PATH ...]      PATH "": the model NAME is built into the daemon
 *
 * The daemon is $RESNETD, or build/resnetd; without arguments a built-in model gets 2 seconds a
 * row.
 *
 * Who runs where: the load generator has the last CPU to itself, the daemon has the others, and the
 * engine alone is measured on those same others with a thread for each; so the generator takes
 * nothing from either. What the kernel does for its packets it does on the sender's CPU, as the
 * queue of a network card would. With one CPU, or with BENCH_SHARED=1, all share what there is, and
 * only processor time tells.
 *
 * For each model: the engine alone in this process (one image: latency; batches: throughput), then
 * the daemon with raw float32 and with JSON bodies, closed loop with 1 to 128 clients and open loop
 * at 70 % of the engine's rate, and JSON of 17 digits with one client. The columns:
 *   p50, p99    latency; added: p50 less the engine's for one image
 *   images/s    and as a share of the engine's
 *   engine ms   processor time of the daemon's threads that run forward passes, for each image
 *   http ms     that of its other threads: reading, parsing, answering
 *   share       the engine's processor time alone, of the two together
 *   MiB         resident at the row's end */
#include <string.h>
#include <unistd.h>

#include "bench/body.h"
#include "bench/load.h"
#include "bench/process.h"
#include "bench/tool.h"
#include "builtin.h"
#include "resnet.h"

enum { BATCH = 8, RUNS_MAX = 10000, ROUNDS = 2, CLIENTS_MAX = 128 };

struct bench {
    const char *daemon;
    double seconds;
    cpu_set_t server, generator; /* CPUs */
    size_t threads;              /* of the engine alone */
    const char *argument, *path;
    char *name;
    rn_model *model;
    const rn_model_info *info;
    float *image;
    double latency, rate, cpu; /* of the engine: ms of one image; images/s and processor ms of each,
                                  in batches */
};

/* ---- the engine alone ---- */

static void split_cpus(struct bench *b)
{
    int last = 0;
    if (sched_getaffinity(0, sizeof b->server, &b->server) != 0) die("which CPUs?");
    b->generator = b->server;
    b->threads = (size_t)CPU_COUNT(&b->server);
    if (b->threads == 1 || getenv("BENCH_SHARED")) return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &b->server)) last = cpu;
    CPU_CLR(last, &b->server);
    CPU_ZERO(&b->generator);
    CPU_SET(last, &b->generator);
    b->threads--;
}

static void move_to(const cpu_set_t *cpus)
{
    if (sched_setaffinity(0, sizeof *cpus, cpus) != 0) die("can't choose the CPUs");
}

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Of one run, seconds: the median and the mean, and the mean processor time of all threads. A
 * latency stands beside medians, a rate beside rates, which what disturbs the machine slows too. */
struct timing {
    double median, mean, processor;
};

static struct timing time_runs(rn_session *session, const float *images, size_t n, float *outputs,
                               double seconds)
{
    static double times[RUNS_MAX];
    size_t count = 0;
    const double processor = processor_seconds(), start = rn_clock_seconds();
    while (count < RUNS_MAX && (rn_clock_seconds() < start + seconds || count < 3)) {
        const double began = rn_clock_seconds();
        rn_error err;
        if (rn_session_run(session, images, n, outputs, &err) != RN_OK) die(err.text);
        times[count++] = rn_clock_seconds() - began;
    }
    const double all = rn_clock_seconds() - start, used = processor_seconds() - processor;
    qsort(times, count, sizeof *times, by_value);
    return (struct timing){times[count / 2], all / (double)count, used / (double)count};
}

static void measure_engine(struct bench *b)
{
    rn_session *session;
    rn_error err;
    const rn_session_options options = {.threads = b->threads};
    move_to(&b->server);
    if (rn_session_new(&session, b->model, &options, &err) != RN_OK) die(err.text);
    float *images = malloc(BATCH * b->info->input_size * sizeof *images);
    float *outputs = malloc(BATCH * b->info->output_size * sizeof *outputs);
    if (!images || !outputs) die("no memory");
    for (size_t i = 0; i < BATCH; i++)
        memcpy(images + i * b->info->input_size, b->image, b->info->input_size * sizeof *images);
    time_runs(session, images, BATCH, outputs, 0); /* to warm up */
    b->latency = 1e3 * time_runs(session, images, 1, outputs, b->seconds / 2).median;
    const struct timing batch = time_runs(session, images, BATCH, outputs, b->seconds);
    b->rate = BATCH / batch.mean;
    b->cpu = 1e3 * batch.processor / BATCH;
    free(images);
    free(outputs);
    rn_session_free(session);
    move_to(&b->generator);
    printf("%-16s engine alone: %.3f ms an image; in batches of %d: %.1f images/s, %.3f ms of "
           "processor time each\n",
           b->name, b->latency, BATCH, b->rate, b->cpu);
}

/* ---- the table ---- */

struct row {
    const char *form;
    const struct load_request *request;
    size_t clients;
    double rate; /* 0: closed loop */
};

static void measure(const struct bench *b, const struct process *p, const struct row *row)
{
    const struct load load = {.port = p->port,
                              .request = row->request,
                              .requests = 1,
                              .clients = row->clients,
                              .seconds = b->seconds,
                              .least = ROUNDS * row->clients,
                              .rate = row->rate};
    struct load_result r;
    const struct process_time before = process_time(p);
    if (!load_run(&load, &r)) die("a load run failed");
    const struct process_time after = process_time(p);
    if (!r.answers) die("no answer in a whole row");
    const double answers = (double)r.answers, images = answers / r.seconds;
    const double engine = 1e3 * (after.engine - before.engine) / answers;
    const double http = 1e3 * (after.rest - before.rest) / answers;
    printf("%-16s %-6s %-6s %7zu %9.3f %+9.3f %9.3f %9.1f %6.1f%% %9.3f %8.3f %6.1f%% %7zu %6zu "
           "%7.1f\n",
           b->name, row->form, row->rate > 0 ? "open" : "closed", row->clients, r.p50,
           r.p50 - b->latency, r.p99, images, 100 * images / b->rate, engine, http,
           100 * b->cpu / (engine + http), r.refused, r.failed, process_resident(p));
    fflush(stdout);
}

/* Every number of clients, in one daemon. */
static void measure_form(const struct bench *b, const char *form,
                         const struct load_request *request)
{
    static const size_t clients[] = {1, 2, 8, 32, CLIENTS_MAX};
    const struct process p = process_start(b->daemon, &b->argument, *b->path ? 1 : 0, &b->server);
    const double start = process_resident(&p);
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        measure(b, &p, &(struct row){form, request, clients[i], 0});
    const double full = process_resident(&p);
    measure(b, &p, &(struct row){form, request, CLIENTS_MAX, 0.7 * b->rate});
    printf("%-16s %-6s resident MiB: %.1f at the start, %.1f after %d clients, %.1f at the end\n",
           b->name, form, start, full, CLIENTS_MAX, process_resident(&p));
    process_stop(&p);
}

static void measure_17_digits(const struct bench *b, const struct load_request *request)
{
    const struct process p = process_start(b->daemon, &b->argument, *b->path ? 1 : 0, &b->server);
    measure(b, &p, &(struct row){"json17", request, 1, 0});
    process_stop(&p);
}

static rn_status load_model(struct bench *b, rn_error *err)
{
    struct builtin builtin;
    if (*b->path || !builtin_find(b->name, &builtin))
        return rn_model_load(&b->model, b->path, NULL, err);
    return builtin_load(&b->model, &builtin, &(rn_model_options){0}, err);
}

static void make_image(struct bench *b)
{
    b->image = malloc(b->info->input_size * sizeof *b->image);
    if (!b->image) die("no memory");
    for (size_t i = 0; i < b->info->input_size; i++)
        b->image[i] = (float)((i * 2654435761u >> 8) % 4096) / 1024 - 2;
}

static void measure_model(struct bench *b)
{
    rn_error err;
    if (load_model(b, &err) != RN_OK) die(err.text);
    b->info = rn_model_info_of(b->model);
    make_image(b);
    struct load_request raw = body_raw(b->name, b->info, b->image);
    struct load_request json = body_json(b->name, b->info, b->image, 9);
    struct load_request json17 = body_json(b->name, b->info, b->image, 17);
    measure_engine(b);
    measure_form(b, "raw", &raw);
    measure_form(b, "json", &json);
    measure_17_digits(b, &json17);
    measure_engine(b); /* how steady the machine was */
    body_free(&raw);
    body_free(&json);
    body_free(&json17);
    free(b->image);
    rn_model_release(b->model);
}

static void print_heading(const struct bench *b)
{
    printf("CPUs: %d of the daemon, %s of the load generator\n", CPU_COUNT(&b->server),
           CPU_EQUAL(&b->server, &b->generator) ? "the same" : "one more");
    printf("%-16s %-6s %-6s %7s %9s %9s %9s %9s %7s %9s %8s %7s %7s %6s %7s\n", "model", "body",
           "loop", "clients", "p50 ms", "added ms", "p99 ms", "images/s", "engine", "engine ms",
           "http ms", "share", "refused", "failed", "MiB");
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
    split_cpus(&b);
    print_heading(&b);
    for (int i = 0; i < count; i++) {
        const char *equals = strchr(model[i], '=');
        if (!equals) die("usage: http_bench [SECONDS NAME=PATH ...]");
        b.argument = model[i];
        b.path = equals + 1;
        b.name = strndup(model[i], (size_t)(equals - model[i]));
        if (!b.name) die("no memory");
        measure_model(&b);
        free(b.name);
    }
    return EXIT_SUCCESS;
}
