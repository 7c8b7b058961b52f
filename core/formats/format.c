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

/* What is often found in place of weights, by the bytes at a place, and the way out. */
static const struct {
    size_t at;
    const char *bytes, *says;
} others[] = {
    {0, "version https://git-lfs.github.com/spec/",
     "a Git LFS pointer in place of the weights: `git lfs pull` fetches them"},
    {0, "\x89HDF\r\n\x1a\n", "an HDF5 file (Keras): export the network to ONNX with tf2onnx"},
    {4, "TFL3", "a TensorFlow Lite file: export the network to ONNX with tf2onnx"},
    {4, "ORTM", "an ORT file: serve the .onnx file that it was made from"},
    {0, "ptrt", "a TensorRT engine: serve the .onnx file that it was made from"},
    {0, "GGUF", "a GGUF file, which holds a language model: no network for pictures"},
    {0, "\x1f\x8b", "a gzip archive (.tar.gz): unpack it and serve the file in it"},
    {0, "<!DOCTYPE html", "an HTML page in place of the file: download the file itself"},
    {0, "<!doctype html", "an HTML page in place of the file: download the file itself"},
    {0, "<html", "an HTML page in place of the file: download the file itself"},
    {0, "<?xml", "an XML file (OpenVINO's?): serve the .onnx file that it was made from"},
    {0, "7767517", "an ncnn file: serve the .onnx file that it was made from"},
};

static rn_status unknown_format(const rn_file *file, const beginning *begin, rn_error *err)
{
    if (file->size == 0) return rn_fail(err, RN_ERR_FORMAT, "the file is empty");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const size_t length = strlen(others[i].bytes);
        if (begin->size >= others[i].at + length &&
            memcmp(begin->bytes + others[i].at, others[i].bytes, length) == 0)
            return rn_fail(err, RN_ERR_FORMAT, "%s", others[i].says);
    }
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
