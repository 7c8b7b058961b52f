/* ONNX: which graph a model becomes, what its operators compute, and every refusal with the node's
 * name and operator. Whole networks are compared with PyTorch by the golden cases. */
#include "check_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "onnx_builder.h"

static rn_error fault;
static rn_tensors set;
static rn_graph graph;
static uint8_t *bytes;

static rn_status load_bytes(const uint8_t *from, size_t size)
{
    rn_file file = {.bytes = from, .size = size};
    fault = (rn_error){0};
    set = (rn_tensors){0};
    rn_graph_init(&graph);
    return rn_format_load(&set, &graph, &file, &(rn_format_options){0}, &fault);
}

static rn_status load(int64_t opset, const char *text)
{
    size_t size;
    bytes = onnx_build(opset, text, &size);
    return load_bytes(bytes, size);
}

static void unload(void)
{
    rn_graph_release(&graph);
    rn_tensors_release(&set);
    free(bytes);
    bytes = NULL;
}

/* ---- the graph ------------------------------------------------------------------------------- */

/* Graphs as one line of text: operators with what decides about them, in order. */
static void describe(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < graph.count; i++) {
        const rn_node *n = &graph.node[i];
        const rn_window *w = &n->window;
        char dims[64];
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s(", i ? " " : "", rn_op_name(n->op));
        for (size_t k = 0; k < n->inputs; k++)
            used += (size_t)snprintf(text + used, size - used, "%s%d", k ? "," : "", n->src[k]);
        used += (size_t)snprintf(text + used, size - used, ")");
        if (w->kh)
            used += (size_t)snprintf(text + used, size - used, "%zux%zu/%zu,%zu+%zu,%zu,%zu,%zu",
                                     w->kh, w->kw, w->stride_h, w->stride_w, w->pad_top,
                                     w->pad_left, w->pad_bottom, w->pad_right);
        used +=
            (size_t)snprintf(text + used, size - used, "=%s",
                             rn_shape_write(rn_graph_shape(&graph, n->value), dims, sizeof dims));
    }
    snprintf(text + used, size - used, " -> %d", graph.outputs ? graph.output[0].value : -1);
}

#define FC   "floats w 5,3;"
#define POOL "input x N,3,7,8;output y;"
#define VIEW(unsqueeze)                                                    \
    "tensor i 7 . zeros 8;Constant > zero value=@i;ints m -1;Shape x > s;" \
    "Gather s zero > g;" unsqueeze ";Concat u m > t axis=0;Reshape x t > y"
