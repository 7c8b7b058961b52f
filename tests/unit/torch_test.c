/* Files of torch.save. The good ones (tests/reference/torch_files.py makes them) hold the same
 * numbers, saved in all the ways there are, and must give the same bits; the hostile ones are made
 * here, or are good ones that were cut or changed. */
#include "check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "formats/format.h"
#include "zip_builder.h"

#define FOLDER "tests/unit/torch/"

static rn_error fault;

static rn_status load(rn_tensors *set, rn_file file)
{
    rn_graph graph;
    rn_graph_init(&graph);
    *set = (rn_tensors){0};
    fault = (rn_error){0};
    const rn_status status = rn_format_load(set, &graph, &file, &(rn_format_options){0}, &fault);
    rn_graph_release(&graph);
    return status;
}

static void load_file(rn_tensors *set, const char *name)
{
    char path[128];
    rn_file file;
    snprintf(path, sizeof path, FOLDER "%s", name);
    ck_assert_msg(rn_file_open(&file, path, &fault) == RN_OK, "%s", fault.text);
    ck_assert_msg(load(set, file) == RN_OK, "%s: %s", name, fault.text);
}

/* ---- good files ------------------------------------------------------------------------------ */

static const char *const saves[] = {
    "plain", "checkpoint", "module", "parameters", "strided",   "shared",    "channels_last",
    "f16",   "bf16",       "f64",    "averaged",   "lightning", "saved_net",
};
#define SAVES (int)(sizeof saves / sizeof saves[0])

static uint64_t read_integer(const rn_tensor *tensor)
{
    uint64_t value;
    const rn_status status =
        rn_file_read(&tensor->file, tensor->offset, sizeof value, &value, &fault);
    ck_assert_msg(status == RN_OK, "%s", fault.text);
    return value;
}

static bool same_bits(rn_tensor *a, rn_tensor *b)
{
    if (a->rank != b->rank || memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) != 0)
        return false;
    if (a->dtype == RN_I64) return b->dtype == RN_I64 && read_integer(a) == read_integer(b);
    const float *x = rn_tensor_floats(a, &fault), *y = rn_tensor_floats(b, &fault);
    return x && y && memcmp(x, y, rn_tensor_elements(a) * sizeof *x) == 0;
}

static bool ends_with(const char *name, const char *end)
{
    const size_t size = strlen(name), part = strlen(end);
    return size >= part && strcmp(name + size - part, end) == 0 &&
           (size == part || name[size - part - 1] == '.');
}

/* _i: a save, in the zip format and then in the legacy format. Checkpoints hold more tensors, and
 * have the keys that lead to them in front. */
START_TEST(gives_the_same_bits)
{
    char name[64];
    rn_tensors want, got;
    snprintf(name, sizeof name, "%s%s.pth", saves[_i / 2], _i % 2 ? "_legacy" : "");
    load_file(&want, "plain.safetensors");
    load_file(&got, name);
    ck_assert_str_eq(got.format, _i % 2 ? "torch legacy" : "torch zip");
    ck_assert_uint_ge(got.count, want.count);
    ck_assert_uint_eq(want.count, 8);
    for (size_t i = 0; i < want.count; i++) {
        bool found = false;
        for (size_t k = 0; k < got.count; k++)
            found |= ends_with(got.tensor[k].name, want.tensor[i].name) &&
                     same_bits(&want.tensor[i], &got.tensor[k]);
        ck_assert_msg(found, "%s: %s", name, want.tensor[i].name);
    }
    rn_tensors_release(&want);
    rn_tensors_release(&got);
}
END_TEST

/* Numbers stay in the file until somebody needs them. */
START_TEST(reads_nothing_early)
{
    rn_tensors set;
    rn_constant constant;
    load_file(&set, _i ? "plain_legacy.pth" : "plain.pth");
    for (size_t i = 0; i < set.count; i++) {
        ck_assert_ptr_null(set.tensor[i].data);
        if (set.tensor[i].dtype == RN_I64) continue;
        ck_assert(rn_tensor_constant(&set.tensor[i], &constant, &fault));
        ck_assert(!constant.floats && constant.stored);
    }
    rn_tensors_release(&set);
}
END_TEST

