/* resnet.h - the whole public API of the residual-network engine.
 *
 * A model is loaded once and never changes after that: share it between threads. A session is one
 * caller's scratch memory and thread team: one call at a time.
 *
 * Memory: callers own every buffer they pass; nothing is kept after a call, except where a comment
 *         says so. rn_session_run() never allocates.
 * Errors: fallible calls return an rn_status and fill *err on failure only; handles are set only on
 *         RN_OK. err may be NULL. The library never prints, exits, or aborts on bad input.
 * Layout: images are float32, row-major, N x C x H x W; outputs are N x (classes), or
 *         N x C x H x W for a network that ends in a map.
 */
#ifndef RESNET_H
#define RESNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RN_VERSION "0.1.0"

typedef struct rn_model rn_model;
typedef struct rn_session rn_session;

typedef enum {
    RN_OK,
    RN_ERR_ARGUMENT,  /* the caller's values make no sense */
    RN_ERR_IO,        /* a file can't be opened or read */
    RN_ERR_FORMAT,    /* a file, or the network in it, can't be served */
    RN_ERR_MEMORY,    /* an allocation failed */
    RN_ERR_CPU,       /* an instruction set was asked for that this CPU lacks */
    RN_ERR_CANCELLED, /* the session's `cancelled` said so */
} rn_status;

typedef struct {
    rn_status status;
    char text[240]; /* one line, no newline; names the tensor, layer or key it is about */
} rn_error;

/* ---- models ---------------------------------------------------------------------------------- */

/* Zero is the default for every field: `rn_model_options opt = {0};` */
typedef struct {
    size_t input_height, input_width; /* 0: what the model's config says, else 224 */
    const char *isa;    /* highest instruction set to use: one of rn_isa_names(); NULL: the best */
    const char *config; /* rn_model_load_memory(): the text of config.json, or NULL */
    size_t config_size; /* bytes of `config` */
    size_t max_header;  /* bytes of a weights file's header; 0: 16 MiB */
} rn_model_options;

/* How a picture becomes an input: it is turned upright and, for an input of one channel, made grey;
 * it is scaled, antialiased as PIL does it; what the input shows is cut out of its middle;
 * channels, as values from 0 to 1, are normalised. */

/* The filter of the resize, numbered as PIL does. */
typedef enum { RN_NEAREST, RN_LANCZOS, RN_BILINEAR, RN_BICUBIC, RN_BOX, RN_HAMMING } rn_filter;

typedef enum {
    RN_FIT_COVER,   /* ratio kept, to the smallest size that covers height x width */
    RN_FIT_INSIDE,  /* ratio kept, to the largest size within; beside it the input is `mean` */
    RN_FIT_STRETCH, /* to height x width */
    RN_FIT_NONE,    /* not scaled */
} rn_fit;

/* Where the middle begins when an odd number of rows or columns is left over. */
typedef enum {
    RN_CROP_EVEN,  /* half of it, rounded to even: torchvision and timm; padding is less before */
    RN_CROP_FLOOR, /* half of it, rounded down: Hugging Face; padding is more before */
} rn_crop;

typedef struct {
    rn_fit fit;
    size_t height, width; /* of `fit`, each 1 to 2^30 */
    rn_filter filter;
    float mean[3], std[3]; /* of each channel of the input: (value - mean) / std */
    rn_crop crop;
    bool bgr;    /* the input's channels are blue, green, red */
    bool orient; /* turned upright, as EXIF or XMP in the file says; else taken as it lies there */
} rn_preprocessing;

typedef struct {
    const char *arch;   /* "resnet50", "layers", ... */
    const char *format; /* "safetensors", ... */
    const char *isa;    /* the instruction set that the kernels were chosen for */
    const char *digest; /* SHA-256 of the weights file, 64 hex digits; of several: of theirs */
    size_t input[3];    /* C, H, W */
    size_t output_rank; /* 1: classes, 3: C, H, W */
    size_t output[3];   /* the unused ones are 1 */
    size_t output_size; /* floats of one sample's output */
    size_t input_size;  /* floats of one sample's input: C * H * W */
    rn_preprocessing preprocess;
    size_t labels;     /* 0: the model names no classes */
    size_t parameters; /* trained numbers in the file that the network uses */
    uint64_t
        macs; /* multiply-accumulates of the direct convolutions and linear layers, one image */
    size_t layers;           /* steps of the plan: rn_model_layer() */
    size_t notes;            /* what was inferred, and from where: rn_model_note() */
    size_t weight_bytes;     /* packed weights and biases held by the model */
    size_t activation_bytes; /* arena that a session needs for one image */
} rn_model_info;