#define ROW    "GlobalAveragePool x > p;ints o 0,1,-1;Reshape p o > r;"
#define MIRROR "ints p 0,0,1,1,0,0,1,1;Pad x p > r mode=reflect;"
#define ECA    "floats w 1,1,3;" ROW "Conv r w > c pads=1,1 kernel_shape=3,;Sigmoid c > g;"
static const struct {
    int64_t opset;
    const char *model, *graph;
} good[] = {
    /* windows */
    {9, POOL "floats w 4,3,3,3;floats b 4;Conv x w b > y pads=1,1,1,1 strides=2,2",
     "Input()=3x7x8 Conv2d(0)3x3/2,2+1,1,1,1=4x4x4 -> 1"},
    {9, POOL "floats w 6,1,3,2;Conv x w > y group=3 kernel_shape=3,2 pads=0,1,2,0",
     "Input()=3x7x8 Conv2d(0)3x2/1,1+0,1,2,0=6x7x8 -> 1"},
    {9, POOL "floats w 4,3,3,3;Conv x w > y auto_pad=SAME_UPPER strides=2,2",
     "Input()=3x7x8 Conv2d(0)3x3/2,2+1,0,1,1=4x4x4 -> 1"},
    {9, POOL "floats w 4,3,3,3;Conv x w > y auto_pad=SAME_LOWER strides=2,2",
     "Input()=3x7x8 Conv2d(0)3x3/2,2+1,1,1,0=4x4x4 -> 1"},
    {9, POOL "floats w 4,3,3,3;Conv x w > y auto_pad=SAME_UPPER dilations=2,2",
     "Input()=3x7x8 Conv2d(0)3x3/1,1+2,2,2,2=4x7x8 -> 1"},
    {9, POOL "floats w 4,3,1,1;Conv x w > y auto_pad=SAME_LOWER strides=3,3",
     "Input()=3x7x8 Conv2d(0)1x1/3,3+0,0,0,0=4x3x3 -> 1"},
    {9, POOL "floats w 4,3,3,3;Conv x w > y auto_pad=VALID",
     "Input()=3x7x8 Conv2d(0)3x3/1,1+0,0,0,0=4x5x6 -> 1"},
    {9, POOL "MaxPool x > y kernel_shape=3,2 strides=2,2 pads=1,1,1,1 storage_order=1",
     "Input()=3x7x8 MaxPool2d(0)3x2/2,2+1,1,1,1=3x4x5 -> 1"},
    {10, POOL "MaxPool x > y kernel_shape=2,2 strides=2,2 ceil_mode=1",
     "Input()=3x7x8 MaxPool2d(0)2x2/2,2+0,0,0,0=3x4x4 -> 1"},
    {10, POOL "AveragePool x > y kernel_shape=2,2 count_include_pad=1",
     "Input()=3x7x8 AvgPool2d(0)2x2/1,1+0,0,0,0=3x6x7 -> 1"},
    {9, POOL "GlobalAveragePool x > y", "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 -> 1"},
    {9, POOL "ReduceMean x > y axes=2,3", "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 -> 1"},
    {11, POOL "ReduceMean x > y axes=-1,-2 keepdims=0",
     "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 Flatten(1)=3 -> 2"},
    {18, POOL "ints a 2,3;ReduceMean x a > y", "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 -> 1"},
    {9, POOL "MaxPool x > y kernel_shape=3,3 strides=2,2 pads=2,2,2,2",
     "Input()=3x7x8 MaxPool2d(0)3x3/2,2+2,2,2,2=3x5x5 -> 1"},
    /* gates */
    {11, POOL ECA "ints b 0,-1,1,1;Reshape g b > h;Mul x h > y",
     "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 Conv1d(1)3x0/1,1+0,0,0,0=3x1x1 Sigmoid(2)=3x1x1 "
     "Mul(0,3)=3x7x8 -> 4"},
    {11, POOL ECA "Transpose g > t perm=0,2,1;Unsqueeze t > u axes=3,;Mul u x > y",
     "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 Conv1d(1)3x0/1,1+0,0,0,0=3x1x1 Sigmoid(2)=3x1x1 "
     "Mul(3,0)=3x7x8 -> 4"},
    {11, POOL ECA "ints b 0,3,1,1;Reshape g b > h;Shape x > s;Expand h s > e;Mul x e > y",
     "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 Conv1d(1)3x0/1,1+0,0,0,0=3x1x1 Sigmoid(2)=3x1x1 "
     "Mul(0,3)=3x7x8 -> 4"},
    {13,
     POOL "floats w 1,1,1;GlobalAveragePool x > p;ints a -1;Squeeze p a > q;Transpose q > t "
          "perm=0,2,1;Conv t w > c;Transpose c > d perm=0,2,1;Unsqueeze d a > u;Sigmoid u > g;"
          "Mul x g > y",
     "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 Conv1d(1)1x0/1,1+0,0,0,0=3x1x1 Sigmoid(2)=3x1x1 "
     "Mul(0,3)=3x7x8 -> 4"},
    {11,
     POOL "floats w 5,3;floats v 3,5;GlobalAveragePool x > p;Flatten p > f;Gemm f w > a transB=1;"
          "Relu a > b;Gemm b v > c transB=1;Sigmoid c > d;ints s 0,3,1,1;Reshape d s > g;"
          "Mul x g > y",
     "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 Flatten(1)=3 Linear(2)=5 ReLU(3)=5 Linear(4)=3 "
     "Sigmoid(5)=3 Conv2d(1)1x1/1,1+0,0,0,0=5x1x1 ReLU(7)=5x1x1 Conv2d(8)1x1/1,1+0,0,0,0=3x1x1 "
     "Sigmoid(9)=3x1x1 Mul(0,10)=3x7x8 -> 11"},
    /* every second pixel, channels of zeros, groups, blurs */
    {11, POOL "ints z 0,0;ints e 9,9223372036854775807;ints a 2,3;ints t 2,2;Slice x z e a t > y",
     "Input()=3x7x8 MaxPool2d(0)1x1/2,2+0,0,0,0=3x4x4 -> 1"},
    {9, POOL "Slice x > y starts=0,0 ends=7,8 axes=-2,-1", "Input()=3x7x8 -> 0"},
    {9, POOL "Slice x > s starts=0, ends=9, axes=2,;Relu s > y",
     "Input()=3x7x8 ReLU(0)=3x7x8 -> 1"},
    {9, POOL "Pad x > y pads=0,1,0,0,0,2,0,0", "Input()=3x7x8 ChannelPad(0)=6x7x8 -> 1"},
    {18, POOL "ints p 1,2,1,0;ints a 1,-1;Pad x p - a > y",
     "Input()=3x7x8 ChannelPad(0)=5x7x8 ZeroPad2d(1)=5x7x10 -> 2"},
    {18, POOL "ints p 1,2,3,0;ints a 2,-1;Pad x p - a > y",
     "Input()=3x7x8 ZeroPad2d(0)=3x11x10 -> 1"},
    {11,
     "input x N,4,7,8;output y;floats s 2;ints g 0,2,-1;Reshape x g > r;InstanceNormalization r s "
     "s > i;Shape x > d;Reshape i d > y",
     "Input()=4x7x8 GroupNorm(0)=4x7x8 -> 1"},
    {11, POOL "floats s 3;InstanceNormalization x s s > y",
     "Input()=3x7x8 GroupNorm(0)=3x7x8 -> 1"},
    {18, POOL "floats s 1;GroupNormalization x s s > y num_groups=1",
     "Input()=3x7x8 GroupNorm(0)=3x7x8 -> 1"},
    {21, POOL "floats s 3;GroupNormalization x s s > y num_groups=1",
     "Input()=3x7x8 GroupNorm(0)=3x7x8 -> 1"},
    /* weights that are computed */
    {9,
     POOL "floats w 4,3,1,1;Flatten w > f axis=1;ReduceMean f > m axes=1,;Sub f m > d;Mul d d > s;"
          "ReduceMean s > v axes=-1,;floats e .;Mul e e > h;Add v h > a;Sqrt a > r;Div d r > z;"
          "ints t 4,3,1,-1;Reshape z t > k;Conv x k > y",
     "Input()=3x7x8 Conv2d(0)1x1/1,1+0,0,0,0=4x7x8 -> 1"},
    /* shapes */
    {14, "input x 1,3,7,8;output y;ints s 1,168;Reshape x s > y allowzero=1",
     "Input()=3x7x8 Flatten(0)=168 -> 1"},
    {9, POOL "Flatten x > y", "Input()=3x7x8 Flatten(0)=168 -> 1"},
    {11, POOL "Flatten x > y axis=-3", "Input()=3x7x8 Flatten(0)=168 -> 1"},
    {9, POOL "ints s 0,-1;Reshape x s > y", "Input()=3x7x8 Flatten(0)=168 -> 1"},
    {9, POOL "ints s -1,168;Reshape x s > y", "Input()=3x7x8 Flatten(0)=168 -> 1"},
    {9, "input x 2,3,7,8;output y;ints s 2,168;Reshape x s > y",
     "Input()=3x7x8 Flatten(0)=168 -> 1"},
    {9, POOL "Relu x > r;ints s 0,3,-1,8;Reshape r s > y", "Input()=3x7x8 ReLU(0)=3x7x8 -> 1"},
    {9, "input x N,4;output y;Relu x > r;Flatten r > f;ints s 0,0;Reshape f s > y",
     "Input()=4 ReLU(0)=4 -> 1"},
    {9, "input x N,3,H,W;output y;Relu x > y", "Input()=3x224x224 ReLU(0)=3x224x224 -> 1"},
    /* aliases */
    {13, POOL "floats w 4,3,1,1;floats b 4;Identity b > c;Identity c > d;Conv x w d > y",
     "Input()=3x7x8 Conv2d(0)1x1/1,1+0,0,0,0=4x7x8 -> 1"},
    {12, POOL "floats r .;Relu x > z;Dropout z r > y mask", "Input()=3x7x8 ReLU(0)=3x7x8 -> 1"},
    {9, "input w 4,3,1,1;" POOL "floats w 4,3,1,1;Conv x w > y",
     "Input()=3x7x8 Conv2d(0)1x1/1,1+0,0,0,0=4x7x8 -> 1"},
    {9, POOL "floats w 4,3,1,1;Constant > c value=@w;Conv x c > y",
     "Input()=3x7x8 Conv2d(0)1x1/1,1+0,0,0,0=4x7x8 -> 1"},
    /* sums */
    {9, POOL "Relu x > r;Add r x > y", "Input()=3x7x8 ReLU(0)=3x7x8 Add(1,0)=3x7x8 -> 2"},
    {9, POOL "Relu x > r;Sum r x r > y",
     "Input()=3x7x8 ReLU(0)=3x7x8 Add(1,0)=3x7x8 Add(2,1)=3x7x8 -> 3"},
    {9, POOL "Sum x > z;Relu z > y", "Input()=3x7x8 ReLU(0)=3x7x8 -> 1"},
    {9, POOL "floats b 3,1,1;Add x b > y", "Input()=3x7x8 BatchNorm2d(0)=3x7x8 -> 1"},
    {9, POOL "floats b 1,3,1,1;Add b x > y", "Input()=3x7x8 BatchNorm2d(0)=3x7x8 -> 1"},
    {9, POOL "floats b .;Add x b > y", "Input()=3x7x8 BatchNorm2d(0)=3x7x8 -> 1"},
    {9,
     POOL "floats s 3;floats b 3;floats m 3;floats v 3;BatchNormalization x s b m v > y "
          "epsilon=0.001 momentum=0.9",
     "Input()=3x7x8 BatchNorm2d(0)=3x7x8 -> 1"},
    {9, POOL "floats b 3,1,1;Sub x b > y", "Input()=3x7x8 BatchNorm2d(0)=3x7x8 -> 1"},
    {9, POOL "floats b 3,1,1;Mul b x > y", "Input()=3x7x8 BatchNorm2d(0)=3x7x8 -> 1"},
    {9, POOL "floats b .;Div x b > y", "Input()=3x7x8 BatchNorm2d(0)=3x7x8 -> 1"},
    {9, POOL "floats b 3,1,1;Sub b x > y", "Input()=3x7x8 BatchNorm2d(0)=3x7x8 -> 1"},
    {9, POOL "floats b .;Div b x > y",
     "Input()=3x7x8 Reciprocal(0)=3x7x8 BatchNorm2d(1)=3x7x8 -> 2"},
    {9, POOL "Relu x > r;Sub r x > s;Div s x > y",
     "Input()=3x7x8 ReLU(0)=3x7x8 Sub(1,0)=3x7x8 Div(2,0)=3x7x8 -> 3"},
    {9, POOL "Relu x > r;Max r x r > s;Mean s x > y",
     "Input()=3x7x8 ReLU(0)=3x7x8 Max(1,0)=3x7x8 Max(2,1)=3x7x8 Add(3,0)=3x7x8 "
     "BatchNorm2d(4)=3x7x8 -> 5"},
    /* activations */
    {9, POOL "Clip x > y min=0.0 max=6.0", "Input()=3x7x8 Hardtanh(0)=3x7x8 -> 1"},
    {13, POOL "floats m .;Clip x m > y", "Input()=3x7x8 Hardtanh(0)=3x7x8 -> 1"},
    {13, POOL "floats m .;Max x m > t;Min m t > y",
     "Input()=3x7x8 Hardtanh(0)=3x7x8 Hardtanh(1)=3x7x8 -> 2"},
    {9, POOL "LeakyRelu x > a alpha=0.5;Elu a > b;Selu b > y",
     "Input()=3x7x8 LeakyReLU(0)=3x7x8 ELU(1)=3x7x8 SELU(2)=3x7x8 -> 3"},
    {9, POOL "floats s 3,1,1;floats t 1;PRelu x s > a;PRelu a t > y",
     "Input()=3x7x8 PReLU(0)=3x7x8 LeakyReLU(1)=3x7x8 -> 2"},
    {20, POOL "Gelu x > a;Gelu a > y approximate=tanh",
     "Input()=3x7x8 GELU(0)=3x7x8 GELU (tanh)(1)=3x7x8 -> 2"},
    {9, POOL "Sqrt x > y", "Input()=3x7x8 Sqrt(0)=3x7x8 -> 1"},
    {13, POOL "tensor e 1 . float 1;Pow x e > y", "Input()=3x7x8 -> 0"},
    {13, POOL "floats e 1;Add e e > f;Tanh f > g;Pow x g > y", "Input()=3x7x8 Power(0)=3x7x8 -> 1"},
    /* maps */
    {9, POOL "Relu x > r;Concat x r x > y axis=1",
     "Input()=3x7x8 ReLU(0)=3x7x8 Concat(0,1)=6x7x8 Concat(2,0)=9x7x8 -> 3"},
    {13, POOL "Relu x > r;Concat x r > y axis=-3",
     "Input()=3x7x8 ReLU(0)=3x7x8 Concat(0,1)=6x7x8 -> 2"},
    {9, POOL "Pad x > y pads=0,0,1,2,0,0,3,4", "Input()=3x7x8 ZeroPad2d(0)=3x11x14 -> 1"},
    {11, POOL "ints p 0,0,1,2,0,0,3,4;tensor v 1 . raw 4;Pad x p > y mode=constant",
     "Input()=3x7x8 ZeroPad2d(0)=3x11x14 -> 1"},
    {9, "input x N,5;output y;Softmax x > y", "Input()=5 Softmax(0)=5 -> 1"},
    {13, "input x N,5;output y;Softmax x > y", "Input()=5 Softmax(0)=5 -> 1"},
    {13, POOL "Softmax x > y axis=1", "Input()=3x7x8 Softmax(0)=3x7x8 -> 1"},
    {9, POOL "GlobalAveragePool x > p;Softmax p > y axis=1",
     "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 Softmax(1)=3x1x1 -> 2"},
    {9, POOL "GlobalAveragePool x > p;Sigmoid p > g;Mul x g > y",
     "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 Sigmoid(1)=3x1x1 Mul(0,2)=3x7x8 -> 3"},
    {9, POOL "GlobalAveragePool x > p;Squeeze p > y axes=3,-2",
     "Input()=3x7x8 AdaptiveAvgPool2d(0)=3x1x1 Flatten(1)=3 -> 2"},
    {10,
     POOL "tensor s 1 . float 1;tensor z 2 . raw 1;QuantizeLinear x s z > q;"
          "MaxPool q > m kernel_shape=2,2;Flatten m > f;DequantizeLinear f s z > y",
     "Input()=3x7x8 FakeQuantize(0)=3x7x8 MaxPool2d(1)2x2/1,1+0,0,0,0=3x6x7 Flatten(2)=126 -> 3"},
    /* x.view(x.size(0), -1) as torch exports it, for any batch and for one */
    {9, POOL VIEW("Unsqueeze g > u axes=0,"), "Input()=3x7x8 Flatten(0)=168 -> 1"},
    {13, POOL VIEW("ints a 0;Unsqueeze g a > u"), "Input()=3x7x8 Flatten(0)=168 -> 1"},
    {9, "input x 5,3,7,8;output y;" VIEW("Unsqueeze g > u axes=0,"),
     "Input()=3x7x8 Flatten(0)=168 -> 1"},
    {9,
     POOL "ints i 1,-1;ints j 0,;Shape x > s;Gather s i > g;ints m -1,;ints k 3;Concat m g k > "
          "d;Gather d j > z;Relu x > y",
     "Input()=3x7x8 ReLU(0)=3x7x8 -> 1"},
    /* the padding 3,4,1,2 of columns and rows, and how torch computes ONNX's from it */
    {13,
     POOL "ints p 3,4,1,2;ints eight 8;ints zero 0;ints last -1;ints pairs -1,2;"
          "ints begin -9223372036854775807;Shape p > n;Sub eight n > k;ints z 0;"
          "ConstantOfShape k > rest value=@z;Cast p > q to=7;Concat q rest > all axis=0;"
          "Reshape all pairs > m;Slice m last begin zero last > r;Transpose r > t perm=1,0;"
          "Reshape t last > pads;Pad x pads > y",
     "Input()=3x7x8 ZeroPad2d(0)=3x10x15 -> 1"},
    /* matrices */
    {9, "input x N,3;output y;floats w 3,5;MatMul x w > y", "Input()=3 Linear(0)=5 -> 1"},
    {9, "input x N,3;output y;" FC "floats b 5;Gemm x w b > y transB=1",
     "Input()=3 Linear(0)=5 -> 1"},
    {9, "input x N,3;output y;" FC "Transpose w > t perm=1,0;MatMul x t > y",
     "Input()=3 Linear(0)=5 -> 1"},
};