/* ---- cut and changed files ------------------------------------------------------------------- */

static const char *const victims[] = {"plain.pth", "plain_legacy.pth", "checkpoint.pth",
                                      "strided_legacy.pth"};
#define VICTIMS (int)(sizeof victims / sizeof victims[0])

static zip_builder read_victim(int i)
{
    char path[128];
    rn_file file;
    zip_builder copy = {0};
    snprintf(path, sizeof path, FOLDER "%s", victims[i]);
    ck_assert_int_eq(rn_file_open(&file, path, &fault), RN_OK);
    uint8_t *bytes = rn_file_read_new(&file, 0, file.size, &fault);
    ck_assert_ptr_nonnull(bytes);
    zip_append(&copy, bytes, file.size);
    rn_free(bytes);
    rn_file_close(&file);
    return copy;
}

START_TEST(refuses_every_truncation)
{
    zip_builder whole = read_victim(_i);
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *cut = malloc(size ? size : 1);
        memcpy(cut, whole.bytes, size);
        rn_tensors set;
        ck_assert_msg(load(&set, (rn_file){.bytes = cut, .size = size}) == RN_ERR_FORMAT,
                      "%zu bytes", size);
        ck_assert(fault.text[0] != '\0');
        rn_tensors_release(&set);
        free(cut);
    }
    zip_free(&whole);
}
END_TEST

START_TEST(survives_every_changed_byte)
{
    zip_builder whole = read_victim(_i);
    for (size_t i = 0; i < whole.size; i++) {
        const uint8_t original = whole.bytes[i];
        const uint8_t change[] = {0, 1, '.', 0x7f, 0x80, 0xff, original ^ 1, original + 1};
        for (size_t c = 0; c < sizeof change; c++) {
            whole.bytes[i] = change[c];
            rn_tensors set;
            const rn_status status =
                load(&set, (rn_file){.bytes = whole.bytes, .size = whole.size});
            ck_assert(status == RN_OK || (status == RN_ERR_FORMAT && fault.text[0]));
            for (size_t t = 0; status == RN_OK && t < set.count; t++)
                if (set.tensor[t].dtype <= RN_F64)
                    ck_assert_ptr_nonnull(rn_tensor_floats(&set.tensor[t], &fault));
            rn_tensors_release(&set);
        }
        whole.bytes[i] = original;
    }
    zip_free(&whole);
}
END_TEST

/* ---- hostile objects ------------------------------------------------------------------------- */

#define STRING1(c)        "X\1\0\0\0" c
#define STORAGE(n)        "(X\7\0\0\0storagectorch\nFloatStorage\n" STRING1("0") "X\3\0\0\0cpu" n "tQ"
#define REBUILD           "ctorch._utils\n_rebuild_tensor_v2\n"
#define TENSOR(arguments) REBUILD "(" arguments "\x89NtR"
#define GOOD              TENSOR(STORAGE("K\4") "K\0K\4\x85K\1\x85")

#define CASE(object, says)                                     \
    {                                                          \
        "\x80\2" object ".", sizeof("\x80\2" object "."), says \
    }
