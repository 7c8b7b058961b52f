/* An image as JSON to float32: jansson, simdjson (its DOM and its on-demand reader) and resnetd's
 * ingest, in turn on the same bodies; medians, and the ratio of those.
 *
 *   json [ROUNDS]
 *
 * One thread. resnetd's side is all that a request pays for: a reader is made, the body is fed in
 * pieces as they come from a socket, the rest goes to jansson, and memory is given back. The peers
 * keep theirs between rounds. All must give the same floats. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/tool.h"
#include "ingest/ingest.h"
#include "random.h"
#include "simdjson.h"

enum {
    CHANNELS = 3,
    SIDE = 224,
    NUMBERS = CHANNELS * SIDE * SIDE,
    PIECE = 65536,
    MAX_ROUNDS = 101
};

enum writing { DIGITS_17, DIGITS_6, INTEGERS, EXPONENTS };

static const struct body {
    const char *name;
    enum writing writing;
    int nested;
    const char *comma;
} bodies[] = {
    {"17 digits, flat", DIGITS_17, 0, ","},    {"17 digits, nested", DIGITS_17, 1, ","},
    {"6 digits, flat", DIGITS_6, 0, ","},      {"6 digits, nested", DIGITS_6, 1, ","},
    {"integers, flat", INTEGERS, 0, ","},      {"integers, nested", INTEGERS, 1, ","},
    {"17 digits, \", \"", DIGITS_17, 1, ", "}, {"17 digits, exponents", EXPONENTS, 0, ","},
};

static char *text;
static size_t size;
static float *want, *got;

/* ---- bodies ---------------------------------------------------------------------------------- */

/* About normal, as a normalised image is. */
static double random_value(void)
{
    double sum = 0;
    for (int i = 0; i < 6; i++) sum += (double)(random_bits() >> 11) / 0x1p53;
    return (sum - 3) * 1.4;
}

static size_t write_number(char *out, enum writing writing)
{
    const double value = random_value();
    switch (writing) {
    case DIGITS_17: return (size_t)snprintf(out, 32, "%.17g", value);
    case DIGITS_6: return (size_t)snprintf(out, 32, "%.6f", value);
    case INTEGERS: return (size_t)snprintf(out, 32, "%d", (int)(value * 31 + 127.5) & 255);
    case EXPONENTS: return (size_t)snprintf(out, 32, "%.16e", value);
    }
    return 0;
}

static void append(const char *piece)
{
    const size_t length = strlen(piece);
    memcpy(text + size, piece, length);
    size += length;
}

static void write_body(const struct body *body)
{
    size = 0;
    append("{\"input\":[");
    for (size_t i = 0; i < NUMBERS; i++) {
        const int plane = i % (SIDE * SIDE) == 0, row = i % SIDE == 0;
        if (i && row && body->nested) append("]");
        if (i && plane && body->nested) append("]");
        if (i) append(body->comma);
        if (plane && body->nested) append(i ? "[" : "[[");
        if (row && body->nested) append("[");
        size += write_number(text + size, body->writing);
    }
    append(body->nested ? "]]]]}" : "],\"shape\":[1,3,224,224]}");
    memset(text + size, 0, simdjson_padding());
}

/* ---- systems --------------------------------------------------------------------------------- */

static size_t walk_jansson(const json_t *value, float *out)
{
    if (!json_is_array(value)) {
        *out = (float)json_number_value(value);
        return 1;
    }
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(value); i++)
        count += walk_jansson(json_array_get(value, i), out + count);
    return count;
}

static size_t run_jansson(int nested)
{
    (void)nested;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const size_t count = root ? walk_jansson(json_object_get(root, "input"), got) : 0;
    json_decref(root);
    return count;
}

static size_t run_dom(int nested)
{
    (void)nested;
    return simdjson_dom(text, size, got);
}

static size_t run_ondemand(int nested)
{
    return simdjson_ondemand(text, size, got, nested);
}

static struct ingest *last; /* its floats are compared after the clock has stopped */
static const float *last_floats;

