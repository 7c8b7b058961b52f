/* `resnetd bench --load`: how long a process takes from its start to its first answer. Each round
 * is a process of its own, `resnetd bench MODEL --first`: it loads, answers one image, prints what
 * it saw of itself, and ends. The page cache is warm after the first round, which doesn't count. */
#include "cmd/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"

struct round {
    double total, load; /* milliseconds: from the process's start; in rn_model_load() */
    double resident;    /* megabytes, after the answer */
};

/* Megabytes of memory that are this process's own or mapped and present. */
static double resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    char text[128] = "";
    if (file) {
        if (!fgets(text, sizeof text, file)) text[0] = '\0';
        fclose(file);
    }
    char *end = text;
    strtoul(end, &end, 10); /* the virtual size comes first */
    const unsigned long pages = strtoul(end, NULL, 10);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

int bench_first(struct bench *bench, double load_seconds)
{
    bench_pass(bench);
    printf("%.3f %.3f\n", load_seconds * 1e3, resident());
    return EX_OK;
}

static _Noreturn void become_first(const char **argv, int out)
{
    dup2(out, STDOUT_FILENO);
    execv("/proc/self/exe", (char **)(uintptr_t)argv);
    _exit(EX_OSERR);
}

/* One process from fork to its report. */
static struct round run_round(const char **argv)
{
    int ends[2], status;
    struct round round = {0};
    char text[80] = "";
    if (pipe(ends) != 0) cmd_die("bench", EX_OSERR, "can't make a pipe");
    const uint64_t start = clock_ns();
    const pid_t child = fork();
    if (child == 0) become_first(argv, ends[1]);
    close(ends[1]);
    FILE *report = fdopen(ends[0], "r");
    const bool answered = child > 0 && report && fgets(text, sizeof text, report);
    round.total = (double)(clock_ns() - start) / NS_PER_MS;
    if (report) fclose(report);
    if (child > 0) waitpid(child, &status, 0);
    if (!answered) cmd_die("bench", EX_DATAERR, "the process that loads the model gave no answer");
    char *end = text;
    round.load = strtod(end, &end);
    round.resident = strtod(end, &end);
    return round;
}

static int by_total(const void *a, const void *b)
{
    const struct round *x = a, *y = b;
    return (x->total > y->total) - (x->total < y->total);
}

/* The median round. */
static struct round measure(const char **argv, size_t rounds)
{
    struct round *all = cmd_alloc(rounds, sizeof *all);
    run_round(argv);
    for (size_t i = 0; i < rounds; i++) all[i] = run_round(argv);
    qsort(all, rounds, sizeof *all, by_total);
    const struct round median = all[rounds / 2];
    free(all);
    return median;
}

/* What the processes are given: this model, these options. */
static struct round measure_bench(const struct bench *bench, size_t rounds)
{
    char threads[32];
    snprintf(threads, sizeof threads, "%zu", bench->threads);
    const char *argv[16] = {"resnetd", "bench", bench->name, "--first", "--threads", threads};
    size_t count = 6;
    if (bench->options.isa) {
        argv[count++] = "--isa";
        argv[count++] = bench->options.isa;
    }
    if (bench->options.input_size) {
        argv[count++] = "--input-size";
        argv[count++] = bench->options.input_size;
    }
    return measure(argv, rounds);
}

int bench_load(const struct bench *bench, size_t rounds, bool json)
{
    const struct round median = measure_bench(bench, rounds);
    const rn_model_info *info = bench->info;
    const double weights = (double)info->weight_bytes / 1e6;
    const double activations = (double)info->activation_bytes / 1e6;
    if (json)
        printf("{\"arch\":\"%s\",\"format\":\"%s\",\"threads\":%zu,\"rounds\":%zu,"
               "\"first_answer_ms\":%.6g,\"load_ms\":%.6g,\"resident_mb\":%.6g,"
               "\"weights_mb\":%.6g,\"activations_mb\":%.6g}\n",
               info->arch, info->format, bench->threads, rounds, median.total, median.load,
               median.resident, weights, activations);
    else
        printf("%s from %s, %zu thread%s: first answer %.1f ms after the process's start, of which "
               "loading %.1f ms (median of %zu)\n"
               "resident %.1f MB; weights %.1f MB, activations of one image %.1f MB\n",
               info->arch, info->format, bench->threads, bench->threads == 1 ? "" : "s",
               median.total, median.load, rounds, median.resident, weights, activations);
    return EX_OK;
}
