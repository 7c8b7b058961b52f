/* The ONNX reader's own header: what onnx_file.c, onnx_graph.c, onnx_node.c and onnx_ops.c share.
 *
 * onnx_skeleton.c  the file without the bytes of its tensors
 * onnx_file.c   that -> the parsed document; every tensor's size is checked
 * onnx_external.c  where a tensor's bytes are: in this file, or in another one
 * onnx_graph.c  walks the document's nodes in order and keeps what each name stands for
 * onnx_node.c   what an import function asks about its node: inputs, attributes, windows
 * onnx_ops.c    one row per ONNX operator: its import function
 * onnx_elementwise.c  import functions of operators that compute number by number
 * onnx_shape.c  import functions of operators that change a shape
 * onnx_maps.c   import functions of operators on maps: padding, slices, norms over groups
 * onnx_floats.c    arithmetic on constants: weights that the file computes
 * onnx_integers.c  import functions that compute shapes
 * onnx_quant.c  import functions of operators on 8-bit integers
 *
 * ONNX keeps the batch in every shape, the graph leaves it out: N x C x H x W is a value of rank 3
 * there and N x F one of rank 1. A file may see a value in another shape for a while: its view says
 * how. Nothing else is served. One thread. */
#ifndef RN_FORMATS_ONNX_H
#define RN_FORMATS_ONNX_H

#include "base/error.h"
#include "formats/format.h"

typedef struct Onnx__Model Onnx__Model;
typedef struct Onnx__Node Onnx__Node;
typedef struct Onnx__Tensor Onnx__Tensor;
typedef struct Onnx__Attribute Onnx__Attribute;

/* The public format's numbers for element types; those that are not here are never read. */
typedef enum {
    RN_ONNX_FLOAT = 1,
    RN_ONNX_UINT8 = 2,
    RN_ONNX_INT8 = 3,
    RN_ONNX_INT32 = 6,
    RN_ONNX_INT64 = 7,
    RN_ONNX_BOOL = 9,
    RN_ONNX_FLOAT16 = 10,
    RN_ONNX_DOUBLE = 11,
    RN_ONNX_BFLOAT16 = 16,
} rn_onnx_type;

/* rn_tensors.document of an ONNX file. */
typedef struct {
    Onnx__Model *model;
    size_t memory; /* bytes that parsing may still take */
    bool starved;  /* an allocation failed */
    size_t floats; /* weights that nodes may still use, however they share them */
    void **owned;  /* freed with the document */
    size_t owned_count, owned_capacity;
    Onnx__Tensor **attached; /* their raw_data is not the document's */
    size_t attached_count, attached_capacity;
} rn_onnx_document;

/* So many bytes of weights came in: what nodes may use grows with them. */
void rn_onnx_count_file(rn_onnx_document *doc, size_t size);

/* What the skeleton has in place of a tensor's raw_data. */
typedef struct {
    uint64_t offset, size; /* in the file */
} rn_onnx_raw;

/* The file's message with an rn_onnx_raw for each raw_data that is not empty; to be freed. NULL
 * with *err filled. */
uint8_t *rn_onnx_skeleton(const rn_file *file, size_t *size, rn_error *err);

/* Where the bytes of a tensor are. */
typedef struct {
    rn_file file;
    size_t offset, size;
} rn_onnx_place;

/* onnx_external.c: gives a tensor of the skeleton its bytes, of this file or of another one. Large
 * ones of floats stay there: raw_data.len is set and raw_data.data NULL. *place has size 0 when the
 * numbers stand in a field of their own. Once for each tensor; rn_onnx_detach() before the document
 * is freed. */
rn_status rn_onnx_attach(rn_tensors *set, Onnx__Tensor *proto, const rn_format_options *options,
                         rn_onnx_place *place, rn_error *err);
void rn_onnx_detach(rn_onnx_document *doc);

/* Memory that lives as long as the document. */
void *rn_onnx_alloc(rn_onnx_document *doc, size_t count, size_t size, rn_error *err);

