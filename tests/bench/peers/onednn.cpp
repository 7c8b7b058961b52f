// oneDNN as a peer in `make bench-peers`: the network as the project's own passes have folded and
// fused it, each step one oneDNN primitive, Winograd asked for wherever oneDNN has it.
//
//   onednn MODEL.safetensors BATCH THREADS X.npy Y.npy
//
// Prints "ready DIFF" (the largest difference from Y, relative to Y's largest), then for each line K
// on standard input the seconds of K passes.
#include <omp.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

extern "C" {
#include "arch/arch.h"
#include "formats/format.h"
#include "plan/plan.h"
}

using dnnl::memory;
typedef memory::format_tag tag;

[[noreturn]] static void die(const std::string &why)
{
    fprintf(stderr, "onednn: %s\n", why.c_str());
    exit(EXIT_FAILURE);
}

// ---- the network, up to the fused plan ----

struct network {
    rn_tensors tensors = {};
    rn_graph graph = {};
    rn_arch arch = {};
    rn_plan plan = {};

    explicit network(const char *path)
    {
        rn_error err;
        rn_file file;
        const rn_format_options format = {};
        const rn_arch_options options = {};
        rn_graph_init(&graph);
        if (rn_file_map(&file, path, &err) || rn_format_load(&tensors, &graph, &file, &format, &err) ||
            rn_arch_build(&arch, &graph, &tensors, &options, &err) ||
            rn_plan_lower(&plan, &graph, &err) || rn_plan_fold(&plan, &err) ||
            rn_plan_fuse(&plan, &err))
            die(err.text);
    }
};

// ---- the same network as primitives ----

struct call {
    dnnl::primitive primitive;
    std::unordered_map<int, memory> args;
};

class peer {
  public:
    peer(const network &net, long batch) : net(net), n(batch), values(net.plan.values)
    {
        const rn_plan &plan = net.plan;
        values[plan.input] = memory({dims(plan.value[plan.input].dims), f32, tag::nchw}, engine);
        for (size_t i = 0; i < plan.count; i++) add_step(plan.step[i]);
        memory &last = values[plan.output];
        const memory::desc plain({n, last.get_desc().dims()[1]}, f32, tag::nc);
        output = memory(plain, engine);
        reorder(last, output);
        stream.wait(); // the weights' reorders
    }

    float *input() { return static_cast<float *>(values[net.plan.input].get_data_handle()); }
    const float *answer() const { return static_cast<float *>(output.get_data_handle()); }
    size_t answer_size() const { return output.get_desc().get_size() / sizeof(float); }

    void run()
    {
        for (call &c : calls) c.primitive.execute(stream, c.args);
        stream.wait();
    }

  private:
    static constexpr auto f32 = memory::data_type::f32;
    const network &net;
    long n;
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    std::vector<memory> values;
    std::vector<call> calls;
    memory output;

    memory::dims dims(rn_dims d) const { return {n, (long)d.c, (long)d.h, (long)d.w}; }
    memory::desc any(const memory::dims &d) const { return {d, f32, tag::any}; }

