/* The unpickler: values it reads, what it keeps opaque, and what it refuses. */
#include "check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/unpickle.h"

static rn_error fault;

/* Reads from memory of exactly that size, so that a sanitizer sees any byte read beyond it. */
static rn_status unpickle(rn_pickle *pickle, const void *bytes, size_t size, size_t limit)
{
    static uint8_t *copy; /* the pickle points into it until the next one */
    free(copy);
    copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    fault = (rn_error){0};
    return rn_unpickle(pickle, copy, size, limit, &fault);
}

#define UNPICKLE(pickle, text) unpickle(pickle, text, sizeof(text) - 1, SIZE_MAX)

static void check_refused(const void *bytes, size_t size, const char *says)
{
    rn_pickle pickle;
    ck_assert_int_eq(unpickle(&pickle, bytes, size, SIZE_MAX), RN_ERR_FORMAT);
    ck_assert_msg(strstr(fault.text, says), "'%s' not in '%s'", says, fault.text);
}

static const rn_pickle_value *root_of(const rn_pickle *pickle)
{
    return &pickle->value[pickle->root];
}

/* ---- values ---------------------------------------------------------------------------------- */

static const struct {
    const char *bytes;
    size_t size;
    int64_t value;
} integers[] = {
    {"K\xff.", 3, 255},
    {"M\xfe\xff.", 4, 65534},
    {"J\xfe\xff\xff\xff.", 6, -2},
    {"J\x01\x00\x00\x7f.", 6, 0x7f000001},
    {"\x8a\x00.", 3, 0},
    {"\x8a\x01\xff.", 4, -1},
    {"\x8a\x02\xff\x00.", 5, 255},
    {"\x8a\x06\x00\x00\x00\x00\x00\x01.", 9, (int64_t)1 << 40},
    {"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.", 11, INT64_MIN},
};

START_TEST(reads_integers)
{
    rn_pickle pickle;
    ck_assert_int_eq(unpickle(&pickle, integers[_i].bytes, integers[_i].size, SIZE_MAX), RN_OK);
    ck_assert_int_eq(root_of(&pickle)->kind, RN_PICKLE_INT);
    ck_assert_int_eq(root_of(&pickle)->integer, integers[_i].value);
    ck_assert_uint_eq(pickle.end, integers[_i].size);
    rn_pickle_release(&pickle);
}
END_TEST

START_TEST(reads_other_scalars)
{
    rn_pickle pickle;
    ck_assert_int_eq(UNPICKLE(&pickle, "\x80\x02G\xbf\xf8\0\0\0\0\0\0.rest"), RN_OK);
    ck_assert_int_eq(root_of(&pickle)->kind, RN_PICKLE_FLOAT);
    ck_assert(root_of(&pickle)->real == -1.5);
    ck_assert_uint_eq(pickle.end, 12);
    rn_pickle_release(&pickle);
    ck_assert_int_eq(UNPICKLE(&pickle, "X\3\0\0\0abc."), RN_OK);
    ck_assert(rn_pickle_text_is(&pickle, pickle.root, "abc"));
    ck_assert(!rn_pickle_text_is(&pickle, pickle.root, "abcd"));
    rn_pickle_release(&pickle);
    ck_assert_int_eq(UNPICKLE(&pickle, "\x88."), RN_OK);
    ck_assert(root_of(&pickle)->kind == RN_PICKLE_BOOL && root_of(&pickle)->integer == 1);
    rn_pickle_release(&pickle);
    ck_assert_int_eq(UNPICKLE(&pickle, "N."), RN_OK);
    ck_assert_int_eq(root_of(&pickle)->kind, RN_PICKLE_NONE);
    rn_pickle_release(&pickle);
}
END_TEST