START_TEST(makes_the_graph)
{
    char text[512];
    ck_assert_msg(load(good[_i].opset, good[_i].model) == RN_OK, "%s: %s", good[_i].model,
                  fault.text);
    describe(text, sizeof text);
    ck_assert_str_eq(text, good[_i].graph);
    ck_assert_str_eq(set.format, "onnx");
    unload();
}
END_TEST

/* Every type and both ways to store it give the same numbers 1, 2, 3... */
static const struct {
    const char *tensor;
    float first, second;
} stored[] = {
    {"tensor w 1 2,2,1,1 float 4", 1, 2},
    {"tensor w 11 2,2,1,1 double 4", 1, 2},
    {"tensor w 10 2,2,1,1 int32 4", 0x1p-24f, 0x1p-23f},
    {"tensor w 16 2,2,1,1 int32 4", 0x1p-133f, 0x1p-132f},
    {"tensor w 10 2,2,1,1 raw 8", 0x201 * 0x1p-24f, 0x403 / 1024.0f * 0x1p-14f},
};

static const float *weight_of(size_t node, size_t which)
{
    enum { MOST = 64 };
    static float buffer[RN_MAX_WEIGHTS][MOST];
    const rn_constant constant = graph.node[node].weight[which];
    const float *floats;
    if (!rn_constant_is_set(constant)) return NULL;
    ck_assert_uint_le(constant.count, MOST);
    ck_assert_int_eq(rn_constant_read(constant, constant.count, buffer[which], &floats, &fault),
                     RN_OK);
    return floats;
}

