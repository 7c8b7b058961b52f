/* What the targets of the weights formats share: bytes go through one format, whatever their first
 * ones say. Refused with a text; or tensors that can all be read and a graph that is whole; in
 * memory that the file's size bounds. */
#ifndef TESTS_FUZZ_FORMAT_TARGET_H
#define TESTS_FUZZ_FORMAT_TARGET_H

#include <sanitizer/allocator_interface.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"

#define MEMORY_PER_BYTE 200
#define MEMORY_BASE     ((size_t)2 << 20)

static inline void read_everything(rn_tensors *set, rn_graph *graph)
{
    rn_error err;
    float sum = 0;
    for (size_t i = 0; i < set->count; i++) {
        rn_tensor *tensor = &set->tensor[i];
        if (!rn_type_is_float(tensor->dtype)) continue;
        const float *floats = rn_tensor_floats(tensor, &err);
        if (!floats) abort();
        for (size_t k = 0; k < rn_tensor_elements(tensor); k++) sum += floats[k];
    }
    for (size_t i = 0; i < graph->count; i++) {
        const rn_node *node = &graph->node[i];
        for (size_t k = 0; k < node->inputs; k++)
            if (node->src[k] < 0 || node->src[k] >= node->value) abort();
        if (rn_shape_size(rn_graph_shape(graph, node->value)) == 0) abort();
    }
    volatile float sink = sum; /* the reads must happen */
    (void)sink;
}

static inline int load_format(const rn_format *format, const uint8_t *bytes, size_t size)
{
    const rn_format_options options = {
        .max_header = (size_t)1 << 20, .input_height = 32, .input_width = 32};
    const size_t before = __sanitizer_get_current_allocated_bytes();
    rn_tensors set = {0};
    rn_graph graph;
    rn_error err = {0};
    rn_graph_init(&graph);
    set.file = (rn_file){.bytes = bytes, .size = size};
    rn_status status = format->load(&set, &set.file, &options, &err);
    if (status == RN_OK) status = rn_tensors_sort(&set, &err);
    if (status == RN_OK && format->build) status = format->build(&graph, &set, &options, &err);
    if (status == RN_OK)
        read_everything(&set, &graph);
    else if (err.status != status || !*err.text)
        abort();
    const size_t taken = __sanitizer_get_current_allocated_bytes() - before;
    if (taken > size * MEMORY_PER_BYTE + MEMORY_BASE) abort();
    rn_graph_release(&graph);
    rn_tensors_release(&set);
    return 0;
}

#define FORMAT_TARGET(...)                                         \
    int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size); \
    int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)  \
    {                                                              \
        const rn_format format = __VA_ARGS__;                      \
        return load_format(&format, bytes, size);                  \
    }

#endif