    void reorder(memory &from, memory &to)
    {
        calls.push_back({dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}});
    }

    // `value` in the layout that a primitive wants.
    memory converted(memory &value, const memory::desc &wanted)
    {
        if (value.get_desc() == wanted) return value;
        memory copy(wanted, engine);
        reorder(value, copy);
        return copy;
    }

    // Weights with the folded batch norm, in the layout that a primitive wants; now, not per pass.
    memory weights(const rn_step &s, const memory::dims &shape, tag plain, const memory::desc &wanted)
    {
        memory given({shape, f32, plain}, engine), packed(wanted, engine);
        float *to = static_cast<float *>(given.get_data_handle());
        const size_t count = given.get_desc().get_size() / sizeof(float), row = count / s.desc.out.c;
        for (size_t i = 0; i < count; i++)
            to[i] = s.weight[i] * (s.scale ? s.scale[i / row] : 1);
        dnnl::reorder(given, packed).execute(stream, given, packed);
        stream.wait();
        return packed;
    }

    memory bias(const rn_step &s)
    {
        memory b({{(long)s.desc.out.c}, f32, tag::x}, engine);
        float *to = static_cast<float *>(b.get_data_handle());
        for (size_t i = 0; i < s.desc.out.c; i++)
            to[i] = (s.bias ? s.bias[i] * (s.scale ? s.scale[i] : 1) : 0) + (s.shift ? s.shift[i] : 0);
        return b;
    }

    static dnnl::primitive_attr epilogue(rn_epilogue e)
    {
        dnnl::post_ops ops;
        dnnl::primitive_attr attr;
        if (e.add == RN_ADD_BEFORE_ACT) ops.append_sum(1);
        if (e.act == RN_ACT_RELU) ops.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
        if (e.add == RN_ADD_AFTER_ACT) ops.append_sum(1);
        attr.set_post_ops(ops);
        return attr;
    }

    // oneDNN adds to what stands in dst: the addend's own memory, which nobody reads afterwards.
    memory destination(const rn_step &s, const memory::desc &wanted)
    {
        return s.addend == RN_NO_VALUE ? memory(wanted, engine) : converted(values[s.addend], wanted);
    }

    dnnl::convolution_forward::primitive_desc conv_desc(const rn_step &s, const memory::dims &shape)
    {
        const rn_window &w = s.desc.window;
        const memory::dims strides = {(long)w.stride_h, (long)w.stride_w};
        const memory::dims before = {(long)w.pad_top, (long)w.pad_left};
        const memory::dims after = {(long)w.pad_bottom, (long)w.pad_right};
        for (const auto algorithm :
             {dnnl::algorithm::convolution_winograd, dnnl::algorithm::convolution_auto}) {
            try {
                return {{dnnl::prop_kind::forward_inference, algorithm, any(dims(s.desc.in[0])),
                         any(shape), memory::desc({(long)s.desc.out.c}, f32, tag::x),
                         any(dims(s.desc.out)), strides, before, after},
                        epilogue(s.desc.epilogue), engine};
            } catch (const dnnl::error &) {
                continue; // no Winograd for this shape
            }
        }
        die(std::string(s.name) + ": oneDNN has no convolution for it");
    }

    void add_conv(const rn_step &s)
    {
        const long g = (long)s.desc.groups, oc = (long)s.desc.out.c, ic = (long)s.desc.in[0].c;
        const long kh = (long)s.desc.window.kh, kw = (long)s.desc.window.kw;
        const memory::dims shape = g > 1 ? memory::dims{g, oc / g, ic / g, kh, kw}
                                         : memory::dims{oc, ic, kh, kw};
        const auto pd = conv_desc(s, shape);
        memory src = converted(values[s.src], pd.src_desc());
        memory w = weights(s, shape, g > 1 ? tag::goihw : tag::oihw, pd.weights_desc());
        memory dst = destination(s, pd.dst_desc());
        calls.push_back({dnnl::convolution_forward(pd),
                         {{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, bias(s)},
                          {DNNL_ARG_DST, dst}}});
        values[s.dst] = dst;
    }

    void add_pool(const rn_step &s, dnnl::algorithm algorithm, rn_window w)
    {
        const memory::dims strides = {(long)w.stride_h, (long)w.stride_w};
        const memory::dims kernel = {(long)w.kh, (long)w.kw};
        const memory::dims before = {(long)w.pad_top, (long)w.pad_left};
        const memory::dims after = {(long)w.pad_bottom, (long)w.pad_right};
        rn_dims out = s.desc.out;
        const dnnl::pooling_forward::primitive_desc pd(
            {dnnl::prop_kind::forward_inference, algorithm, values[s.src].get_desc(),
             any(dims(out)), strides, kernel, before, after},
            engine);
        memory dst(pd.dst_desc(), engine);
        calls.push_back({dnnl::pooling_forward(pd),
                         {{DNNL_ARG_SRC, values[s.src]}, {DNNL_ARG_DST, dst}}});
        values[s.dst] = dst;
    }

    void add_linear(const rn_step &s)
    {
        const memory::dims shape = {(long)s.desc.out.c, (long)s.desc.in[0].c, 1, 1};
        const memory::dims out = {n, (long)s.desc.out.c};
        const dnnl::inner_product_forward::primitive_desc pd(
            {dnnl::prop_kind::forward_inference, any(dims(s.desc.in[0])), any(shape),
             memory::desc({(long)s.desc.out.c}, f32, tag::x), any(out)},
            engine);
        memory src = converted(values[s.src], pd.src_desc());
        memory w = weights(s, shape, tag::oihw, pd.weights_desc()), dst(pd.dst_desc(), engine);
        calls.push_back({dnnl::inner_product_forward(pd),
                         {{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, bias(s)},
                          {DNNL_ARG_DST, dst}}});
        values[s.dst] = dst;
    }

    void add_step(const rn_step &s)
    {
        const rn_dims in = s.desc.in[0];
        switch (s.desc.op) {
        case RN_OP_CONV: add_conv(s); break;
        case RN_OP_LINEAR: add_linear(s); break;
        case RN_OP_MAX_POOL: add_pool(s, dnnl::algorithm::pooling_max, s.desc.window); break;
        case RN_OP_GLOBAL_AVG_POOL:
            add_pool(s, dnnl::algorithm::pooling_avg_exclude_padding,
                     rn_window{in.h, in.w, 1, 1, 0, 0, 0, 0, 1, 1, false, false});
            break;
        default: die(std::string(s.name) + ": no oneDNN primitive for it here");
        }
    }
};

// ---- the worker ----

// A .npy file of float32, version 1.
static std::vector<float> read_npy(const char *path)
{
    FILE *file = fopen(path, "rb");
    unsigned char head[10];
    if (!file || fread(head, 1, 10, file) != 10) die(std::string(path) + ": can't be read");
    fseek(file, head[8] + 256 * head[9], SEEK_CUR);
    std::vector<float> numbers;
    float buffer[4096];
    for (size_t got; (got = fread(buffer, sizeof *buffer, 4096, file)) > 0;)
        numbers.insert(numbers.end(), buffer, buffer + got);
    fclose(file);
    return numbers;
}

static double difference(const peer &p, const std::vector<float> &expected)
{
    double worst = 0, largest = 0;
    for (size_t i = 0; i < p.answer_size(); i++) {
        const double want = expected[i % expected.size()];
        worst = std::fmax(worst, std::fabs(p.answer()[i] - want));
        largest = std::fmax(largest, std::fabs(want));
    }
    return worst / largest;
}

static double now()
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 6) die("usage: onednn MODEL BATCH THREADS X.npy Y.npy");
    const size_t batch = strtoul(argv[2], nullptr, 10);
    omp_set_num_threads(atoi(argv[3]));
    const network net(argv[1]);
    peer p(net, (long)batch);
    const std::vector<float> images = read_npy(argv[4]);
    const size_t count = rn_dims_size(net.plan.value[net.plan.input].dims) * batch;
    for (size_t i = 0; i < count; i++) p.input()[i] = images[i % images.size()];
    p.run();
    printf("ready %.3g\n", difference(p, read_npy(argv[5])));
    fflush(stdout);
    char line[32];
    while (fgets(line, sizeof line, stdin)) {
        for (int k = atoi(line); k > 0; k--) {
            const double began = now();
            p.run();
            printf("%.9f ", now() - began);
        }
        putchar('\n');
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}
