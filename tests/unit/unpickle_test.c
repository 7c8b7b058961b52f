/* The unpickler: values it reads, and everything that it must refuse by its name. */
#include "check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* What each byte is: 0 no opcode, 1 read, 2 refused. */
static const struct {
    int state;
    const char *name;
} opcodes[256] = {
#define OPCODE(byte, name, handler) [byte] = {1, #name},
#define REFUSED(byte, name)         [byte] = {2, #name},
#include "formats/pickle_ops.def"
#undef OPCODE
#undef REFUSED
};

START_TEST(refuses_other_opcodes_by_name)
{
    int refused = 0, unknown = 0;
    for (int byte = 0; byte < 256; byte++) {
        const uint8_t bytes[] = {0x80, 2, (uint8_t)byte, '.'};
        char says[64];
        if (opcodes[byte].state == 1) continue;
        if (opcodes[byte].state == 2)
            snprintf(says, sizeof says, "byte 2: opcode %s isn't read", opcodes[byte].name);
        else
            snprintf(says, sizeof says, "byte 2: 0x%02x is no opcode", byte);
        check_refused(bytes, sizeof bytes, says);
        opcodes[byte].state ? refused++ : unknown++;
    }
    ck_assert_int_eq(refused, 37);
    ck_assert_int_eq(unknown, 256 - 68);
}
END_TEST

static const char *const forbidden[] = {
    "os.system",
    "posix.system",
    "nt.system",
    "subprocess.Popen",
    "builtins.eval",
    "builtins.exec",
    "builtins.getattr",
    "__builtin__.eval",
    "torch.load",
    "torch.IntStorage",
    "torch.ByteStorage",
    "torch.FloatTensor",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_parameter_with_state",
    "torch.nn.parameter.Parameter",
    "torch.Size",
    "torch.storage._load_from_bytes",
    "torchvision.models.resnet.ResNet",
    "collections.defaultdict",
    "collections.OrderedDict2",
    "collections.Ordered",
    "collection.OrderedDict",
    "argparse.Namespace",
    "numpy.core.multiarray._reconstruct",
    "runpy._run_code",
    "torch.FloatStorage.__init__",
    "a.",
};

START_TEST(refuses_other_callables_by_name)
{
    char name[80], bytes[120], says[160];
    snprintf(name, sizeof name, "%s", forbidden[_i]);
    char *dot = strrchr(name, '.');
    *dot = '\0';
    const int size = snprintf(bytes, sizeof bytes, "}c%s\n%s\n(tR.", name, dot + 1);
    snprintf(says, sizeof says, "byte 1: the file asks for %s: only", forbidden[_i]);
    check_refused(bytes, (size_t)size, says);
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
    CASE("\x80\x04N.", "not protocol 2"),
    CASE(".", "STOP with more or less than one value"),
    CASE("NN.", "byte 2: STOP with more or less"),
    CASE("(.", "STOP with more or less"),
    CASE("J\1\2\3", "the pickle ends inside an opcode"),
    CASE("G1234567", "the pickle ends inside an opcode"),
    CASE("X\xff\xff\xff\xff"
         "abc.",
         "the pickle ends inside an opcode"),
    CASE("X\4\0\0\0abc", "the pickle ends inside an opcode"),
    CASE("\x8a\x09"
         "123456789.",
         "more than 64 bits"),
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
    CASE("}Ns.", "an item for what is no dict"),
    CASE("]NNs.", "an item for what is no dict"),
    CASE("(NNs.", "an item for what is no dict"),
    CASE("Na.", "an item for what is no list"),
    CASE("}Na.", "an item for what is no list"),
    CASE("q\0.", "nothing on the stack to remember"),
    CASE("(q\0.", "nothing on the stack to remember"),
    CASE("Nr\xff\xff\xff\xff.", "beyond the pickle's size"),
    CASE("Nq\x20.", "beyond the pickle's size"),
    CASE("h\0.", "never set"),
    CASE("Nq\2h\1.", "never set"),
    CASE("j\xff\xff\xff\xff.", "never set"),
    CASE("cos\nsystem", "the pickle ends inside an opcode"),
    CASE("cos", "the pickle ends inside an opcode"),
    CASE("NQ.", "no tuple"),
    CASE("Q.", "no tuple"),
    CASE(")Q.", "no storage"),
    CASE("(NNNNNtQ.", "no storage"),
    CASE("(X\6\0\0\0modulectorch\nFloatStorage\nX\1\0\0\0"
         "0X\3\0\0\0cpuK\6tQ.",
         "no storage"),
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
    CASE("ccollections\nOrderedDict\n]\x85R.", "OrderedDict with arguments"),
    CASE("ctorch\nFloatStorage\nK\1\x85R.", "torch.FloatStorage isn't called"),
    CASE("ctorch._utils\n_rebuild_parameter\n)R.", "_rebuild_parameter without a tensor"),
    CASE("ctorch._utils\n_rebuild_parameter\nNNN\x87R.", "_rebuild_parameter without a tensor"),
    CASE(TENSOR(""), "_rebuild_tensor_v2 with other arguments"),
    CASE(TENSOR("NK\0))\x89N"), "_rebuild_tensor_v2 with other"),
    CASE(TENSOR(STORAGE("FloatStorage") "N))\x89N"), "_rebuild_tensor_v2 with other"),
    CASE(TENSOR(STORAGE("FloatStorage") "J\xff\xff\xff\xff))\x89N"), "_rebuild_tensor_v2 with oth"),
    CASE(TENSOR(STORAGE("FloatStorage") "K\0K\1\x85)\x89N"), "_rebuild_tensor_v2 with other"),
    CASE(TENSOR(STORAGE("FloatStorage") "K\0J\xff\xff\xff\xff\x85K\1\x85\x89N"), "_rebuild_tensor"),
    CASE(TENSOR(STORAGE("FloatStorage") "K\0N\x85K\1\x85\x89N"), "_rebuild_tensor_v2 with other"),
    CASE(TENSOR(STORAGE("FloatStorage") "K\0]K\1\x85\x89N"), "_rebuild_tensor_v2 with other"),
    CASE(TENSOR(STORAGE("FloatStorage") "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1tq\0h\0\x89N"),
         "_rebuild_tensor_v2 with other"),
    CASE(TENSOR(STORAGE("IntStorage") "K\0))\x89N"), "torch.IntStorage"),
    CASE("N}b.", "BUILD of what is no dict"),
    CASE("}Nb.", "BUILD of what is no dict"),
    CASE("}b.", "BUILD of what is no dict"),
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
    tcase_add_test(tests, refuses_other_opcodes_by_name);
    tcase_add_loop_test(tests, refuses_other_callables_by_name, 0, COUNT(forbidden));
    tcase_add_loop_test(tests, refuses_malformed_pickles, 0, COUNT(malformed));
    tcase_add_test(tests, survives_nesting);
    tcase_add_test(tests, stops_at_the_limit);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
