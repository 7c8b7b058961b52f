/* A golden case: a network, derived weights and images, and PyTorch's answer, as one JSON file that
 * tests/reference/golden_case.py wrote. */
#ifndef TESTS_GOLDEN_CASE_H
#define TESTS_GOLDEN_CASE_H

#include "base/json.h"
#include "resnet.h"

typedef struct {
    const char *path;
    rn_json_document *document;
    const rn_json *json; /* its root */
    void *weights;       /* of a model whose weights are derived: a safetensors file */
    rn_model *model;
    bool refused; /* PyTorch refuses this network, and so did the engine: there is no model */
    size_t batch;
    float *images;   /* batch * input size */
    float *expected; /* batch * output size */
} golden_case;

/* Loads the case's model as a caller would, by resnet.h alone; false with *err filled. Release the
 * case in either case. */
bool golden_open(golden_case *c, const char *path, rn_error *err);

/* The largest difference from PyTorch's answer for the first n images, relative to its largest
 * output; false with *err filled. A NaN gives infinity. */
bool golden_compare(const golden_case *c, size_t n, size_t threads, double *worst, rn_error *err);

void golden_close(golden_case *c);

#endif
