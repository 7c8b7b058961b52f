/* The plan: a graph made ready to run, by passes in this order:
 *
 *   lower   graph nodes become steps, values keep their ids
 *   fold    batch norm goes into the scale and bias of the convolution in front of it
 *   fuse    elementwise operators go into the store of the step that makes the value
 *   choose  an implementation per step; layout conversions are inserted where two disagree
 *   place   values get offsets in one arena by their lifetimes
 *   pack    weights and biases are written as the implementations want them
 *
 * Built once by rn_plan_build(), read-only after that: any thread. */
#ifndef RN_PLAN_PLAN_H
#define RN_PLAN_PLAN_H

#include "graph/graph.h"
#include "kernels/kernels.h"

#define RN_NO_VALUE (-1)

/* One fused operation. */
typedef struct {
    const rn_impl *impl;
    rn_desc desc;
    const char *name;        /* the graph node's; for a conversion, that of the step it serves */
    int src[RN_STEP_INPUTS]; /* values: desc.inputs of them */
    int addend;              /* of the epilogue; RN_NO_VALUE when there is none */
    int dst;
    rn_constant weight[RN_MAX_WEIGHTS]; /* as in the file; none after pack */
    const float *packed;                /* after pack: what run() gets */
    const float *bias;                  /* after pack: rounded up to 16 with zeros */
    float *scale, *shift; /* folded batch norm: y = scale * conv + shift, (oc); freed by pack */
    size_t parameters;
    uint64_t macs;
} rn_step;

/* One tensor between steps. */
typedef struct {
    rn_shape shape;
    rn_layout layout;
    size_t size;   /* floats of one sample */
    size_t offset; /* floats of one sample in the arena; times the arena's samples = place in it */
    int first, last; /* steps: made by, read last by */
    int port;      /* of the network's inputs or outputs, whose buffer it lies in; -1: the arena */
    bool is_input; /* port is one of the inputs */
} rn_value;

typedef struct {
    rn_step *step;
    size_t count, capacity;
    rn_value *value;
    size_t values, value_capacity;
    int *input,
        *output; /* values that lie in the caller's buffers, in NCHW, in the graph's order */
    size_t inputs, outputs;
    size_t arena_size;   /* floats of one sample */
    float *weights;      /* all packed weights and biases */
    size_t weights_size; /* floats */
    rn_isa isa;
} rn_plan;

/* graph: valid and checked; its weights are no longer needed after this, its names are, and must
 * outlive the plan. team: packs the weights; NULL: this thread alone. */
rn_status rn_plan_build(rn_plan *plan, const rn_graph *graph, rn_isa isa, rn_team *team,
                        rn_error *err);

/* Scratch floats that the steps need for n samples on that many threads. */
size_t rn_plan_scratch(const rn_plan *plan, size_t n, size_t threads);

void rn_plan_release(rn_plan *plan);

/* The passes, for plan.c and the tests. */
rn_status rn_plan_lower(rn_plan *plan, const rn_graph *graph, rn_error *err);
rn_status rn_plan_fold(rn_plan *plan, rn_error *err);
rn_status rn_plan_fuse(rn_plan *plan, rn_error *err);
rn_status rn_plan_choose(rn_plan *plan, rn_error *err);
rn_status rn_plan_place(rn_plan *plan, rn_error *err);
rn_status rn_plan_pack(rn_plan *plan, rn_team *team, rn_error *err);

/* Tools of the passes. */
int rn_plan_producer(const rn_plan *plan, int value); /* step index, -1 for an input */
/* A value that no step makes yet; RN_NO_VALUE with *err filled when there is no memory. */
int rn_plan_new_value(rn_plan *plan, rn_shape shape, rn_error *err);
bool rn_plan_reads(const rn_step *step, int value);
bool rn_plan_is_output(const rn_plan *plan, int value);
size_t rn_plan_readers(const rn_plan *plan, int value); /* an output counts as one reader */
void rn_plan_remove(rn_plan *plan, size_t step);

#endif