/* One step of the plan: what is executed as a whole. Strings live as long as the model. */
typedef struct {
    const char *name;     /* the layer's name in the weights: "layer1.0.conv1" */
    const char *op;       /* the operator: "Conv2d", "MaxPool2d", ... */
    const char *impl;     /* the implementation chosen: "gemm_blas", "ref", ... */
    char fused[64];       /* what runs in its store: "", "ReLU", "Add+ReLU", "ReLU+Add", ... */
    char detail[64];      /* "3x3 stride 2 pad 1 groups 32" */
    size_t in[3], out[3]; /* C, H, W */
    size_t parameters;
    uint64_t macs;
} rn_layer_info;

/* Loads a weights file, or a directory that holds one (and its config.json). Everything is checked
 * and packed here, by a thread per CPU when it is much; the weights are in memory once however many
 * sessions follow, and the file is closed. */
rn_status rn_model_load(rn_model **out, const char *path, const rn_model_options *opt,
                        rn_error *err);

/* The same from memory. `bytes` are not kept. */
rn_status rn_model_load_memory(rn_model **out, const void *bytes, size_t size,
                               const rn_model_options *opt, rn_error *err);

const rn_model_info *rn_model_info_of(const rn_model *model);
bool rn_model_layer(const rn_model *model, size_t index, rn_layer_info *layer);
const char *rn_model_note(const rn_model *model, size_t index);
/* The class's name, or NULL when the model names none. */
const char *rn_model_label(const rn_model *model, size_t cls);

/* Models are counted: one reference from load, one more for each retain. Any thread. */
rn_model *rn_model_retain(rn_model *model);
void rn_model_release(rn_model *model);

/* ---- sessions -------------------------------------------------------------------------------- */

typedef struct {
    size_t threads;   /* 0: 1 */
    size_t sub_batch; /* images that go through the layers together on one thread; 0: the default */
    bool profile;     /* add up each layer's seconds: rn_session_profile() */
    bool pin;         /* bind the team's threads to the CPUs this process may use */
    /* Asked between layers, from any of the session's threads; true ends the run with
     * RN_ERR_CANCELLED. NULL: never. */
    bool (*cancelled)(void *context);
    void *context;
} rn_session_options;

/* Retains the model. */
rn_status rn_session_new(rn_session **out, rn_model *model, const rn_session_options *opt,
                         rn_error *err);

/* images: n * input_size floats; outputs: n * output_size floats. Any n > 0: a batch larger than
 * the session's arena is run in parts. On failure the outputs are undefined. */
rn_status rn_session_run(rn_session *session, const float *images, size_t n, float *outputs,
                         rn_error *err);

/* seconds: one number for each layer of the model, added up over all runs since the last call. */
void rn_session_profile(rn_session *session, double *seconds);
/* Bytes of the session's own memory: arenas and scratch. */
size_t rn_session_bytes(const rn_session *session);
void rn_session_free(rn_session *session);

/* ---- helpers --------------------------------------------------------------------------------- */

/* The k largest logits, best first, ties by the lower class; score is the softmax probability
 * (computed in double, stable for any finite input). Returns min(k, classes). */
size_t rn_top_k(const float *logits, size_t classes, size_t k, size_t *cls, float *score);

/* Names of the instruction sets this CPU has, worst first, NULL-terminated: "portable", "avx2", ...
 */
const char *const *rn_isa_names(void);
/* Floating-point operations a second that one thread reaches with this instruction set (NULL: the
 * best), measured by multiply-adds on registers, about 20 ms; 0: not known, as for "portable". */
double rn_isa_peak(const char *isa);

#ifdef __cplusplus
}
#endif
#endif