/* {"a": [1, 2], "b": (1, 2, 3, 4), "a": None}: the last "a" counts, as in Python */
START_TEST(reads_containers)
{
    rn_pickle pickle;
    ck_assert_int_eq(UNPICKLE(&pickle, "}(X\1\0\0\0aq\0](K\1K\2eX\1\0\0\0b(K\1K\2K\3K\4tuh\0Ns."),
                     RN_OK);
    ck_assert_int_eq(root_of(&pickle)->kind, RN_PICKLE_DICT);
    ck_assert_uint_eq(root_of(&pickle)->size, 6);
    const uint32_t a = rn_pickle_get(&pickle, pickle.root, "a");
    const uint32_t b = rn_pickle_get(&pickle, pickle.root, "b");
    ck_assert_int_eq(pickle.value[a].kind, RN_PICKLE_NONE);
    ck_assert_int_eq(pickle.value[b].kind, RN_PICKLE_TUPLE);
    ck_assert_uint_eq(pickle.value[b].size, 4);
    ck_assert_uint_eq(rn_pickle_get(&pickle, pickle.root, "c"), UINT32_MAX);
    uint32_t at = pickle.value[b].items.first;
    for (int64_t i = 1; i <= 4; i++, at = pickle.item[at].next)
        ck_assert_int_eq(pickle.value[pickle.item[at].value].integer, i);
    rn_pickle_release(&pickle);
}
END_TEST

#define STORAGE(type)                              \
    "(X\7\0\0\0storagectorch\n" type "\nX\1\0\0\0" \
    "7X\3\0\0\0cpuK\6tQ"
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n"
#define DICT    "ccollections\nOrderedDict\n)R"

START_TEST(reads_tensors)
{
    rn_pickle pickle;
    rn_pickle_tensor tensor;
    ck_assert_int_eq(UNPICKLE(&pickle, "ctorch._utils\n_rebuild_parameter\n" REBUILD
                                       "(" STORAGE("HalfStorage") "K\1K\3K\2\x86K\1K\3\x86\x89" DICT
                                                                  "tR\x88" DICT "\x87R."),
                     RN_OK);
    ck_assert_int_eq(root_of(&pickle)->kind, RN_PICKLE_TENSOR);
    rn_pickle_tensor_of(&pickle, pickle.root, &tensor);
    ck_assert_uint_eq(tensor.offset, 1);
    ck_assert_uint_eq(tensor.rank, 2);
    ck_assert(tensor.shape[0] == 3 && tensor.shape[1] == 2);
    ck_assert(tensor.stride[0] == 1 && tensor.stride[1] == 3);
    const rn_pickle_value *storage = &pickle.value[tensor.storage];
    ck_assert_int_eq(storage->kind, RN_PICKLE_STORAGE);
    ck_assert_int_eq(storage->dtype, RN_F16);
    ck_assert_int_eq(storage->integer, 6);
    ck_assert(rn_pickle_text_is(&pickle, storage->ref, "7"));
    rn_pickle_release(&pickle);
}
END_TEST

/* ---- refusals -------------------------------------------------------------------------------- */

static const bool is_opcode[256] = {
#define OPCODE(byte, name, handler) [byte] = true,
#include "formats/pickle_ops.def"
#undef OPCODE
};

START_TEST(refuses_what_is_no_opcode)
{
    int unknown = 0;
    for (int byte = 0; byte < 256; byte++) {
        const uint8_t bytes[] = {0x80, 2, (uint8_t)byte, '.'};
        char says[64];
        if (is_opcode[byte]) continue;
        snprintf(says, sizeof says, "byte 2: 0x%02x is no opcode", byte);
        check_refused(bytes, sizeof bytes, says);
        unknown++;
    }
    ck_assert_int_eq(unknown, 256 - 68);
}
END_TEST

static const char *const opaque[] = {
    "os.system",
    "posix.system",
    "nt.system",
    "subprocess.Popen",
    "builtins.eval",
    "builtins.exec",
    "builtins.getattr",
    "__builtin__.eval",
    "torch.load",
    "torch.FloatTensor",
    "torch._utils._rebuild_sparse_tensor",
    "torch.nn.parameter.Parameter",
    "torch.Size",
    "torch.storage._load_from_bytes",
    "torchvision.models.resnet.ResNet",
    "collections.OrderedDict2",
    "collections.Ordered",
    "collection.OrderedDict",
    "argparse.Namespace",
    "numpy.core.multiarray._reconstruct",
    "runpy._run_code",
    "torch.FloatStorage.__init__",
    "a.",
};