START_TEST(reads_every_field)
{
    char model[200];
    snprintf(model, sizeof model, "input x N,2,1,1;output y;%s;Conv x w > y", stored[_i].tensor);
    ck_assert_msg(load(9, model) == RN_OK, "%s", fault.text);
    const float *weight = weight_of(1, RN_WEIGHT);
    ck_assert(weight[0] == stored[_i].first);
    ck_assert_msg(weight[1] == stored[_i].second, "%a", (double)weight[1]);
    unload();
}
END_TEST

/* y = alpha * x * W (or its transpose) + beta * b: the importer's weights are (oc, ic). */
START_TEST(orients_and_scales_matrices)
{
    ck_assert_int_eq(load(9, "input x N,3;output y;floats w 3,2;floats b 1,2;"
                             "Gemm x w b > y alpha=2.0 beta=-0.5"),
                     RN_OK);
    const float *weight = weight_of(1, RN_WEIGHT), *bias = weight_of(1, RN_BIAS);
    for (size_t oc = 0; oc < 2; oc++) {
        for (size_t ic = 0; ic < 3; ic++)
            ck_assert(weight[oc * 3 + ic] == 2 * onnx_float("w", ic * 2 + oc));
        ck_assert(bias[oc] == -0.5f * onnx_float("b", oc));
    }
    unload();
    ck_assert_int_eq(load(9, "input x N,3;output y;floats w 2,3;floats b .;"
                             "Gemm x w b > y transB=1 alpha=3.0"),
                     RN_OK);
    weight = weight_of(1, RN_WEIGHT);
    bias = weight_of(1, RN_BIAS);
    for (size_t i = 0; i < 6; i++) ck_assert(weight[i] == 3 * onnx_float("w", i));
    ck_assert(bias[0] == onnx_float("b", 0) && bias[1] == onnx_float("b", 0));
    unload();
}
END_TEST

/* Per-channel weights of QDQ: (integer - zero) * scale along axis 0; quantised first if they are
 * floats, with saturation. The step's limits are those of the zero point's type. */
START_TEST(dequantizes_weights)
{
    ck_assert_int_eq(load(13,
                          "input x N,2,1,1;output y;tensor k 3 2,2,1,1 raw 4;tensor s 1 2 float 2;"
                          "tensor z 3 2 raw 2;DequantizeLinear k s z > w axis=0;Conv x w > y"),
                     RN_OK);
    const float want[] = {0, 1, 2, 4}; /* (1 2 - 1) * 1, (3 4 - 2) * 2 */
    ck_assert_mem_eq(weight_of(1, RN_WEIGHT), want, sizeof want);
    unload();
    ck_assert_msg(load(10,
                       "input x N,2,1,1;output y;tensor k 1 2,2,1,1 float 4;tensor s 1 . float 1;"
                       "tensor f 1 . float 1;floats c .;Constant > d value=@c;Mul x s > v;"
                       "tensor z 3 . raw 1;QuantizeLinear k f z > q;DequantizeLinear q s z > w;"
                       "QuantizeLinear v s z > r;DequantizeLinear r s z > u;Conv u w > y") == RN_OK,
                  "%s", fault.text);
    const float same[] = {1, 2, 3, 4}, limits[] = {1, -129, 126};
    ck_assert_mem_eq(weight_of(3, RN_WEIGHT), same, sizeof same);
    ck_assert_int_eq(graph.node[2].op, RN_OP_FAKE_QUANTIZE);
    ck_assert_mem_eq(graph.node[2].parameter, limits, sizeof limits);
    unload();
}
END_TEST

START_TEST(adds_constants_per_channel)
{
    ck_assert_int_eq(load(9, POOL "floats b 3,1,1;Add x b > y"), RN_OK);
    const float *weight = weight_of(1, RN_WEIGHT), *bias = weight_of(1, RN_BIAS);
    for (size_t c = 0; c < 3; c++) {
        ck_assert(bias[c] == onnx_float("b", c));
        ck_assert(weight_of(1, RN_MEAN)[c] == 0 && weight_of(1, RN_VAR)[c] == 1);
        ck_assert(weight == NULL && graph.node[1].eps == 0);
    }
    unload();
    ck_assert_int_eq(load(9, POOL "floats b 1,3,1,1;Sub x b > z;Mul z b > t;Div t b > y"), RN_OK);
    for (size_t c = 0; c < 3; c++) {
        const float number = onnx_float("b", c);
        ck_assert(weight_of(1, RN_BIAS)[c] == -number && !weight_of(1, RN_WEIGHT));
        ck_assert(weight_of(2, RN_WEIGHT)[c] == number && !weight_of(2, RN_BIAS));
        ck_assert(weight_of(3, RN_WEIGHT)[c] == 1 / number && !weight_of(3, RN_BIAS));
    }
    unload();
}
END_TEST

/* ---- refusals -------------------------------------------------------------------------------- */