static size_t run_resnetd(int nested)
{
    (void)nested;
    const struct ingest_spec spec = {
        .form = INGEST_JSON, .body_size = size, .sample_size = NUMBERS, .max_floats = NUMBERS};
    struct ingest *ingest = ingest_new(&spec);
    if (!ingest) return 0;
    for (size_t at = 0; at < size; at += PIECE)
        if (!ingest_feed(ingest, text + at, size - at < PIECE ? size - at : PIECE)) break;
    const struct ingest_result *result = ingest_finish(ingest);
    last = ingest;
    if (result) last_floats = result->tensor.data;
    return result ? result->tensor.count : 0;
}

static const struct system {
    const char *name;
    size_t (*run)(int nested);
} systems[] = {{"jansson", run_jansson},
               {"simdjson DOM", run_dom},
               {"simdjson on demand", run_ondemand},
               {"resnetd", run_resnetd}};
enum { JANSSON, DOM, ONDEMAND, RESNETD, SYSTEMS };

/* ---- measuring ------------------------------------------------------------------------------- */

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}

/* One run in ms; ends the program when its floats are not the expected ones. */
static double time_run(enum writing writing, size_t system, int nested)
{
    const double begin = now_ms();
    const size_t count = systems[system].run(nested);
    double ms = now_ms() - begin;
    const float *floats = last ? last_floats : got;
    if (system == JANSSON) memcpy(want, got, NUMBERS * sizeof *want);
    // jansson and simdjson read the integer -0 as 0
    for (size_t i = 0; i < NUMBERS; i++)
        if (count != NUMBERS || floats[i] != want[i]) {
            fprintf(stderr, "%s: number %zu of body %d differs\n", systems[system].name, i,
                    writing);
            exit(EXIT_FAILURE);
        }
    const double again = now_ms();
    ingest_free(last);
    if (last) ms += now_ms() - again;
    last = NULL;
    return ms;
}

/* Returns how many times as fast as the better simdjson we are. */
static double measure(const struct body *body, size_t rounds)
{
    static double ms[SYSTEMS][MAX_ROUNDS];
    double middle[SYSTEMS];
    write_body(body);
    for (size_t round = 0; round < rounds; round++)
        for (size_t s = 0; s < SYSTEMS; s++)
            ms[s][round] = s == JANSSON && round % 10 ? ms[s][round - 1]
                                                      : time_run(body->writing, s, body->nested);
    for (size_t s = 0; s < SYSTEMS; s++) middle[s] = median(ms[s], rounds);
    const double peer = middle[DOM] < middle[ONDEMAND] ? middle[DOM] : middle[ONDEMAND];
    printf("%-22s %5.2f", body->name, (double)size / 1e6);
    for (size_t s = 0; s < SYSTEMS; s++)
        printf(" %7.2f %5.0f", middle[s], (double)size / 1e3 / middle[s]);
    printf(" %9.2f %9.1f\n", peer / middle[RESNETD], middle[JANSSON] / middle[RESNETD]);
    return peer / middle[RESNETD];
}

int main(int argc, char **argv)
{
    const size_t wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : 31;
    const size_t rounds = wanted < 1 ? 1 : wanted > MAX_ROUNDS ? MAX_ROUNDS : wanted;
    text = malloc((size_t)NUMBERS * 32 + 4096);
    want = malloc(NUMBERS * sizeof *want);
    got = malloc(NUMBERS * sizeof *got);
    if (!text || !want || !got) return EXIT_FAILURE;
    double least = 1e9;
    printf("%d numbers; medians of %zu rounds, in turn; ms and MB/s; times as fast as the better "
           "simdjson, and as jansson\n%-22s %5s %13s %13s %13s %13s %9s %9s\n",
           NUMBERS, rounds, "body", "MB", "jansson", "DOM", "on demand", "resnetd", "simdjson",
           "jansson");
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const double ratio = measure(&bodies[i], rounds);
        if (ratio < least) least = ratio;
    }
    printf("least: %.2f times simdjson\n", least);
    free(text);
    free(want);
    free(got);
    return EXIT_SUCCESS;
}