/* {"a": NAME("touch ..."), ...} is read, and nothing is done. */
START_TEST(keeps_other_callables_opaque)
{
    char name[80], bytes[200];
    snprintf(name, sizeof name, "%s", opaque[_i]);
    char *dot = strrchr(name, '.');
    *dot = '\0';
    static const char *const forms[][3] = {
        {"}Va\nc", "\n", "\n(Vtouch pickled\ntRs."},     /* REDUCE */
        {"}Va\nc", "\n", "\n(Vtouch pickled\nt\x81s."},  /* NEWOBJ */
        {"}Va\nc", "\n", "\n(Vtouch pickled\nt}\x92s."}, /* NEWOBJ_EX */
        {"}Va\n(i", "\n", "\ns."},                       /* INST */
        {"}Va\n(c", "\n", "\nVtouch pickled\nos."},      /* OBJ */
        {"}Va\nV", "\nV", "\n\x93)R}bs."},               /* STACK_GLOBAL, BUILD */
    };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        rn_pickle pickle;
        const int size = snprintf(bytes, sizeof bytes, "%s%s%s%s%s", forms[f][0], name, forms[f][1],
                                  dot + 1, forms[f][2]);
        ck_assert_msg(unpickle(&pickle, bytes, (size_t)size, SIZE_MAX) == RN_OK, "%zu: %s", f,
                      fault.text);
        const uint32_t made = rn_pickle_get(&pickle, pickle.root, "a");
        ck_assert_int_eq(pickle.value[made].kind, RN_PICKLE_OBJECT);
        rn_pickle_release(&pickle);
    }
    ck_assert_int_ne(access("pickled", F_OK), 0);
}
END_TEST

/* What protocols 0, 1, 3, 4 and 5 have that 2 has not: each gives a value of that kind. */
static const struct {
    const char *bytes;
    size_t size;
    rn_pickle_kind kind;
    uint32_t count; /* of bytes or elements */
} values[] = {
#define VALUE(bytes, kind, count)             \
    {                                         \
        bytes, sizeof(bytes) - 1, kind, count \
    }
    VALUE("U\3abc.", RN_PICKLE_STRING, 3),
    VALUE("T\3\0\0\0abc.", RN_PICKLE_STRING, 3),
    VALUE("S'abc'\n.", RN_PICKLE_STRING, 3),
    VALUE("Vabc\n.", RN_PICKLE_STRING, 3),
    VALUE("\x80\5\x95\7\0\0\0\0\0\0\0\x8c\3"
          "abc\x94.",
          RN_PICKLE_STRING, 3),
    VALUE("\x8d\3\0\0\0\0\0\0\0"
          "abc.",
          RN_PICKLE_STRING, 3),
    VALUE("C\3abc.", RN_PICKLE_BYTES, 3),
    VALUE("B\3\0\0\0"
          "abc.",
          RN_PICKLE_BYTES, 3),
    VALUE("\x8e\3\0\0\0\0\0\0\0"
          "abc.",
          RN_PICKLE_BYTES, 3),
    VALUE("\x96\3\0\0\0\0\0\0\0"
          "abc.",
          RN_PICKLE_BYTES, 3),
    VALUE("\x8f(K\1K\2\x90.", RN_PICKLE_LIST, 2),
    VALUE("(K\1K\2\x91.", RN_PICKLE_LIST, 2),
    VALUE("(K\1K\2l.", RN_PICKLE_LIST, 2),
    VALUE("(K\1K\2d.", RN_PICKLE_DICT, 2),
    VALUE("]2a.", RN_PICKLE_LIST, 1),
    VALUE("N]0.", RN_PICKLE_NONE, 0),
    VALUE("](NN1.", RN_PICKLE_LIST, 0),
    VALUE("]p0\n0g0\n.", RN_PICKLE_LIST, 0),
    VALUE("]\x94N\x94"
          "0"
          "0h\0.",
          RN_PICKLE_LIST, 0),
    VALUE("Pid\n.", RN_PICKLE_OBJECT, 0),
    VALUE("F1.5\n.", RN_PICKLE_OBJECT, 0),
    VALUE("\x82\1.", RN_PICKLE_OBJECT, 0),
    VALUE("\x83\1\0.", RN_PICKLE_OBJECT, 0),
    VALUE("\x84\1\0\0\0.", RN_PICKLE_OBJECT, 0),
    VALUE("\x97\x98.", RN_PICKLE_OBJECT, 0),
    VALUE("L99999999999999999999L\n.", RN_PICKLE_OBJECT, 0),
    VALUE("\x8a\x09"
          "123456789.",
          RN_PICKLE_OBJECT, 0),
    VALUE("\x8b\x09\0\0\0"
          "123456789.",
          RN_PICKLE_OBJECT, 0),
    VALUE("ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R.", RN_PICKLE_DICT, 0),
    VALUE("ccollections\nOrderedDict\n]](Va\nK\1ea\x85R.", RN_PICKLE_DICT, 2),
    VALUE("ctorch\nFloatStorage\nK\1\x85R.", RN_PICKLE_OBJECT, 2),
    VALUE(")Q.", RN_PICKLE_OBJECT, 0),
    VALUE("ca\nb\n)\x81Nb(K\1K\2e.", RN_PICKLE_OBJECT, 8),
#undef VALUE
};