#define NET(nodes) POOL nodes
/* scales s and p, w of two and n that is none; zero points z and m */
#define Q                                                                        \
    "tensor s 1 . float 1;floats p .;tensor w 1 2 float 2;tensor n 1 . zeros 4;" \
    "tensor z 2 . raw 1;tensor m 3 . raw 1;"
static const struct {
    int64_t opset;
    const char *model, *says;
} bad[] = {
    {6, NET("Relu x > y"), "onnx: opset 6, 7 to 24 can be served"},
    {25, NET("Relu x > y"), "onnx: opset 25, 7 to 24 can be served"},
    {9, "output y;Relu x > y", "the model has no input"},
    {9, "input a N,3,4,4;input b N,3,4,4;output y;Add a b > y", "two inputs (a, b)"},
    {9, "input x N,3,4,4;Relu x > y", "0 outputs"},
    {9, NET("output z;Relu x > y;Relu x > z"), "2 outputs"},
    {9, NET("Relu x > z"), "output y: no node makes it"},
    {9, "input x N,3,4;output y;Relu x > y", "input x: want N x C x H x W"},
    {9, "input x N,C,4,4;output y;Relu x > y", "input x: want N x C x H x W"},
    {9, "input x N,70000,70000,70000;output y;Relu x > y", "70000x70000x70000 is too large"},
    {9, NET("Relu z > y"), "node y (Relu): input 0 (z): no earlier node makes it"},
    {9, NET("Relu y > y"), "node y (Relu): input 0 (y): no earlier node makes it"},
    {9, NET("Relu x > y;Relu x > y"), "node y (Relu): output y is there already"},
    {9, NET("Relu x > x"), "node x (Relu): output x is there already"},
    {9, NET("Relu > y"), "node y (Relu): 0 inputs"},
    {9, NET("Relu x x > y"), "node y (Relu): 2 inputs"},
    {9, NET("Relu - > y"), "node y (Relu): input 0 is missing"},
    {9, NET("Relu x > y alpha=0.5"), "node y (Relu): attribute alpha isn't known"},
    {9, NET("LSTM x > y"), "node y (LSTM): this operator can't be served"},
    {9, NET("com.acme:Relu x > y"), "node y (com.acme.Relu): this operator can't be served"},
    {9, NET("floats w 4,3,3,3;floats w 4,3,3,3;Conv x w > y"), "tensor w: stands twice"},
    /* tensors */
    {9, NET("tensor w 1 4,3,1,1 float 11;Conv x w > y"), "tensor w: 11 numbers for a shape of 12"},
    {9, NET("tensor w 1 4,3,1,1 raw 47;Conv x w > y"), "tensor w: 47 bytes for a shape of 12"},
    {9, NET("tensor w 1 4,3,1,1 raw 0;Conv x w > y"), "tensor w: 0 numbers for a shape of 12"},
    {9, NET("tensor w 1 -4,3,1,1 float 12;Conv x w > y"), "tensor w: dimension 0 is -4"},
    {9, NET("tensor w 1 4294967296,4294967296,2 float 1;Conv x w > y"), "tensor w: its shape over"},
    {9, NET("tensor w 1 1,1,1,1,1,1,1,1,1 float 1;Conv x w > y"), "tensor w: 9 dimensions"},
    {9, NET("tensor w 8 1 raw 1;Conv x w > y"), "tensor w: its type (8) can't be served"},
    {9, NET("tensor w -1 1 raw 1;Conv x w > y"), "tensor w: its type (-1) can't be served"},
    {9, NET("tensor w 99 1 raw 1;Conv x w > y"), "tensor w: its type (99) can't be served"},
    {9, NET("tensor w 1 1 external 0;Conv x w > y"), "tensor w: its data is in another file"},
    {9, NET("tensor w 3 4,3,1,1 raw 12;Conv x w > y"), "node y (Conv): constant w is no tensor of"},
    {9, NET("ints w 1,2,3;Add x w > y"), "node y (Add): its constant has not one number per"},
    /* windows */
    {9, NET("Conv x x > y"), "node y (Conv): input 1 is no constant"},
    {9, NET("floats w 4,3,3,3;Conv w w > y"), "node y (Conv): input 0 is a constant"},
    {9, NET("floats w 4,3,3;Conv x w > y"), "node y (Conv): its weight is no OC x IC x KH x KW"},
    {9, NET("floats w 4,2,3,3;Conv x w > y"), "node y (Conv): 1 groups of 2 channels, the input"},
    {9, NET("floats w 4,1,3,3;Conv x w > y group=0"), "node y (Conv): 0 groups"},
    {9, NET("floats w 4,1,3,3;Conv x w > y group=-3"), "node y (Conv): -3 groups"},
    {9, NET("floats w 4,1,3,3;Conv x w > y group=3"), "y: Conv2d: 3 input and 4 output channels"},
    {9, NET("floats w 4,1,3,3;Conv x w > y group=4611686018427387905"), "groups of 1 channels"},
    {9, NET("floats w 4,3,3,3;floats b 3;Conv x w b > y"), "input 2 has 3 elements, want 4"},
    {9, NET("floats w 4,3,9,3;Conv x w > y"),
     "y: Conv2d: the kernel (9) is larger than the padded"},
    {9, NET("floats w 4,3,3,3;Conv x w > y kernel_shape=3,2"), "kernel_shape is 3x2, the weights"},
    {9, NET("floats w 4,3,3,3;Conv x w > y kernel_shape=3,"),
     "kernel_shape has 1 elements, want 2"},
    {9, NET("floats w 4,3,3,3;Conv x w > y strides=0,1"), "strides has the element 0"},
    {9, NET("floats w 4,3,3,3;Conv x w > y strides=1,1,1"), "strides has 3 elements, want 2"},
    {9, NET("floats w 4,3,3,3;Conv x w > y pads=1,1,1,1,1,1"), "pads has 6 elements, at most 4"},
    {9, NET("floats w 4,3,3,3;Conv x w > y pads=-1,0,0,0"), "pads has the element -1"},
    {9, NET("floats w 4,3,3,3;Conv x w > y pads=9223372036854775807,0,0,0"),
     "pads has the element"},
    {9, NET("floats w 4,3,3,3;Conv x w > y dilations=1,-1"), "dilations has the element -1"},
    {9, NET("floats w 4,3,3,3;Conv x w > y auto_pad=SOME"), "its auto_pad isn't known"},
    {9, NET("floats w 4,3,3,3;Conv x w > y auto_pad=VALID pads=1,1,1,1"), "both pads and auto_pad"},
    {9, NET("floats w 4,3,3,3;Conv x w > y strides=2"), "attribute strides has type 2, want 7"},
    {9, NET("MaxPool x > y"), "node y (MaxPool): kernel_shape is missing"},
    {9, NET("MaxPool x > y z kernel_shape=2,2;Add y z > y"), "input 1 (z): no earlier node"},
    {9, "input x N,3;output y;MaxPool x > y kernel_shape=1,1", "its input is no N x C x H x W"},
    {9, "input x N,3;output y;GlobalAveragePool x > y",
     "y: AdaptiveAvgPool2d: the input is 3 feat"},
    {9, NET("ReduceMean x > y"), "node y (ReduceMean): only the mean over H and W"},
    {9, NET("ReduceMean x > y axes=1,2"), "node y (ReduceMean): only the mean over H and W"},
    {9, NET("ReduceMean x > y axes=2,2"), "node y (ReduceMean): only the mean over H and W"},
    /* the rest */
    {9, NET("floats s 3;floats b 3;floats m 3;floats v 2;BatchNormalization x s b m v > y"),
     "node y (BatchNormalization): input 4 has 2 elements, want 3"},
    {14, NET("floats s 3;BatchNormalization x s s s s > y training_mode=1"), "in training mode"},
    {7, NET("floats s 3;BatchNormalization x s s s s > y spatial=0"), "spatial is 0"},
    {9, NET("GlobalAveragePool x > p;Flatten p > f;Add x f > y"), "y: Add: shapes 3x7x8 and 3"},
    {9, NET("floats b 8;Add x b > y"), "node y (Add): its constant has not one number per channel"},
    {9, NET("floats b 3,7,8;Add x b > y"), "node y (Add): its constant has not one number"},
    {9, NET("floats b 3;Add b b > y"), "output y: no node makes it"},
    {9, NET("floats b 3;floats c 2;Add b c > y"), "node y (Add): the shapes of its constants"},
    {9, NET("floats b 3,2;ReduceMean b > y axes=0,"), "only the mean over the last axes"},
    {9, NET("floats b 3,2;ReduceMean b > y"), "only the mean over the last axes"},
    {9, NET("floats b 3,2;Flatten b > y axis=3"), "node y (Flatten): axis 3 of 2"},
    {9, NET("floats b 3,2;ints s 4,-1;Reshape b s > y"), "its shape doesn't fit the constant's"},
    {9, NET("floats b 3,2;ints s -2;Reshape b s > y"), "its shape doesn't fit the constant's"},
    {9, NET("GlobalAveragePool x > p;Flatten p > f;Mul x f > y"), "y: Mul: shapes 3x7x8 and 3"},
    {9, NET("Squeeze x > y axes=2,3"), "node y (Squeeze): only H and W of one pixel"},
    {9, NET("GlobalAveragePool x > p;Squeeze p > y axes=1,2"), "(Squeeze): only H and W"},
    {9, NET("GlobalAveragePool x > p;Squeeze p > y"), "(Squeeze): only H and W"},
    /* integers */
    {10, NET(Q "QuantizeLinear x s z > q;DequantizeLinear q p z > y"),
     "node y (DequantizeLinear): input 0 was not quantised with this scale and zero point"},
    {10, NET(Q "QuantizeLinear x s z > q;DequantizeLinear q s m > y"),
     "was not quantised with this"},
    {10, NET(Q "DequantizeLinear x s z > y"), "was not quantised with this"},
    {10, NET(Q "QuantizeLinear x n z > y"), "(QuantizeLinear): its scale is no positive number"},
    {10, NET(Q "QuantizeLinear x w z > y"), "(QuantizeLinear): input 1 has 2 elements, want 1"},
    {10, NET(Q "ints i 0;QuantizeLinear x s i > y"), "its zero point is no 8-bit integer"},
    {10, NET(Q "QuantizeLinear x x z > y"), "node y (QuantizeLinear): input 1 is no constant"},
    {10, NET(Q "DequantizeLinear s s z > y"), "node y (DequantizeLinear): input 0 is no integers"},
    {10, NET(Q "tensor k 3 3 raw 3;DequantizeLinear k w z > y axis=0"), "don't fit its shape"},
    {10, NET(Q "tensor k 3 3 raw 3;QLinearConv x s z k s m s z > y"),
     "was not quantised with this"},
    {10,
     NET(Q "tensor k 3 4,3,1,1 raw 12;tensor b 6 3 int32 3;QuantizeLinear x s z > q;"
           "QLinearConv q s z k s m s z b > y"),
     "node y (QLinearConv): its bias is not one integer per channel"},
    {10, NET(Q "tensor k 3 4,2,1,1 raw 8;QuantizeLinear x s z > q;QLinearConv q s z k s m s z > y"),
     "node y (QLinearConv): 1 groups of 2 channels, the input has 3"},
    {10, NET(Q "QuantizeLinear x s z > q;QLinearAdd q s z q s z s z > y"),
     "this operator can't be"},
    {10,
     NET(Q "QuantizeLinear x s z > q;com.microsoft:QLinearGlobalAveragePool q s z s z > y "
           "channels_last=1"),
     "node y (com.microsoft.QLinearGlobalAveragePool): channels_last isn't served"},
    {9, NET("Softmax x > y"), "node y (Softmax): only the softmax over C"},
    {9, NET("Softmax x > y axis=2"), "node y (Softmax): only the softmax over C"},
    {13, NET("Softmax x > y"), "node y (Softmax): only the softmax over C"},
    {9, NET("Concat x x > y axis=2"), "node y (Concat): axis 2, want 1"},
    {9, NET("GlobalAveragePool x > p;Concat x p > y axis=1"),
     "y: Concat: channels of 3x7x8 and 3x"},
    {9, NET("floats s 2;PRelu x s > y"),
     "node y (PRelu): its slope has not one number per channel"},
    {9, NET("floats e 3,1,1;Pow x e > y"), "node y (Pow): its exponent is more than one number"},
    {9, NET("floats e .;Pow e x > y"), "node y (Pow): a constant to the power of a value"},
    {9, NET("floats e 3,1,1;Max x e > y"), "node y (Max): its constant is more than one number"},
    {20, NET("Gelu x > y approximate=some"), "node y (Gelu): its approximation isn't known"},
    {9, NET("floats b 3;Concat x b > y axis=1"), "node y (Concat): input 1 is a constant"},
    {9, NET("ints i 1;Concat i x > y axis=0"), "node y (Concat): input 1 is no constant"},
    {9, NET("ints i 1;Concat i i > y axis=1"), "node y (Concat): only lists of integers"},
    {9, NET("ints i 1,2,3,4,5,6,7,8;Concat i i i i i i i i > z axis=0;Concat z i > w"),
     "node w (Concat): only lists of up to 64 integers"},
    {9, NET("Relu x > y;ints i 1,2,3,4,5,6,7,8;Concat i i i i i i i i > z axis=0;Reshape x z > w"),
     "node w (Reshape): input 1 is no list of at most 4"},
    {9, NET("ints i 1,2,3;ints s 2,-1;Reshape i s > y"), "node y (Reshape): its shape doesn't fit"},
    {9, NET("ints i 1,2,3;ints s 2,2;Reshape i s > y"),
     "node y (Reshape): its shape doesn't fit 3"},
    {9, NET("ints i 1,2,3;ints s 0,-1;Reshape i s > y"), "node y (Reshape): its shape doesn't fit"},
    {9, NET("ints i 1,2,3;ints s -1,-1;Reshape i s > y"), "node y (Reshape): its shape doesn't"},
    {9, NET("ints i 1;ints s 1,1,1,1,1,1,1,1,1;Reshape i s > y"), "node y (Reshape): its shape"},
    {9, NET("ints i 1,2;Transpose i > y"), "node y (Transpose): want a matrix"},
    {9, NET("ints i 1,2;ints s 1,2;Reshape i s > m;Transpose m > y perm=0,1"), "want a matrix"},
    {9, NET("ints i 1,2;ints a 0;ints b 2;ints t 2;Slice i a b a t > y"), "(Slice): only rows"},
    {9, NET("ints i 1,2;ints a 0;ints b 2;ints t 1;Slice i a b t t > y"), "(Slice): only rows"},
    {9, NET("ints i 1,2;ints a 0,1;ints b 2;Slice i a b > y"), "input 1 has 2 integers"},
    {9, NET("Slice x x x > y"), "node y (Slice): input 1 is no constant"},
    {9, NET("ints a 1;ints b 9;ints t 2;Slice x a b t > y"), "(Slice): only rows of integers"},
    {9, NET("ints a 0;ints b 6;ints t 2;Slice x a b t > y"), "(Slice): only rows of integers"},
    {9, NET("ints a 0;ints b 9;ints t 1;ints s 2;Slice x a b t s > y"), "(Slice): only rows"},
    {9, NET("ints a 0;ints b 9;ints t 2;ints s -1;Slice x a b t s > y"), "(Slice): only rows"},
    {9, NET("ints a 0,0;ints b 9;ints t 2,3;Slice x a b t > y"), "(Slice): only rows"},
    {9, NET("MaxPool x > y kernel_shape=2,2 pads=2,0,0,0"), "padding is as large as the 2x2"},
    /* one pixel in other shapes */
    {11, NET("GlobalAveragePool x > p;Squeeze p > y axes=3,"), "output y: its shape can't be"},
    {11, NET("GlobalAveragePool x > p;Squeeze p > q axes=3,;Add q q > y"),
     "node y (Add): input 0 (q) has a shape in which it can't be served here"},
    {11, NET("GlobalAveragePool x > p;Squeeze p > q axes=3,3"), "(Squeeze): only H and W"},
    {11, NET("GlobalAveragePool x > p;Transpose p > y perm=0,2,1"), "want a matrix of constants"},
    {11, NET("GlobalAveragePool x > p;Transpose p > y perm=1,0,2,3"), "want a matrix of constants"},
    {11, NET("Transpose x > y perm=0,1,3,2"), "want a matrix of constants"},
    {11, NET("ints s 0,2,-1;Relu x > r;Reshape r s > y"), "(Reshape): only a flat row"},
    {11, NET("ints s 1,3,7,8;Expand x s > y"), "(Expand): only one pixel can be expanded"},
    {11, NET("GlobalAveragePool x > p;ints s 1,3,7,7;Expand p s > e;Mul x e > y"),
     "node y (Mul): input 1 is expanded to another size"},
    {11, NET("floats w 2,1,3;" ROW "Conv r w > y"), "of N x 1 x C only one filter"},
    {11, NET("floats w 1,1,3;" ROW "Conv r w > y pads=0,0"), "of N x 1 x C only one filter"},
    {11, NET("floats w 1,1,3;floats b 1;" ROW "Conv r w b > y pads=1,1"), "only one filter"},
    {11, NET("floats w 1,1,3;" ROW "Conv r w > y pads=1,1 strides=2,"), "only one filter"},
    {11, NET("floats w 3,1,3,3;" MIRROR "Conv r w > y group=3"), "only the 3x3 binomial blur"},
    {11, NET(MIRROR "Relu r > y"), "node y (Relu): input 0 (r) has a shape in which"},
    {11, NET("ints p 0,0,2,2,0,0,2,2;Pad x p > y mode=reflect"), "a reflected border of one"},
    {11, NET("ints p 0,1,0,0,0,3,0,0;Pad x p > y"), "1 channels in front and 3 behind"},
    {18, NET("ints p 1,1;ints a 0,;Pad x p - a > y"), "node y (Pad): only H and W"},
    {18, NET("floats s 2;floats b 2;GroupNormalization x s b > y num_groups=2"),
     "node y (GroupNormalization): 2 groups of 3 channels"},
    {9, NET("GlobalAveragePool x > p;Flatten p > f;floats s 3;InstanceNormalization f s s > y"),
     "its input is no map, nor groups"},
    {9, NET("ints i 1;Cast i > y to=1"), "node y (Cast): only casts between"},
    {9, NET("ints i 256;Cast i > y to=2"), "node y (Cast): 256 doesn't fit"},
    {9, NET("ints i -129;Cast i > y to=3"), "node y (Cast): -129 doesn't fit"},
    {9, NET("floats f 2;Cast f > y to=7"), "node y (Cast): only casts between"},
    {9, NET("ints i 1;Cast i > y to=4294967303"), "node y (Cast): only casts between"},
    {9, NET("Cast x > y to=7"), "node y (Cast): input 0 is no constant"},
    {9, NET("ints i 1,2;ConstantOfShape i > y"), "(ConstantOfShape): its value is no integer"},
    {9, NET("ints i 65;ints v 7;ConstantOfShape i > y value=@v"), "only a list of up to 64"},
    {9, NET("ints i -1;ints v 7;ConstantOfShape i > y value=@v"), "only a list of up to 64"},
    {9, NET("Shape x > s;ints i 1;Add s i > y"),
     "(Add): -9223372036854775808 + 1 can't be computed"},
    {9, NET("ints i 9223372036854775807;Mul i i > y"), "(Mul): 9223372036854775807 * 92"},
    {9, NET("ints i 0;Div i i > y"), "node y (Div): 0 / 0 can't be computed"},
    {9, NET("ints i 1,2;ints j 1,2,3;Sub i j > y"), "node y (Sub): sizes don't match"},
    {9, NET("Pad x > y"), "node y (Pad): only H and W"},
    {9, NET("Pad x > y pads=0,1,0,0,0,0,0,0"), "only halves can be padded"},
    {9, NET("Pad x > y pads=0,0,0,0,1,0,0,0"), "node y (Pad): only H and W"},
    {9, NET("Pad x > y pads=0,0,0,-1,0,0,0,0"), "node y (Pad): only H and W"},
    {9, NET("Pad x > y pads=0,0,2147483647,0,0,0,0,0"), "y: ZeroPad2d: the output 3x2147483654x8"},
    {9, NET("Pad x > y pads=0,0,1,1,0,0,1,1 mode=reflect"), "output y: its shape can't be served"},
    {9, NET("Pad x > y pads=0,0,1,1,0,0,1,1 mode=edge"), "node y (Pad): only zeros"},
    {9, NET("Pad x > y pads=0,0,1,1,0,0,1,1 value=1.0"), "node y (Pad): only zeros"},
    {11, NET("ints p 0,0,1,1,0,0,1,1;tensor v 1 . float 1;Pad x p v > y"), "(Pad): only zeros"},
    {9, NET("ints i 4;Shape x > s;Gather s i > y"), "node y (Gather): place 4 of 4"},
    {9, NET("ints i -5;Shape x > s;Gather s i > y"), "node y (Gather): place -5 of 4"},
    {9, NET("ints i 0;Shape x > s;Gather s i > y axis=1"), "node y (Gather): only lists"},
    {9, NET("ints i 0;Gather x i > y"), "node y (Gather): input 0 is no constant"},
    {9, NET("Shape x > s;Unsqueeze s > y axes=0,"), "node y (Unsqueeze): only single integers"},
    {9, NET("Shape x > y"), "output y: no node makes it"},
    {9, NET("ints i 0;Shape x > s;Gather s i > g;Reshape x g > y"),
     "node y (Reshape): only a flat"},
    {9, NET("Flatten x > y axis=2"), "node y (Flatten): axis 2, want 1"},
    {9, NET("Flatten x > y axis=0"), "node y (Flatten): axis 0, want 1"},
    {9, NET("Reshape x x > y"), "node y (Reshape): input 1 is no constant"},
    {9, NET("ints s 0,-1,1;Reshape x s > y"), "node y (Reshape): only a flat row"},
    {9, NET("ints s 0,167;Reshape x s > y"), "node y (Reshape): only a flat row"},
    {9, NET("ints s 1,-1;Reshape x s > y"), "node y (Reshape): only a flat row"},
    {9, NET("ints s -1,-1;Reshape x s > y"), "node y (Reshape): only a flat row"},
    {9, NET("ints s 0,-1,-1,8;Reshape x s > y"), "node y (Reshape): only a flat row"},
    {9, NET("ints s -1,3,-1,8;Reshape x s > y"), "node y (Reshape): only a flat row"},
    {9, NET("ints s 0,1,2,3,4;Reshape x s > y"), "input 1 is no list of at most 4 integers"},
    {9, NET("floats s 2;Reshape x s > y"), "input 1 is no list of at most 4 integers"},
    {14, NET("ints s 0,-1;Reshape x s > y allowzero=1"), "node y (Reshape): allowzero"},
    {14, NET("ints s 1,-1;Reshape s s > y allowzero=1"), "node y (Reshape): allowzero"},
    {12, NET("floats r .;tensor t 9 . raw 1;Dropout x r t > y"),
     "node y (Dropout): it is in train"},
    {9, NET("Constant > c;Relu x > y"), "node c (Constant): want one attribute, its value"},
    {9, NET("Constant > c value_string=a;Relu x > y"), "node c (Constant): its value can't be"},
    {9, NET("floats w 3,5;MatMul x w > y"),
     "3x5 weights for an input of 3 features that isn't flat"},
    {9, "input x N,3;output y;floats w 4,5;MatMul x w > y",
     "4x5 weights for an input of 3 features"},
    {9, "input x N,3;output y;floats w 3;MatMul x w > y",
     "node y (MatMul): its weight is no matrix"},
    {9, "input x N,3;output y;floats w 3,0;MatMul x w > y",
     "node y (MatMul): its weight is no mat"},
    {9, "input x N,3;output y;" FC "Gemm x w > y transA=1 transB=1", "transA isn't served"},
    {9, "input x N,3;output y;" FC "floats b 3;Gemm x w b > y transB=1",
     "its bias has not one num"},
};