static const struct {
    const char *bytes;
    size_t size; /* with the terminating 0, which is no part of the pickle */
    const char *says;
} hostile[] = {
    CASE(GOOD, "no tensors in the file, which holds a tensor"),
    CASE("]", "no tensors in the file, which holds a list"),
    CASE("}", "no tensors in the file, which holds a dict"),
    CASE("}(" STRING1("a") "}" STRING1("b") "K\1u", "its keys: a b"),
    CASE("}(" STRING1("a") GOOD STRING1("a") GOOD "u", "tensor a: stands twice"),
    CASE("}q\0X\5\0\0\0modelh\0s", "no tensors in the file, which holds a dict; its keys: model"),
    CASE("}" STRING1("a") TENSOR(STORAGE("K\5") "K\0K\5\x85K\1\x85") "s",
         "tensor a: storage 0: 5 elements of 4 bytes, but 16 bytes"),
    CASE("}" STRING1("a") TENSOR(STORAGE("\x8a\x08\4\0\0\0\0\0\0\x40") "K\0K\4\x85K\1\x85") "s",
         "tensor a: storage 0: 4611686018427387908 elements of 4 bytes, but 16 bytes"),
    CASE("}" STRING1("a")
             TENSOR("(X\7\0\0\0storagectorch\nFloatStorage\n" STRING1("1") "NK\4tQ"
                                                                           "K\0K\4\x85K\1\x85") "s",
         "tensor a: storage 1 isn't in the file"),
    CASE("}" STRING1("a")
             TENSOR("(X\7\0\0\0storagectorch\nFloatStorage\n" STRING1("0") "NK\4)tQ"
                                                                           "K\0K\4\x85K\1\x85") "s",
         "tensor a: storage 0 is a view"),
    CASE("}" STRING1("a") TENSOR(STORAGE("K\4") "K\5K\0\x85K\1\x85") "s",
         "tensor a: begins at element 5 of a storage of 4"),
    CASE("}" STRING1("a") TENSOR(STORAGE("K\4") "K\1K\4\x85K\1\x85") "s", "tensor a: the shape 4"),
    CASE("}" STRING1("a") TENSOR(STORAGE("K\4") "K\0K\2\x85K\4\x85") "s", "tensor a: the shape 2"),
    CASE("}" STRING1("a") TENSOR(STORAGE("K\4") "K\0J\0\0\0\x40\x85K\0\x85") "s",
         "tensor a: the shape 1073741824"),
    CASE("}" STRING1("a")
             TENSOR(STORAGE("K\4") "K\0\x8a\x08\0\0\0\0\0\0\0\x40K\4\x86K\1K\0\x86") "s",
         "tensor a: the shape 4611686018427387904x4 overflows"),
    CASE("}" STRING1("a") TENSOR(STORAGE("K\4") "K\0K\2\x85\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"
                                                "\x85") "s",
         "tensor a: the shape 2 overflows"),
    CASE("}X\3\0\0\0a\0b" GOOD "s", "tensor a: its name holds a NUL"),
    CASE("cos\nsystem\nX\2\0\0\0id\x85R", "no tensors in the file, which holds an object"),
};

static rn_status load_object(const char *pickle, size_t size)
{
    static const float data[4] = {1, 2, 3, 4};
    zip_builder archive = {0};
    zip_add(&archive, "n/data.pkl", pickle, size);
    zip_add(&archive, "n/data/0", data, sizeof data);
    zip_finish(&archive, "");
    rn_tensors set;
    const rn_status status = load(&set, (rn_file){.bytes = archive.bytes, .size = archive.size});
    rn_tensors_release(&set);
    zip_free(&archive);
    return status;
}

START_TEST(refuses_hostile_objects)
{
    ck_assert_int_eq(load_object(hostile[_i].bytes, hostile[_i].size - 1), RN_ERR_FORMAT);
    ck_assert_msg(strstr(fault.text, hostile[_i].says), "'%s' not in '%s'", hostile[_i].says,
                  fault.text);
}
END_TEST

START_TEST(loads_what_the_hostile_ones_are_made_of)
{
    static const char object[] = "\x80\2}" STRING1("a") GOOD "s.";
    ck_assert_msg(load_object(object, sizeof object - 1) == RN_OK, "%s", fault.text);
}
END_TEST

/* What stands beside a tensor in training checkpoints: none of it is executed, or in the way. */
#define TYPED(type, bytes) \
    TENSOR("(X\7\0\0\0storagectorch\n" type "\n" STRING1("0") "NK" bytes "tQK\0K\1\x85K\1\x85")