START_TEST(reads_values_of_every_protocol)
{
    rn_pickle pickle;
    ck_assert_msg(unpickle(&pickle, values[_i].bytes, values[_i].size, SIZE_MAX) == RN_OK, "%d: %s",
                  _i, fault.text);
    ck_assert_int_eq(root_of(&pickle)->kind, values[_i].kind);
    if (values[_i].kind != RN_PICKLE_NONE)
        ck_assert_uint_eq(root_of(&pickle)->size, values[_i].count);
    rn_pickle_release(&pickle);
}
END_TEST

static const struct {
    const char *bytes;
    size_t size;
    int64_t value;
} decimals[] = {
    {"I42\n.", 5, 42},
    {"I-7\n.", 5, -7},
    {"L42L\n.", 6, 42},
    {"\x8b\1\0\0\0\xff.", 7, -1},
};

START_TEST(reads_decimal_integers)
{
    rn_pickle pickle;
    ck_assert_int_eq(unpickle(&pickle, decimals[_i].bytes, decimals[_i].size, SIZE_MAX), RN_OK);
    ck_assert_int_eq(root_of(&pickle)->kind, RN_PICKLE_INT);
    ck_assert_int_eq(root_of(&pickle)->integer, decimals[_i].value);
    rn_pickle_release(&pickle);
}
END_TEST

/* Tensors that other functions make: all say the same. */
#define UNTYPED                                                  \
    "(X\7\0\0\0storagectorch.storage\nUntypedStorage\nX\1\0\0\0" \
    "7X\3\0\0\0cpuK\x0ctQ"
#define PLACE "K\1K\3K\2\x86K\1K\3\x86"
static const struct {
    const char *bytes;
    size_t size;
} tensors[] = {
#define BYTES(text)            \
    {                          \
        text, sizeof(text) - 1 \
    }
    BYTES("ctorch._utils\n_rebuild_tensor\n(" STORAGE("HalfStorage") PLACE "tR."),
    BYTES("ctorch._utils\n_rebuild_tensor_v3\n(" UNTYPED PLACE "\x89" DICT "ctorch\nfloat16\ntR."),
    BYTES("ctorch._utils\n_rebuild_parameter_with_state\n(" REBUILD "(" STORAGE("HalfStorage") PLACE
          "\x89" DICT "tR\x88" DICT "}tR."),
    BYTES("ctorch._tensor\n_rebuild_from_type_v2\n(" REBUILD
          "cfastai\nTensorBase\n(" STORAGE("HalfStorage") PLACE "\x89" DICT "t}tR."),
#undef BYTES
};

START_TEST(reads_tensors_of_other_makers)
{
    rn_pickle pickle;
    rn_pickle_tensor tensor;
    ck_assert_msg(unpickle(&pickle, tensors[_i].bytes, tensors[_i].size, SIZE_MAX) == RN_OK, "%s",
                  fault.text);
    ck_assert_int_eq(root_of(&pickle)->kind, RN_PICKLE_TENSOR);
    rn_pickle_tensor_of(&pickle, pickle.root, &tensor);
    ck_assert_int_eq(tensor.dtype, RN_F16);
    ck_assert(tensor.offset == 1 && tensor.shape[0] == 3 && tensor.stride[1] == 3);
    ck_assert(rn_pickle_text_is(&pickle, pickle.value[tensor.storage].ref, "7"));
    rn_pickle_release(&pickle);
}
END_TEST