START_TEST(refuses_by_name)
{
    ck_assert_int_eq(load(bad[_i].opset, bad[_i].model), RN_ERR_FORMAT);
    ck_assert_msg(strstr(fault.text, bad[_i].says), "'%s' not in '%s'", bad[_i].says, fault.text);
    unload();
}
END_TEST

/* Many nodes on one weight: each would get its own packed copy. */
START_TEST(refuses_a_small_file_that_unfolds)
{
    enum { NODES = 2000 };
    const size_t size = NODES * 32 + 200;
    char *text = malloc(size);
    int used = snprintf(text, size, "input x0 N,64,2,2;output y;floats w 64,64,1,1");
    for (int i = 0; i < NODES; i++)
        used += snprintf(text + used, size - (size_t)used, ";Conv x%d w > x%d", i, i + 1);
    ck_assert_int_eq(load(9, text), RN_ERR_FORMAT);
    ck_assert_msg(strstr(fault.text, "(Conv): the file's weights unfold to many times its size"),
                  "%s", fault.text);
    unload();
    free(text);
}
END_TEST

/* A constant for every channel of an input that only claims to have so many. */
START_TEST(refuses_channels_that_are_only_claimed)
{
    ck_assert_int_eq(load(9, "input x N,2000000000,1,1;output y;floats b .;Add x b > y"),
                     RN_ERR_FORMAT);
    ck_assert_msg(strstr(fault.text, "node y (Add): the file's weights unfold"), "%s", fault.text);
    unload();
}
END_TEST

