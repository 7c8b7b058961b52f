/* Whole networks against PyTorch.
 *
 *   golden_test [-q] [CASE.json...]     default: all of tests/golden/cases
 *
 * Each case is loaded through resnet.h and run at batch 1, 3 and at its own batch, with one thread
 * and with two. The largest difference may be 1e-4 of the largest output. The last line is
 * "N passed, N failed"; no case at all is a failure. */
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "golden/golden_case.h"

#define TOLERANCE 1e-4
#define CASES     "tests/golden/cases/*.json"

/* Returns the worst relative difference; infinity, with a line that says why, when there is none.
 */
static double run_case(const char *path)
{
    golden_case c;
    rn_error err = {0};
    double worst = 0;
    bool ok = golden_open(&c, path, &err);
    static const struct {
        size_t images, threads; /* images 0: the case's own batch */
    } runs[] = {{1, 1}, {3, 1}, {0, 1}, {0, 2}};
    for (size_t i = 0; ok && !c.refused && i < sizeof runs / sizeof *runs; i++) {
        const bool fits = runs[i].images && runs[i].images <= c.batch;
        double difference = HUGE_VAL;
        ok =
            golden_compare(&c, fits ? runs[i].images : c.batch, runs[i].threads, &difference, &err);
        worst = fmax(worst, difference);
    }
    if (!ok) printf("%s: %s\n", path, err.text);
    golden_close(&c);
    return ok ? worst : HUGE_VAL;
}

static int run_all(size_t count, char *const *paths, bool quiet)
{
    size_t failed = 0, worst_case = 0;
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        const double difference = run_case(paths[i]);
        const bool ok = difference <= TOLERANCE;
        if (!ok || !quiet) printf("%s %.2e %s\n", ok ? "ok  " : "FAIL", difference, paths[i]);
        failed += !ok;
        if (difference >= worst) {
            worst = difference;
            worst_case = i;
        }
    }
    if (count) printf("worst: %.2e %s\n", worst, paths[worst_case]);
    printf("%zu passed, %zu failed\n", count - failed, failed);
    return count > 0 && failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const bool quiet = argc > 1 && strcmp(argv[1], "-q") == 0;
    const int skip = quiet ? 2 : 1;
    if (argc > skip) return run_all((size_t)(argc - skip), argv + skip, quiet);
    glob_t found;
    const bool any = glob(CASES, 0, NULL, &found) == 0;
    const int status = run_all(any ? found.gl_pathc : 0, any ? found.gl_pathv : NULL, quiet);
    if (any) globfree(&found);
    return status;
}