/* A tensor whose value is known now. */
typedef struct {
    const Onnx__Tensor *proto; /* NULL: computed here */
    const char *name;          /* of the tensor in the set, when proto is there */
    int32_t type;              /* rn_onnx_type */
    const float *floats;       /* NULL: ask rn_onnx_floats(). Of an integer type: whole numbers */
    const int64_t *ints;       /* computed integers, unless `floats` has them */
    size_t rank, dims[RN_MAX_RANK];
    size_t elements;
} rn_onnx_constant;

/* Fills *constant from the document's tensor of that name and checks that its data has the shape's
 * size. */
rn_status rn_onnx_read_tensor(rn_onnx_constant *constant, const Onnx__Tensor *proto,
                              const char *name, rn_error *err);

/* Element i of a tensor of integers; only after rn_onnx_is_integer(). */
int64_t rn_onnx_integer(const rn_onnx_constant *constant, size_t i);
bool rn_onnx_is_integer(const rn_onnx_constant *constant);

/* What a name stands for. */
typedef enum { RN_ONNX_UNSET, RN_ONNX_VALUE, RN_ONNX_CONSTANT } rn_onnx_kind;
/* How the file's shape of a value differs from the graph's. */
typedef enum {
    RN_ONNX_AS_IS,
    RN_ONNX_VECTOR,    /* one pixel: C is axis `axis` of `rank`, the others but the batch are 1 */
    RN_ONNX_GROUPED,   /* N x groups x what remains of C x H x W */
    RN_ONNX_EXPANDED,  /* one pixel, repeated to `dims` */
    RN_ONNX_REFLECTED, /* with a border of one pixel that mirrors it */
} rn_onnx_form;
typedef struct {
    rn_onnx_form form;
    size_t rank, axis, groups;
    rn_shape dims;
} rn_onnx_view;

typedef struct {
    const char *name;
    rn_onnx_kind kind;
    int value;                  /* VALUE: of the graph */
    rn_onnx_view view;          /* VALUE */
    rn_onnx_constant *constant; /* CONSTANT */
} rn_onnx_name;

typedef struct {
    rn_graph *graph;
    rn_tensors *set;
    rn_onnx_document *doc;
    const rn_format_options *options;
    int64_t opset;
    int64_t batch;      /* that the model's input asks for; 0: any */
    rn_onnx_name *name; /* sorted */
    size_t names;
} rn_onnx_importer;

/* ---- for import functions -------------------------------------------------------------------- */

/* One node while it is imported. The first failure is kept in `status` and makes every later call
 * a no-op that answers 0, NULL or -1, so that import functions need not check each. */
typedef struct {
    rn_onnx_importer *im;
    const Onnx__Node *proto;
    const struct rn_onnx_op *row; /* of the table of operators */
    uint64_t asked;               /* bit i: attribute i is known to the import function */
    rn_status status;
    bool named; /* *err says which node it is about */
    rn_error *err;
} rn_onnx_node;

typedef void rn_onnx_import(rn_onnx_node *node);

#define RN_ONNX_PARAMETERS 2

typedef struct rn_onnx_op {
    const char *type;
    size_t least, most; /* inputs */
    rn_onnx_import *import;
    const char *domain; /* "": ONNX's own */
    rn_op op;           /* elementwise: of the graph */
    struct {
        const char *name;
        double fallback;
    } parameter[RN_ONNX_PARAMETERS]; /* elementwise: attributes that are the operator's parameters
                                      */
} rn_onnx_op;

/* onnx_shape.c */
rn_onnx_import rn_onnx_import_flatten, rn_onnx_import_reshape, rn_onnx_import_squeeze;
rn_onnx_import rn_onnx_import_unsqueeze, rn_onnx_import_transpose, rn_onnx_import_expand;
typedef struct {
    size_t rank;
    int64_t size[4]; /* the batch first */
} rn_onnx_sizes;
/* The shape that the file sees; the batch is 0. */
void rn_onnx_shape_of(rn_shape dims, const rn_onnx_view *view, rn_onnx_sizes *out);
/* One number per channel as C x 1 x 1, whatever made it. */
int rn_onnx_map(rn_onnx_node *node, int value);

