/* make soak: does the daemon's memory stay flat?
 *
 *   soak_bench [SECONDS NAME=PATH ...]      PATH "": the model NAME is built into the daemon
 *
 * From the repository's folder, $RESNETD or build/resnetd, 20 seconds unless told. Raw float32,
 * JSON and pictures in turn, to each of the models, from 32 clients that make a new connection
 * after every 50 requests, and all of them a new one in each of the 60 parts of the run. Resident
 * memory is read after each part; over the second half of the run a line is fitted to it. It fails
 * when that line rises by more than 2 % and 1 MiB, or when a request fails. */
#include <string.h>

#include "bench/body.h"
#include "bench/load.h"
#include "bench/process.h"
#include "bench/tool.h"
#include "builtin.h"
#include "resnet.h"

enum { PARTS = 60, CLIENTS = 32, PER_CONNECTION = 50, MODELS_MAX = 4, FORMS = 5 };

static rn_model *load_model(const char *name, const char *path)
{
    struct builtin builtin;
    rn_model *model;
    rn_error err;
    const rn_status status = !*path && builtin_find(name, &builtin)
                                 ? builtin_load(&model, &builtin, &(rn_model_options){0}, &err)
                                 : rn_model_load(&model, path, NULL, &err);
    if (status != RN_OK) die(err.text);
    return model;
}

/* One request of each form. */
static void make_requests(const char *argument, struct load_request request[FORMS])
{
    const char *equals = strchr(argument, '=');
    if (!equals) die("usage: soak_bench [SECONDS NAME=PATH ...]");
    char *name = strndup(argument, (size_t)(equals - argument));
    rn_model *model = load_model(name, equals + 1);
    const rn_model_info *info = rn_model_info_of(model);
    float *image = calloc(info->input_size, sizeof *image);
    if (!name || !image) die("no memory");
    for (size_t i = 0; i < info->input_size; i++) image[i] = (float)(i % 251) / 64 - 2;
    request[0] = body_raw(name, info, image);
    request[1] = body_json(name, info, image, 9);
    request[2] = body_json(name, info, image, 17);
    request[3] = body_file(name, "tests/golden/images/color-444.jpg");
    request[4] = body_file(name, "tests/golden/images/alpha.png");
    free(image);
    free(name);
    rn_model_release(model);
}

/* What the line of least squares through value[first .. count) rises between its ends. */
static double rise(const double *value, size_t first, size_t count)
{
    const double n = (double)(count - first), middle = (n - 1) / 2;
    double above = 0, below = 0;
    for (size_t i = first; i < count; i++) {
        const double x = (double)(i - first) - middle;
        above += x * value[i];
        below += x * x;
    }
    return above / below * (n - 1);
}

static bool soak(const struct process *p, struct load *load, double seconds)
{
    double resident[PARTS];
    size_t answers = 0, failed = 0;
    const double began = rn_clock_seconds();
    load->seconds = seconds / PARTS;
    for (size_t i = 0; i < PARTS; i++) {
        struct load_result r;
        if (!load_run(load, &r)) die("a load run failed");
        answers += r.answers;
        failed += r.failed + r.refused;
        resident[i] = process_resident(p);
        if ((i + 1) % (PARTS / 10) == 0) {
            printf("%6.0f s %9zu answers %6zu failed %8.2f MiB\n", rn_clock_seconds() - began,
                   answers, failed, resident[i]);
            fflush(stdout);
        }
    }
    const double up = rise(resident, PARTS / 2, PARTS), end = resident[PARTS - 1];
    printf("second half: %+.2f MiB, %+.3f a minute\n", up, up / (seconds / 2 / 60));
    return failed == 0 && up <= 0.02 * end + 1;
}

int main(int argc, char **argv)
{
    static char builtin[] = "fashion-resnet=";
    char *models[] = {builtin};
    char **model = argc > 2 ? argv + 2 : models;
    const size_t count = argc > 2 ? (size_t)argc - 2 : 1;
    const char *daemon = getenv("RESNETD"), *path[MODELS_MAX];
    struct load_request request[MODELS_MAX * FORMS];
    size_t paths = 0;
    cpu_set_t cpus;
    if (count > MODELS_MAX || sched_getaffinity(0, sizeof cpus, &cpus) != 0) die("too many models");
    for (size_t i = 0; i < count; i++) {
        make_requests(model[i], request + i * FORMS);
        if (strchr(model[i], '=')[1]) path[paths++] = model[i];
    }
    struct load load = {.request = request,
                        .requests = count * FORMS,
                        .clients = CLIENTS,
                        .per_connection = PER_CONNECTION};
    const struct process p = process_start(daemon ? daemon : "build/resnetd", path, paths, &cpus);
    load.port = p.port;
    const bool flat = soak(&p, &load, argc > 1 ? strtod(argv[1], NULL) : 20);
    process_stop(&p);
    for (size_t i = 0; i < load.requests; i++) body_free(&request[i]);
    puts(flat ? "flat" : "NOT FLAT");
    return flat ? EXIT_SUCCESS : EXIT_FAILURE;
}