/* One list that many OrderedDicts copy: memory stays within the pickle's size. */
START_TEST(refuses_lists_that_are_copied_too_often)
{
    enum { PAIRS = 1000, COPIES = 1000 };
    static const char begin[] = "]q\0(", call[] = "ccollections\nOrderedDict\nh\0\x85R0";
    static char bytes[16 + PAIRS * 5 + COPIES * sizeof call];
    size_t size = sizeof begin - 1;
    memcpy(bytes, begin, size);
    for (int i = 0; i < PAIRS; i++, size += 3) memcpy(bytes + size, "NN\x86", 3);
    bytes[size++] = 'e';
    for (int i = 0; i < COPIES; i++, size += sizeof call - 1)
        memcpy(bytes + size, call, sizeof call - 1);
    bytes[size++] = '.';
    check_refused(bytes, size, "copied too often");
}
END_TEST

#define CASE(bytes, says)              \
    {                                  \
        bytes, sizeof(bytes) - 1, says \
    }
#define TENSOR(arguments) REBUILD "(" arguments "tR."
static const struct {
    const char *bytes;
    size_t size;
    const char *says;
} malformed[] = {
    CASE("", "byte 0: the pickle ends"),
    CASE("\x80", "byte 0: the pickle ends"),
    CASE("\x80\x06N.", "newer than 5"),
    CASE(".", "STOP with more or less than one value"),
    CASE("NN.", "byte 2: STOP with more or less"),
    CASE("(.", "STOP with more or less"),
    CASE("J\1\2\3", "the pickle ends inside an opcode"),
    CASE("G1234567", "the pickle ends inside an opcode"),
    CASE("X\xff\xff\xff\xff"
         "abc.",
         "the pickle ends inside an opcode"),
    CASE("X\4\0\0\0abc", "the pickle ends inside an opcode"),
    CASE("\x8a\x04"
         "12.",
         "the pickle ends inside an opcode"),
    CASE("Nt.", "no mark"),
    CASE("N(N\x86.", "too few values"),
    CASE("\x85.", "too few values"),
    CASE("N\x86.", "too few values"),
    CASE("NN\x87.", "too few values"),
    CASE("Nu.", "no mark"),
    CASE("(u.", "items for what is no dict"),
    CASE("](NNu.", "items for what is no dict"),
    CASE("((NNu.", "items for what is no dict"),
    CASE("}(Nu.", "a key without a value"),
    CASE("}(Ne.", "items for what is no list"),
    CASE("}Ns.", "items for what is no dict"),
    CASE("]NNs.", "items for what is no dict"),
    CASE("(NNs.", "items for what is no dict"),
    CASE("Na.", "items for what is no list"),
    CASE("}Na.", "items for what is no list"),
    CASE("q\0.", "nothing on the stack to remember"),
    CASE("(q\0.", "nothing on the stack to remember"),
    CASE("Nr\xff\xff\xff\xff.", "beyond the pickle's size"),
    CASE("Nq\x20.", "beyond the pickle's size"),
    CASE("h\0.", "never set"),
    CASE("Nq\2h\1.", "never set"),
    CASE("j\xff\xff\xff\xff.", "never set"),
    CASE("cos\nsystem", "the pickle ends inside an opcode"),
    CASE("cos", "the pickle ends inside an opcode"),
    CASE("Q.", "no value"),
    CASE("Vstorage\n\x85Q.", "no storage"),
    CASE("(X\7\0\0\0storageccollections\nOrderedDict\nX\1\0\0\0"
         "0NK\6tQ.",
         "no storage"),
    CASE("(X\7\0\0\0storagectorch\nFloatStorage\nNNK\6tQ.", "no storage"),
    CASE("(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
         "0NJ\xff\xff\xff\xfftQ.",
         "no storage"),
    CASE("NNR.", "REDUCE of what is no callable"),
    CASE("N)R.", "REDUCE of what is no callable"),
    CASE("R.", "REDUCE of what is no callable"),
    CASE("ccollections\nOrderedDict\n]R.", "REDUCE of what is no callable"),
    CASE("ctorch._utils\n_rebuild_parameter\n)R.", "_rebuild_parameter without a tensor"),
    CASE(TENSOR(""), "_rebuild_tensor with other arguments"),
    CASE(TENSOR("NK\0))\x89N"), "_rebuild_tensor with other"),
    CASE(TENSOR(STORAGE("FloatStorage") "N))\x89N"), "_rebuild_tensor with other"),
    CASE(TENSOR(STORAGE("FloatStorage") "J\xff\xff\xff\xff))\x89N"), "_rebuild_tensor with oth"),
    CASE(TENSOR(STORAGE("FloatStorage") "K\0K\1\x85)\x89N"), "_rebuild_tensor with other"),
    CASE(TENSOR(STORAGE("FloatStorage") "K\0J\xff\xff\xff\xff\x85K\1\x85\x89N"), "_rebuild_tensor"),
    CASE(TENSOR(STORAGE("FloatStorage") "K\0N\x85K\1\x85\x89N"), "_rebuild_tensor with other"),
    CASE(TENSOR(STORAGE("FloatStorage") "K\0]K\1\x85\x89N"), "_rebuild_tensor with other"),
    CASE(TENSOR(STORAGE("FloatStorage") "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1tq\0h\0\x89N"),
         "_rebuild_tensor with other"),
    CASE("}b.", "BUILD without a value"),
    CASE("0.", "too few values"),
    CASE("2.", "too few values"),
    CASE("N1.", "no mark"),
    CASE("Nl.", "no mark"),
    CASE("(Nd.", "a key without a value"),
    CASE("No.", "OBJ without"),
    CASE("(o.", "OBJ without"),
    CASE("Nia\nb\n.", "no mark"),
    CASE("NN\x93.", "STACK_GLOBAL"),
    CASE("S'\n.", "without its quotes"),
    CASE("Np-1\n.", "no number"),
    CASE("gx\n.", "no number"),
    CASE("g5\n.", "never set"),
    CASE("\x94.", "nothing on the stack to remember"),
    CASE("\x95\1.", "ends inside an opcode"),
    CASE("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
         "a.",
         "ends inside an opcode"),
    CASE("\x8b\xff\xff\xff\xff.", "ends inside an opcode"),
    CASE("\x98.", "too few values"),
    CASE("N)\x81.", "REDUCE of what is no callable"),
    CASE("ca\nb\n)\x92.", "too few values"),
};