/* onnx_maps.c */
rn_onnx_import rn_onnx_import_concat, rn_onnx_import_pad, rn_onnx_import_slice;
rn_onnx_import rn_onnx_import_instance_norm, rn_onnx_import_group_norm;
void rn_onnx_conv_along_channels(rn_onnx_node *node, int x, const rn_onnx_view *view);
void rn_onnx_conv_reflected(rn_onnx_node *node, int x);

/* onnx_floats.c: of constants of floats */
rn_onnx_import rn_onnx_reshape_floats, rn_onnx_mean_floats;
void rn_onnx_flatten_floats(rn_onnx_node *node, int64_t axis);
void rn_onnx_compute_floats(rn_onnx_node *node, rn_op op); /* binary */
/* A computed constant of floats that has the shape of *shape. */
void rn_onnx_emit_floats(rn_onnx_node *node, const rn_onnx_constant *shape, const float *floats);
bool rn_onnx_has_float_constants(const rn_onnx_node *node); /* inputs 0 and 1 */

/* onnx_quant.c */
rn_onnx_import rn_onnx_import_quantize, rn_onnx_import_dequantize, rn_onnx_import_qlinear_conv;
rn_onnx_import rn_onnx_import_qlinear_mat_mul, rn_onnx_import_qlinear_add;
rn_onnx_import rn_onnx_import_qlinear_pool;

/* onnx_elementwise.c */
rn_onnx_import rn_onnx_import_unary, rn_onnx_import_binary, rn_onnx_import_many;
rn_onnx_import rn_onnx_import_gelu, rn_onnx_import_clip, rn_onnx_import_prelu;
/* Whether the constant, combined with N x C x H x W or N x F as NumPy does, has one number per
 * channel, or one for all. */
bool rn_onnx_is_per_channel(const rn_onnx_constant *constant, rn_shape shape);

/* onnx_ops.c, for onnx_quant.c: one graph node each; its value, or -1. The convolution reads the
 * node's window; `shape` is that of its weight. */
int rn_onnx_add_conv(rn_onnx_node *node, int x, const rn_onnx_constant *shape, rn_constant weight,
                     rn_constant bias);
typedef struct {
    bool turned;   /* the matrix is (outputs, inputs), not the other way round */
    double factor; /* of the whole matrix */
} rn_onnx_matrix;
int rn_onnx_add_linear(rn_onnx_node *node, int x, rn_onnx_constant *matrix, rn_onnx_matrix how,
                       rn_constant bias);
int rn_onnx_add_constant(rn_onnx_node *node, int x, rn_onnx_constant *constant);
/* weight * x + bias, (c) each; either may be NULL. */
int rn_onnx_add_affine(rn_onnx_node *node, int x, const float *weight, const float *bias);
void rn_onnx_transpose_constant(rn_onnx_node *node);
/* The decimal number that was stored as a float: other formats have 1e-5 as a double, and the same
 * network shall give the same bits. */
double rn_onnx_decimal(double stored);

/* onnx_integers.c. What Shape answers for a batch of any size: it can be passed on, but not be
 * computed with. */
#define RN_ONNX_OPEN_BATCH INT64_MIN
bool rn_onnx_has_integers(rn_onnx_node *node, size_t input);
rn_onnx_import rn_onnx_import_shape, rn_onnx_import_constant_of_shape;
rn_onnx_import rn_onnx_import_gather, rn_onnx_import_cast;
rn_onnx_import rn_onnx_slice_integers, rn_onnx_unsqueeze_integers, rn_onnx_reshape_integers;
rn_onnx_import rn_onnx_join_integers, rn_onnx_transpose_integers;
void rn_onnx_compute_integers(rn_onnx_node *node, char operation); /* one of + - * / */

