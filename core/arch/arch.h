/* From named tensors to a graph: which network is this?
 *
 * An explicit list of layers in config.json is followed as it is; without one the architecture is
 * inferred from the tensors' names and shapes alone, then corrected by config.json, then by the
 * caller's options. What was inferred, and from where, is kept as notes for people. */
#ifndef RN_ARCH_ARCH_H
#define RN_ARCH_ARCH_H

#include "base/error.h"
#include "base/json.h"
#include "formats/tensors.h"
#include "graph/graph.h"

#define RN_ARCH_NAME 64

typedef struct {
    char name[RN_ARCH_NAME]; /* "resnet50", "layers", ... */
    char **note;             /* "stem: 7x7 stride 2, max pool (conv1.weight 64x3x7x7)" */
    size_t notes, note_capacity;
    char **label; /* the classes: config's, else labels.txt's, else ImageNet's for 1000 of them */
    size_t labels;
    rn_preprocessing preprocess;
} rn_arch;

typedef struct {
    const rn_json *config;            /* config.json, or NULL */
    size_t input_height, input_width; /* 0: config's, else 224 */
    const char *labels;               /* labels.txt, a class's name a line, or NULL */
    size_t labels_size;
    const rn_json *preprocessor; /* preprocessor_config.json, or NULL */
} rn_arch_options;

/* Builds the graph; one that is not empty was brought by the file and is only described. Release
 * *arch on failure too. Errors name the tensor, layer or key. Every tensor must be used, or be a
 * counter: one left over or missing is an error that names it. */
rn_status rn_arch_build(rn_arch *arch, rn_graph *graph, rn_tensors *tensors,
                        const rn_arch_options *options, rn_error *err);

/* A value of config.json that can't be: RN_ERR_FORMAT, "config.json: KEY: want WANTED". */
rn_status rn_arch_bad_key(rn_error *err, const char *key, const char *wanted);

/* Adds a note for people. */
rn_status rn_arch_note(rn_arch *arch, rn_error *err, const char *format, ...) RN_PRINTF(3, 4);

void rn_arch_release(rn_arch *arch);

#endif