static const struct {
    const char *bytes;
    size_t size;
} beside[] = {
#define BESIDE(object)                                                  \
    {                                                                   \
        "}(" STRING1("a") GOOD STRING1("b") object "u.",                \
            sizeof("}(" STRING1("a") GOOD STRING1("b") object "u.") - 1 \
    }
    BESIDE("cargparse\nNamespace\n)\x81}Vlr\nG\0\0\0\0\0\0\0\0sb"),
    BESIDE("cos\nsystem\nVtouch pickled\n\x85R"),
    BESIDE("c__builtin__\neval\nV1/0\n\x85R"),
    BESIDE("crunpy\n_run_code\n(Vx=1\n}tR"),
    BESIDE("cbuiltins\ngetattr\ncos\nsystem\nVx\n\x86R)R)R"),
    BESIDE("ctorch\ndevice\nVcpu\n\x85R"),
    BESIDE("ctorch\nfloat16\n"),
    BESIDE(
        "cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n(Vf8\nK\0K\1tR(K\3V<\nNNNJ\xff\xff\xff\xff"
        "J\xff\xff\xff\xffK\0tbC\10"
        "12345678\x86R"),
    BESIDE("cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85"
           "C\1b\x87R(K\1)N\x89"
           "C\0tb"),
    BESIDE("\x8f(K\1K\2\x90"),
    BESIDE("c_codecs\nencode\nVabc\nVlatin1\n\x86R"),
    BESIDE("\x8a\x09"
           "123456789"),
    BESIDE(TYPED("ComplexDoubleStorage", "\1")),
    BESIDE(TYPED("ShortStorage", "\10")),
#undef BESIDE
};

START_TEST(loads_weights_beside_other_things)
{
    ck_assert_msg(load_object(beside[_i].bytes, beside[_i].size) == RN_OK, "%s", fault.text);
    ck_assert_int_ne(access("pickled", F_OK), 0);
}
END_TEST

/* The keys that lead to a tensor are its name; those of a module are its state_dict()'s. */
static const struct {
    const char *bytes;
    size_t size;
    const char *name;
} trees[] = {
#define TREE(object, name)                                         \
    {                                                              \
        "\x80\2" object ".", sizeof("\x80\2" object ".") - 1, name \
    }
    TREE("}" STRING1("a") "}" STRING1("b") GOOD "ss", "a.b"),
    TREE("}" STRING1("a") "]K\1a" GOOD "as", "a.1"),
    TREE("}K\7}" STRING1("b") GOOD "ss", "7.b"),
    TREE("]q\0h\0a" GOOD "a", "1"),
    TREE("cmy\nNet\n)\x81}V_modules\n}Vconv\ncmy\nConv\n)\x81}V_parameters\n}Vweight\n" GOOD
         "ssbssb",
         "conv.weight"),
    TREE("}Vmodel\ncmy\nNet\n)\x81}V_buffers\nccollections\nOrderedDict\n)RVmean\n" GOOD "ssbs",
         "model.mean"),
#undef TREE
};

START_TEST(names_tensors_by_their_keys)
{
    static const float data[4] = {1, 2, 3, 4};
    zip_builder archive = {0};
    zip_add(&archive, "n/data.pkl", trees[_i].bytes, trees[_i].size);
    zip_add(&archive, "n/data/0", data, sizeof data);
    zip_finish(&archive, "");
    rn_tensors set;
    const rn_status status = load(&set, (rn_file){.bytes = archive.bytes, .size = archive.size});
    ck_assert_msg(status == RN_OK, "%s", fault.text);
    ck_assert_uint_eq(set.count, 1);
    ck_assert_str_eq(set.tensor[0].name, trees[_i].name);
    rn_tensors_release(&set);
    zip_free(&archive);
}
END_TEST

/* Many names for one storage: each is fine, all together unfold to far more than the file. */
START_TEST(refuses_a_small_file_that_unfolds)
{
    enum { FLOATS = 4096, NAMES = 64 };
    static float data[FLOATS];
    zip_builder archive = {0}, pickle = {0};
#define ADD(text) zip_append(&pickle, text, sizeof(text) - 1)
    ADD("\x80\2}(");
    for (int i = 0; i < NAMES; i++) {
        const char key[] = {'X', 1, 0, 0, 0, (char)('A' + i % 26 + i / 26 * 32)};
        zip_append(&pickle, key, sizeof key);
        ADD(TENSOR(STORAGE("M\x00\x10") "K\0M\x00\x10\x85K\1\x85"));
    }
    ADD("u.");
    zip_add(&archive, "n/data.pkl", pickle.bytes, pickle.size);
    zip_add(&archive, "n/data/0", data, sizeof data);
    zip_finish(&archive, "");
    rn_tensors set;
    ck_assert_int_eq(load(&set, (rn_file){.bytes = archive.bytes, .size = archive.size}),
                     RN_ERR_FORMAT);
    ck_assert_msg(strstr(fault.text, "share storages for more than 4 times"), "%s", fault.text);
    rn_tensors_release(&set);
    zip_free(&archive);
    zip_free(&pickle);
}
END_TEST