/* NULL: the operator isn't served. */
const rn_onnx_op *rn_onnx_find_op(const char *domain, const char *type);

void rn_onnx_fail(rn_onnx_node *node, const char *format, ...) RN_PRINTF(2, 3);

/* Inputs. An optional one that is left out isn't there. */
bool rn_onnx_has(const rn_onnx_node *node, size_t input);
bool rn_onnx_is_constant(const rn_onnx_node *node, size_t input);
int rn_onnx_value(rn_onnx_node *node, size_t input); /* the graph's value, seen as it is */
/* The same, whatever its view. */
int rn_onnx_viewed(rn_onnx_node *node, size_t input, rn_onnx_view *view);
rn_shape rn_onnx_dims(const rn_onnx_node *node, int value);
rn_onnx_constant *rn_onnx_constant_of(rn_onnx_node *node, size_t input);
const float *rn_onnx_floats(rn_onnx_node *node, rn_onnx_constant *constant);
/* Exactly `size` floats; NULL when the input isn't there. */
const float *rn_onnx_vector(rn_onnx_node *node, size_t input, size_t size);
/* The same two for graph nodes: the numbers may stay in the file until the plan needs them. None
 * on failure, or when the input isn't there. */
rn_constant rn_onnx_weight(rn_onnx_node *node, rn_onnx_constant *constant);
rn_constant rn_onnx_weight_vector(rn_onnx_node *node, size_t input, size_t size);
/* At most `most` integers; returns how many. */
size_t rn_onnx_integers(rn_onnx_node *node, size_t input, int64_t *out, size_t most);

/* Attributes. An attribute that no call names makes the node unknown. */
const Onnx__Attribute *rn_onnx_attribute(rn_onnx_node *node, const char *name, int32_t type);
int64_t rn_onnx_int(rn_onnx_node *node, const char *name, int64_t fallback);
double rn_onnx_float(rn_onnx_node *node, const char *name, double fallback);
bool rn_onnx_text_is(rn_onnx_node *node, const char *name, const char *text, bool fallback);
size_t rn_onnx_list(rn_onnx_node *node, const char *name, int64_t *out, size_t most);
void rn_onnx_ignore(rn_onnx_node *node, const char *name); /* known, and without effect here */
enum {
    RN_ONNX_A_FLOAT = 1,
    RN_ONNX_A_INT,
    RN_ONNX_A_STRING,
    RN_ONNX_A_TENSOR,
    RN_ONNX_A_FLOATS = 6,
    RN_ONNX_A_INTS
};

/* kernel_shape, strides, pads, dilations, auto_pad and ceil_mode. kh and kw: those of the weights,
 * or 0. */
void rn_onnx_window(rn_onnx_node *node, rn_shape in, size_t kh, size_t kw, rn_window *window);

/* Results. Memory for a weight of `count` floats; counts against what the file may unfold to. */
float *rn_onnx_new_floats(rn_onnx_node *node, size_t count);
/* Counts one more use of so many floats; false with the failure kept when it is one too many. */
bool rn_onnx_count_floats(rn_onnx_node *node, size_t count);
/* Adds the graph node, under this node's name; output 0 stands for it. */
void rn_onnx_emit(rn_onnx_node *node, const rn_node *graph_node, const int *src, size_t inputs);
/* The same in the middle of an import: returns the value, output 0 is left alone. */
int rn_onnx_add(rn_onnx_node *node, const rn_node *graph_node, const int *src, size_t inputs);
void rn_onnx_emit_value(rn_onnx_node *node, int value);
void rn_onnx_emit_view(rn_onnx_node *node, int value, const rn_onnx_view *view);
void rn_onnx_emit_constant(rn_onnx_node *node, const rn_onnx_constant *constant);
/* Output 0 is the input itself. */
void rn_onnx_emit_alias(rn_onnx_node *node, size_t input);

/* For onnx_node.c: what the importer knows under a name, or NULL. */
rn_onnx_name *rn_onnx_lookup(const rn_onnx_importer *im, const char *name);

#endif
