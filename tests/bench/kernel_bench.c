/* Times the convolutions of ResNet-18 and ResNet-50 one by one, as the best implementation for an
 * instruction set runs them:
 *   kernel_bench [--isa NAME] [--batch N] [--threads T] [--net 18|50] [--runs N] [--impl PREFIX]
 *                [--only PART_OF_A_LAYER'S_NAME]
 * GFLOP/s are nominal: of the direct convolution. Each layer's memory is cold in between, as it is
 * inside a network: weights and maps of several copies are used in turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/size.h"
#include "bench/tool.h"
#include "kernels/kernels.h"

typedef struct {
    const char *name;
    size_t ic, size, oc, kernel, stride, count[2]; /* count: in ResNet-18, ResNet-50 */
    bool adds;                                     /* the block's input, before the ReLU */
} layer;

static const layer layers[] = {
    {"stem 7x7", 3, 224, 64, 7, 2, {1, 1}, false},
    {"1 3x3", 64, 56, 64, 3, 1, {4, 3}, false},
    {"2 3x3 /2", 64, 56, 128, 3, 2, {1, 0}, false},
    {"2 3x3", 128, 28, 128, 3, 1, {3, 3}, false},
    {"2 1x1 /2", 64, 56, 128, 1, 2, {1, 0}, false},
    {"3 3x3 /2", 128, 28, 256, 3, 2, {1, 0}, false},
    {"3 3x3", 256, 14, 256, 3, 1, {3, 5}, false},
    {"3 1x1 /2", 128, 28, 256, 1, 2, {1, 0}, false},
    {"4 3x3 /2", 256, 14, 512, 3, 2, {1, 0}, false},
    {"4 3x3", 512, 7, 512, 3, 1, {3, 2}, false},
    {"4 1x1 /2", 256, 14, 512, 1, 2, {1, 0}, false},
    {"1 first", 64, 56, 64, 1, 1, {0, 1}, false},
    {"1 in", 256, 56, 64, 1, 1, {0, 2}, false},
    {"1 out", 64, 56, 256, 1, 1, {0, 3}, true},
    {"1 down", 64, 56, 256, 1, 1, {0, 1}, false},
    {"2 first", 256, 56, 128, 1, 1, {0, 1}, false},
    {"2 3x3 /2", 128, 56, 128, 3, 2, {0, 1}, false},
    {"2 down /2", 256, 56, 512, 1, 2, {0, 1}, false},
    {"2 in", 512, 28, 128, 1, 1, {0, 3}, false},
    {"2 out", 128, 28, 512, 1, 1, {0, 4}, true},
    {"3 first", 512, 28, 256, 1, 1, {0, 1}, false},
    {"3 3x3 /2", 256, 28, 256, 3, 2, {0, 1}, false},
    {"3 down /2", 512, 28, 1024, 1, 2, {0, 1}, false},
    {"3 in", 1024, 14, 256, 1, 1, {0, 5}, false},
    {"3 out", 256, 14, 1024, 1, 1, {0, 6}, true},
    {"4 first", 1024, 14, 512, 1, 1, {0, 1}, false},
    {"4 3x3 /2", 512, 14, 512, 3, 2, {0, 1}, false},
    {"4 down /2", 1024, 14, 2048, 1, 2, {0, 1}, false},
    {"4 in", 2048, 7, 512, 1, 1, {0, 2}, false},
    {"4 out", 512, 7, 2048, 1, 1, {0, 3}, true},
};

typedef struct {
    size_t batch, threads, net, runs;
    rn_isa isa;
    const char *impl, *only; /* prefix of an implementation; part of a layer's name */
    rn_team *team;
} options;

enum { COPIES = 4, RUNS = 24, MAX_RUNS = 10000 };

/* One thread is timed by its processor time, so that other programs disturb less. */
static double now(size_t threads)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *must(void *memory)
{
    if (!memory) die("kernel_bench: no memory");
    return memory;
}

static float *random_floats(size_t size)
{
    float *data = must(rn_alloc(size, sizeof *data, NULL));
    for (size_t i = 0; i < size; i++) data[i] = (float)(i * 2654435761U % 1000) / 500 - 1;
    return data;
}

static const rn_impl *choose(const rn_desc *desc, const options *o)
{
    for (size_t i = 0; i < rn_impl_count; i++) {
        const rn_impl *impl = rn_impls[i];
        if (rn_impl_takes(impl, desc, o->isa) &&
            (!o->impl || strncmp(impl->name, o->impl, strlen(o->impl)) == 0))
            return impl;
    }
    return rn_impl_choose(desc, o->isa);
}