/* ---- cut and changed files ------------------------------------------------------------------- */

#define VICTIM                                                                                  \
    "input x N,3,7,8;output y;floats w 4,3,3,3;floats s 4;tensor m 1 4 float 4;Constant > v "   \
    "value=@m;Conv x w > c pads=1,1,1,1 strides=2,2;BatchNormalization c s s v v > n;Relu n > " \
    "r;GlobalAveragePool r > p;ints i 0,-1;Reshape p i > f;floats g 5,4;Gemm f g > y transB=1"

START_TEST(survives_any_change)
{
    size_t size;
    uint8_t *model = onnx_build(9, VICTIM, &size);
    ck_assert_msg(load_bytes(model, size) == RN_OK, "%s", fault.text);
    unload();
    for (size_t i = 0; i < size; i++) {
        uint8_t *cut = malloc(i ? i : 1);
        memcpy(cut, model, i);
        ck_assert_int_eq(load_bytes(cut, i), RN_ERR_FORMAT);
        unload();
        free(cut);
        const uint8_t original = model[i];
        const uint8_t change[] = {0, 1, 0x7f, 0x80, 0xff, original ^ 1, original ^ 8, original + 1};
        for (size_t c = 0; c < sizeof change; c++) {
            model[i] = change[c];
            const rn_status status = load_bytes(model, size);
            ck_assert(status == RN_OK || (status == RN_ERR_FORMAT && fault.text[0]));
            unload();
        }
        model[i] = original;
    }
    free(model);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void)
{
    Suite *suite = suite_create("onnx");
    TCase *tests = tcase_create("onnx");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, makes_the_graph, 0, COUNT(good));
    tcase_add_loop_test(tests, reads_every_field, 0, COUNT(stored));
    tcase_add_test(tests, orients_and_scales_matrices);
    tcase_add_test(tests, dequantizes_weights);
    tcase_add_test(tests, adds_constants_per_channel);
    tcase_add_loop_test(tests, refuses_by_name, 0, COUNT(bad));
    tcase_add_test(tests, refuses_a_small_file_that_unfolds);
    tcase_add_test(tests, refuses_channels_that_are_only_claimed);
    tcase_add_test(tests, survives_any_change);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
