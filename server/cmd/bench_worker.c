#include "cmd/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ingest/npy.h"

#define MAX_PASSES 100000 /* of one line */

/* The floats of a .npy file, made of whole samples; exits when it is anything else. */
static float *load_samples(const char *path, size_t sample, size_t *samples)
{
    size_t size;
    struct npy npy;
    void *bytes = cmd_read_file("bench", path, &size);
    const char *wrong = npy_read(&npy, bytes, size);
    if (!wrong && (!npy.count || npy.count % sample)) wrong = "its elements are no whole samples";
    if (wrong) cmd_die("bench", EX_DATAERR, "%s: %s", path, wrong);
    float *floats = cmd_alloc(npy.count, sizeof *floats);
    npy_floats(&npy, floats);
    *samples = npy.count / sample;
    free(bytes);
    return floats;
}

static void load_images(struct bench *bench, const char *path)
{
    size_t samples;
    const size_t size = bench->info->input_size;
    float *floats = load_samples(path, size, &samples);
    for (size_t i = 0; i < bench->batch; i++)
        memcpy(bench->images + i * size, floats + i % samples * size, size * sizeof *floats);
    free(floats);
}

/* The largest difference between outputs and file, relative to the file's largest magnitude. */
static double difference(const struct bench *bench, const char *path)
{
    size_t samples;
    const size_t size = bench->info->output_size;
    float *want = load_samples(path, size, &samples);
    double worst = 0, largest = 0;
    for (size_t i = 0; i < bench->batch * size; i++) {
        const double x = (double)want[i / size % samples * size + i % size];
        const double off = fabs((double)bench->outputs[i] - x);
        if (off > worst || isnan(off)) worst = off;
        if (isnan(worst)) break;
        if (fabs(x) > largest) largest = fabs(x);
    }
    free(want);
    return worst / (largest > 0 ? largest : 1);
}

int bench_worker(struct bench *bench, const char *input, const char *expect)
{
    char line[32];
    if (input) load_images(bench, input);
    bench_pass(bench);
    if (expect)
        printf("ready %.3g\n", difference(bench, expect));
    else
        printf("ready -\n");
    fflush(stdout);

    while (fgets(line, sizeof line, stdin)) {
        char *end;
        const unsigned long passes = strtoul(line, &end, 10);
        if (end == line || *end != '\n' || passes < 1 || passes > MAX_PASSES)
            cmd_die("bench", EX_DATAERR, "stdin: want a line with a number, 1 to %d", MAX_PASSES);
        for (unsigned long i = 0; i < passes; i++)
            printf("%s%.9f", i ? " " : "", bench_pass(bench));
        putchar('\n');
        fflush(stdout);
    }
    return EX_OK;
}