static rn_desc desc_of(const layer *l)
{
    const size_t pad = l->kernel / 2, out = (l->size + 2 * pad - l->kernel) / l->stride + 1;
    rn_desc desc = {
        .op = RN_OP_CONV,
        .inputs = 1,
        .in = {rn_map(l->ic, l->size, l->size)},
        .out = rn_map(l->oc, out, out),
        .window = {l->kernel, l->kernel, l->stride, l->stride, pad, pad, pad, pad, 1, 1, false,
                   false},
        .groups = 1,
    };
    if (l->adds) rn_epilogue_append(&desc.epilogue, &(rn_post){.op = RN_OP_ADD});
    rn_epilogue_append(&desc.epilogue, &(rn_post){.op = RN_OP_RELU});
    return desc;
}

/* Seconds of one layer that one run in five stays below: neighbours of the machine disturb the
 * rest. */
static double time_layer(rn_desc *d, const rn_impl *impl, const options *o)
{
    rn_args args[COPIES];
    const size_t weights = d->out.c * d->in[0].c * d->window.kh * d->window.kw;
    const size_t packs = impl->packed_size ? impl->packed_size(d) : 0;
    d->src_layout = impl->src_layout;
    d->dst_layout = impl->dst_layout;
    float *file = random_floats(weights);
    float *scratch = must(rn_alloc(
        impl->scratch_size ? impl->scratch_size(d, o->batch, o->threads) : 0, sizeof(float), NULL));
    for (size_t i = 0; i < COPIES; i++) {
        float *packed = random_floats(packs);
        if (packs) impl->pack(d, file, NULL, packed);
        const size_t out = o->batch * rn_layout_size(d->dst_layout, d->out);
        args[i] =
            (rn_args){.src = random_floats(o->batch * rn_layout_size(d->src_layout, d->in[0])),
                      .addend = rn_epilogue_adds(&d->epilogue) ? random_floats(out) : NULL,
                      .dst = random_floats(out),
                      .weights = packs ? packed : file,
                      .bias = random_floats(rn_round_up(d->out.c, 16)),
                      .scratch = scratch,
                      .n = o->batch,
                      .team = o->team};
    }
    static double seconds[MAX_RUNS];
    for (size_t i = 0; i < o->runs; i++) {
        const double begin = now(o->threads);
        impl->run(d, &args[i % COPIES]);
        seconds[i] = now(o->threads) - begin;
    }
    qsort(seconds, o->runs, sizeof *seconds, by_value);
    return seconds[o->runs / 5];
}

static void run_all(const options *o)
{
    double total = 0, flops = 0;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const layer *l = &layers[i];
        const size_t count = l->count[o->net == 50];
        if (count == 0 || (o->only && !strstr(l->name, o->only))) continue;
        rn_desc d = desc_of(l);
        const rn_impl *impl = choose(&d, o);
        const double seconds = time_layer(&d, impl, o) / (double)o->batch;
        const double work = 2.0 * (double)(l->ic * l->kernel * l->kernel * rn_shape_size(d.out));
        printf("%-10s %4zu x %3zu -> %4zu  %-16s %8.1f us x %zu  %7.1f GFLOP/s\n", l->name, l->ic,
               l->size, l->oc, impl->name, seconds * 1e6, count, work / seconds * 1e-9);
        total += seconds * (double)count;
        flops += work * (double)count;
    }
    printf("all convolutions of ResNet-%zu, batch %zu, %zu threads: %.2f ms/image, %.1f GFLOP/s\n",
           o->net, o->batch, o->threads, total * 1e3, flops / total * 1e-9);
}

int main(int argc, char **argv)
{
    options o = {.batch = 1, .threads = 1, .net = 18, .runs = RUNS, .isa = rn_isa_detect()};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (!strcmp(argv[i], "--batch")) o.batch = strtoul(value, NULL, 10);
        if (!strcmp(argv[i], "--threads")) o.threads = strtoul(value, NULL, 10);
        if (!strcmp(argv[i], "--runs")) o.runs = rn_min(strtoul(value, NULL, 10), MAX_RUNS);
        if (!strcmp(argv[i], "--net")) o.net = strtoul(value, NULL, 10);
        if (!strcmp(argv[i], "--impl")) o.impl = value;
        if (!strcmp(argv[i], "--only")) o.only = value;
        if (!strcmp(argv[i], "--isa") && rn_isa_select(value, &o.isa, NULL) != RN_OK) return 2;
    }
    if (o.threads > 1 && rn_team_new(&o.team, o.threads, true, NULL) != RN_OK) return 1;
    run_all(&o);
    rn_team_free(o.team);
    return 0;
}