/* An archive without the object, a TorchScript archive, and one with numbers the other way round.
 */
START_TEST(refuses_other_archives)
{
    static const struct {
        const char *name[2], *data[2], *says;
    } other[] = {
        {{"a/b/data.pkl", "data.pkl"}, {"N.", "N."}, "no NAME/data.pkl in the zip archive"},
        {{"n/data.pkl", "n/constants.pkl"},
         {"c__torch__\nNet\n)R.", ""},
         "a TorchScript archive is a program: save its state_dict() instead: no tensors in the "
         "file, which holds an object"},
        {{"w.pth", "MAR-INF/MANIFEST.json"}, {"", ""}, "a TorchServe archive (.mar): unzip it"},
        {{"config.json", "model.weights.h5"}, {"", ""}, "a Keras archive (.keras): export"},
        {{"archive/a.json", "archive/archive_format"}, {"", ""}, "a torch.export archive (.pt2)"},
        {{"a.npy", "b.npy"}, {"", ""}, "NumPy arrays (.npz): save them as safetensors"},
        {{"n/data.pkl", "n/byteorder"}, {"}.", "big"}, "n/byteorder: byte order big, not little"},
    };
    zip_builder archive = {0};
    for (int i = 0; i < 2; i++)
        zip_add(&archive, other[_i].name[i], other[_i].data[i], strlen(other[_i].data[i]));
    zip_finish(&archive, "");
    rn_tensors set;
    ck_assert_int_eq(load(&set, (rn_file){.bytes = archive.bytes, .size = archive.size}),
                     RN_ERR_FORMAT);
    ck_assert_msg(strstr(fault.text, other[_i].says), "%s", fault.text);
    rn_tensors_release(&set);
    zip_free(&archive);
}
END_TEST

/* What stands in place of weights is named. */
static const struct {
    const char *bytes, *says;
} strangers[] = {
    {"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"},
    {"\x89HDF\r\n\x1a\n...", "an HDF5 file"},
    {"....TFL3....", "a TensorFlow Lite file"},
    {"....ORTM....", "an ORT file"},
    {"ptrt....", "a TensorRT engine"},
    {"GGUF....", "a GGUF file"},
    {"\x1f\x8b\x08....", "a gzip archive"},
    {"<!DOCTYPE html><html>", "an HTML page"},
    {"<?xml version='1.0'?>", "an XML file"},
    {"7767517\n2 2\n", "an ncnn file"},
    {"nothing known", "neither safetensors, PyTorch nor ONNX"},
};

START_TEST(names_what_is_no_weights_file)
{
    rn_tensors set;
    const char *bytes = strangers[_i].bytes;
    ck_assert_int_eq(load(&set, (rn_file){.bytes = (const uint8_t *)bytes, .size = strlen(bytes)}),
                     RN_ERR_FORMAT);
    ck_assert_msg(strstr(fault.text, strangers[_i].says), "%s", fault.text);
    rn_tensors_release(&set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("torch");
    TCase *tests = tcase_create("torch");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, gives_the_same_bits, 0, 2 * SAVES);
    tcase_add_loop_test(tests, reads_nothing_early, 0, 2);
    tcase_add_loop_test(tests, refuses_every_truncation, 0, VICTIMS);
    tcase_add_loop_test(tests, survives_every_changed_byte, 0, VICTIMS);
    tcase_add_loop_test(tests, refuses_hostile_objects, 0,
                        (int)(sizeof hostile / sizeof hostile[0]));
    tcase_add_test(tests, loads_what_the_hostile_ones_are_made_of);
    tcase_add_loop_test(tests, names_tensors_by_their_keys, 0, sizeof trees / sizeof *trees);
    tcase_add_loop_test(tests, loads_weights_beside_other_things, 0,
                        (int)(sizeof beside / sizeof *beside));
    tcase_add_test(tests, refuses_a_small_file_that_unfolds);
    tcase_add_loop_test(tests, refuses_other_archives, 0, 7);
    tcase_add_loop_test(tests, names_what_is_no_weights_file, 0,
                        sizeof strangers / sizeof *strangers);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