START_TEST(refuses_malformed_pickles)
{
    check_refused(malformed[_i].bytes, malformed[_i].size, malformed[_i].says);
}
END_TEST

/* A container inside a container, a million deep, and one that holds itself: nothing recurses. */
START_TEST(survives_nesting)
{
    enum { DEPTH = 1000000 };
    uint8_t *bytes = malloc(2 * DEPTH + 1);
    memset(bytes, ']', DEPTH);
    memset(bytes + DEPTH, 'a', DEPTH);
    bytes[2 * DEPTH - 1] = '.';
    rn_pickle pickle;
    ck_assert_int_eq(unpickle(&pickle, bytes, 2 * DEPTH, SIZE_MAX), RN_OK);
    rn_pickle_release(&pickle);
    free(bytes);
    ck_assert_int_eq(UNPICKLE(&pickle, "]q\0h\0a."), RN_OK);
    rn_pickle_release(&pickle);
}
END_TEST

START_TEST(stops_at_the_limit)
{
    static const char bytes[] = "X\x10\0\0\0"
                                "0123456789abcdef.";
    rn_pickle pickle;
    ck_assert_int_eq(unpickle(&pickle, bytes, sizeof bytes - 1, 22), RN_OK);
    rn_pickle_release(&pickle);
    ck_assert_int_eq(unpickle(&pickle, bytes, sizeof bytes - 1, 20), RN_ERR_FORMAT);
    ck_assert_msg(strstr(fault.text, "more than 20 bytes of metadata"), "%s", fault.text);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void)
{
    Suite *suite = suite_create("unpickle");
    TCase *tests = tcase_create("unpickle");
    tcase_add_loop_test(tests, reads_integers, 0, COUNT(integers));
    tcase_add_test(tests, reads_other_scalars);
    tcase_add_test(tests, reads_containers);
    tcase_add_test(tests, reads_tensors);
    tcase_add_test(tests, refuses_what_is_no_opcode);
    tcase_add_loop_test(tests, keeps_other_callables_opaque, 0, COUNT(opaque));
    tcase_add_loop_test(tests, reads_values_of_every_protocol, 0, COUNT(values));
    tcase_add_loop_test(tests, reads_decimal_integers, 0, COUNT(decimals));
    tcase_add_loop_test(tests, reads_tensors_of_other_makers, 0, COUNT(tensors));
    tcase_add_test(tests, refuses_lists_that_are_copied_too_often);
    tcase_add_loop_test(tests, refuses_malformed_pickles, 0, COUNT(malformed));
    tcase_add_test(tests, survives_nesting);
    tcase_add_test(tests, stops_at_the_limit);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
