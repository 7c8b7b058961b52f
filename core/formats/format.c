/* The table of weights formats, and the way every file takes through it. */
#include "formats/format.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"

/* A probe may not take another format's file: the first one that says yes loads it. */
static const rn_format formats[] = {
    {"shards", rn_shards_probe, rn_shards_load, NULL},
    {"safetensors", rn_safetensors_probe, rn_safetensors_load, NULL},
    {"torch zip", rn_torch_zip_probe, rn_torch_zip_load, NULL},
    {"torch legacy", rn_torch_legacy_probe, rn_torch_legacy_load, NULL},
    {"onnx", rn_onnx_probe, rn_onnx_load, rn_onnx_build},
};

#define DEFAULT_HEADER ((size_t)16 << 20)

size_t rn_format_header_limit(const rn_format_options *options)
{
    return options->max_header ? options->max_header : DEFAULT_HEADER;
}

/* The first bytes of a file. */
typedef struct {
    size_t size;
    uint8_t bytes[RN_PROBE];
} beginning;

static rn_status read_beginning(beginning *begin, const rn_file *file, rn_error *err)
{
    begin->size = rn_min(file->size, sizeof begin->bytes);
    return rn_file_read(file, 0, begin->size, begin->bytes, err);
}

static const rn_format *find_format(const beginning *begin)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].probe(begin->bytes, begin->size)) return &formats[i];
    return NULL;
}

/* Often it is what a clone without Git LFS has in place of the weights. */
static rn_status unknown_format(const rn_file *file, const beginning *begin, rn_error *err)
{
    static const char lfs[] = "version https://git-lfs.github.com/spec/";
    if (file->size == 0) return rn_fail(err, RN_ERR_FORMAT, "the file is empty");
    if (begin->size > sizeof lfs && memcmp(begin->bytes, lfs, sizeof lfs - 1) == 0)
        return rn_fail(err, RN_ERR_FORMAT,
                       "a Git LFS pointer in place of the weights: `git lfs pull` fetches them");
    return rn_fail(err, RN_ERR_FORMAT, "%zu bytes that are neither safetensors, PyTorch nor ONNX",
                   file->size);
}

rn_status rn_format_load_shard(rn_tensors *set, const rn_file *file,
                               const rn_format_options *options, rn_error *err)
{
    beginning begin;
    const rn_status status = read_beginning(&begin, file, err);
    if (status != RN_OK) return status;
    const rn_format *format = find_format(&begin);
    if (!format || format->build || format->load == rn_shards_load)
        return rn_fail(err, RN_ERR_FORMAT, "%zu bytes of no format of tensors", file->size);
    return format->load(set, file, options, err);
}

rn_status rn_format_load(rn_tensors *set, rn_graph *graph, rn_file *file,
                         const rn_format_options *options, rn_error *err)
{
    beginning begin;
    set->file = *file;
    *file = (rn_file){0};
    rn_status status = read_beginning(&begin, &set->file, err);
    if (status != RN_OK) return status;
    const rn_format *format = find_format(&begin);
    if (!format) return unknown_format(&set->file, &begin, err);
    set->format = format->name;
    status = format->load(set, &set->file, options, err);
    if (status == RN_OK) status = rn_tensors_sort(set, err);
    if (status == RN_OK && format->build) status = format->build(graph, set, options, err);
    return status;
}
