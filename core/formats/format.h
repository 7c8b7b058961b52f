/* Weights formats: one row each in formats/format.c. A file becomes named tensors; a format that
 * holds the network too (ONNX) makes the graph as well, for the others arch/ infers it.
 *
 * Every offset, size and count is checked before use; nothing in a file is ever executed. */
#ifndef RN_FORMATS_FORMAT_H
#define RN_FORMATS_FORMAT_H

#include "formats/tensors.h"
#include "graph/graph.h"

#define RN_PROBE ((size_t)4096) /* bytes that are enough to tell a format */

typedef struct {
    size_t max_header;                /* bytes of metadata a file may have; 0: 16 MiB */
    size_t input_height, input_width; /* of a network that leaves them open; 0: 224 */
    const char *folder;               /* where files beside the weights are; NULL: nowhere */
} rn_format_options;

typedef struct {
    const char *name;
    /* Whether a file that begins with these bytes (RN_PROBE of them at most) looks like this
     * format; never reads beyond size. */
    bool (*probe)(const uint8_t *bytes, size_t size);
    /* Fills `set` with tensors that are in the file or in side files. `set` is empty, or has the
     * tensors of earlier shards; on failure the caller releases it. */
    rn_status (*load)(rn_tensors *set, const rn_file *file, const rn_format_options *options,
                      rn_error *err);
    /* Fills the empty `graph` from what load() left in the sorted `set`, where its weights stay.
     * NULL: the tensors are all that the file has. */
    rn_status (*build)(rn_graph *graph, rn_tensors *set, const rn_format_options *options,
                       rn_error *err);
} rn_format;

/* Finds the format by the first bytes and loads it. Takes `file` over (closed on release). Sets
 * format and sorts. `graph` stays empty (count 0) when the format has only tensors. */
rn_status rn_format_load(rn_tensors *set, rn_graph *graph, rn_file *file,
                         const rn_format_options *options, rn_error *err);

/* Adds the tensors of one shard, a file of any format that has only tensors. */
rn_status rn_format_load_shard(rn_tensors *set, const rn_file *file,
                               const rn_format_options *options, rn_error *err);

/* The options' max_header with its default. */
size_t rn_format_header_limit(const rn_format_options *options);

/* safetensors.c */
bool rn_safetensors_probe(const uint8_t *bytes, size_t size);
rn_status rn_safetensors_load(rn_tensors *set, const rn_file *file,
                              const rn_format_options *options, rn_error *err);

/* shards.c */
bool rn_shards_probe(const uint8_t *bytes, size_t size);
rn_status rn_shards_load(rn_tensors *set, const rn_file *file, const rn_format_options *options,
                         rn_error *err);

/* torch_zip.c */
bool rn_torch_zip_probe(const uint8_t *bytes, size_t size);
rn_status rn_torch_zip_load(rn_tensors *set, const rn_file *file, const rn_format_options *options,
                            rn_error *err);

/* torch_legacy.c */
bool rn_torch_legacy_probe(const uint8_t *bytes, size_t size);
rn_status rn_torch_legacy_load(rn_tensors *set, const rn_file *file,
                               const rn_format_options *options, rn_error *err);

/* onnx_file.c and onnx_graph.c */
bool rn_onnx_probe(const uint8_t *bytes, size_t size);
rn_status rn_onnx_load(rn_tensors *set, const rn_file *file, const rn_format_options *options,
                       rn_error *err);
rn_status rn_onnx_build(rn_graph *graph, rn_tensors *set, const rn_format_options *options,
                        rn_error *err);

#endif
