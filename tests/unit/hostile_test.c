/* Weights files that somebody has broken on purpose, through the whole of loading: small files of
 * every format, cut, and with bytes and 32- and 64-bit fields changed, by a generator that always
 * makes the same ones. Each is loaded or refused with a text, in memory that the file's size
 * bounds.
 *
 * MUTATIONS=N makes N changes to each file; the default is small. */
#include "check_main.h"
#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "resnet.h"

#define DEFAULT_MUTATIONS 150
#define MOST_CUTS         1500 /* lengths tried of each file */
/* What loading may take beside the file's own size: threads' stacks are the most of it. */
#define MEMORY_BASE     ((size_t)160 << 20)
#define MEMORY_PER_BYTE 300

static const char *const files[] = {
    "tests/golden/formats/typed-float32.safetensors",
    "tests/golden/formats/typed-bfloat16.safetensors",
    "tests/golden/formats/typed-float32.pth",
    "tests/golden/formats/typed-float16.pth",
    "tests/golden/formats/typed-float32-legacy.pth",
    "tests/golden/formats/typed-float64-legacy.pth",
    "tests/golden/formats/typed-float64.onnx",
    "tests/golden/cases/onnx-gates-12.onnx",
    "tests/golden/cases/onnx-linear-gates-16.onnx",
    "tests/golden/cases/onnx-qlinear-12.onnx",
    "tests/golden/cases/onnx-qdq-13.onnx",
    "tests/golden/formats/net-checkpoint.pth",
    "tests/golden/formats/net-module-legacy.pth",
};
#define FILES (int)(sizeof files / sizeof *files)

/* ---- memory ---------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* From here on this process (a test has its own) gets no more than the bound for such a file. */
static void bound_memory(size_t size)
{
#ifdef SANITIZED
    (void)size; /* shadow memory is larger than any bound */
#else
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%zu", &pages), 1);
    fclose(file);
    const rlim_t most =
        pages * (size_t)sysconf(_SC_PAGESIZE) + MEMORY_BASE + size * MEMORY_PER_BYTE;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &(struct rlimit){most, most}), 0);
#endif
}

/* ---- loading --------------------------------------------------------------------------------- */

/* The bytes are in memory of exactly their size, so that a sanitizer sees what is read behind. */
static rn_status load(const uint8_t *bytes, size_t size, const rn_model_options *options)
{
    rn_model *model = NULL;
    rn_error err = {0};
    uint8_t *copy = malloc(size ? size : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    const rn_status status = rn_model_load_memory(&model, copy, size, options, &err);
    ck_assert_int_eq(status == RN_OK, model != NULL);
    ck_assert_msg(status == RN_OK || (status == RN_ERR_FORMAT && *err.text), "status %d: %s",
                  (int)status, err.text);
    rn_model_release(model);
    free(copy);
    return status;
}

static const rn_model_options small = {.input_height = 32, .input_width = 32};

/* ---- changes --------------------------------------------------------------------------------- */

/* Little-endian, at any place: sizes and offsets stand in all these formats so. */
static void change_field(uint8_t *bytes, size_t size)
{
    static const uint64_t values[] = {
        0,
        1,
        2,
        0x7f,
        0x80,
        0xff,
        0xffff,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        (uint64_t)1 << 32,
        INT64_MAX,
        (uint64_t)1 << 63,
        UINT64_MAX - 7,
        UINT64_MAX,
    };
    const size_t width = (size_t)1 << random_bits() % 4, at = random_bits() % size;
    uint64_t value = values[random_bits() % (sizeof values / sizeof *values)];
    if (random_bits() % 4 == 0) value = size + random_bits() % 5 - 2; /* the file's end, nearly */
    memcpy(bytes + at, &value, width < size - at ? width : size - at);
}

static void change_byte(uint8_t *bytes, size_t size)
{
    uint8_t *at = &bytes[random_bits() % size];
    switch (random_bits() % 3) {
    case 0: *at ^= (uint8_t)(1 << random_bits() % 8); break;
    case 1: *at = (uint8_t)random_bits(); break;
    default: *at = (uint8_t)(*at + (random_bits() % 2 ? 1 : -1)); break;
    }
}

/* A piece of the file over another one. */
static void change_piece(uint8_t *bytes, size_t size)
{
    const size_t from = random_bits() % size, to = random_bits() % size,
                 wanted = random_bits() % 64;
    const size_t most = size - (from > to ? from : to);
    memmove(bytes + to, bytes + from, wanted < most ? wanted : most);
}

static void change(uint8_t *bytes, size_t size)
{
    for (size_t n = 1 + random_bits() % 3; n > 0; n--) {
        const uint64_t kind = random_bits() % 8;
        if (kind < 4)
            change_field(bytes, size);
        else if (kind < 7)
            change_byte(bytes, size);
        else
            change_piece(bytes, size);
    }
}

static size_t mutations(void)
{
    const char *text = getenv("MUTATIONS");
    return text ? (size_t)strtoul(text, NULL, 10) : DEFAULT_MUTATIONS;
}

/* ---- the tests: _i is a file ----------------------------------------------------------------- */

/* A good file's bytes, in memory of their own. */
static void read_file(rn_file *file, const char *path)
{
    rn_error err;
    rn_file disk;
    ck_assert_msg(rn_file_open(&disk, path, &err) == RN_OK, "%s", err.text);
    *file = (rn_file){rn_file_read_new(&disk, 0, disk.size, &err), .size = disk.size};
    ck_assert_ptr_nonnull(file->bytes);
    rn_file_close(&disk);
    ck_assert_int_eq(load(file->bytes, file->size, &small), RN_OK);
    bound_memory(file->size);
}

START_TEST(survives_every_cut)
{
    rn_file file;
    read_file(&file, files[_i]);
    const size_t step = file.size / MOST_CUTS + 1;
    for (size_t size = 0; size < file.size; size += size < 256 || file.size - size < 256 ? 1 : step)
        load(file.bytes, size, &small);
    rn_free(file.bytes);
}
END_TEST

START_TEST(survives_changes)
{
    rn_file file;
    read_file(&file, files[_i]);
    random_state = 0x9e3779b97f4a7c15 + (uint64_t)_i;
    uint8_t *bytes = malloc(file.size);
    ck_assert_ptr_nonnull(bytes);
    for (size_t n = mutations(); n > 0; n--) {
        memcpy(bytes, file.bytes, file.size);
        change(bytes, file.size);
        load(bytes, file.size, &small);
    }
    free(bytes);
    rn_free(file.bytes);
}
END_TEST

/* config.json, as timm and as Hugging Face write it, of a network that it fits. */
START_TEST(survives_a_changed_config)
{
    static const char *const configs[] = {
        "{\"architecture\": \"resnet18\", \"num_classes\": 5, \"pretrained_cfg\": {\"input_size\": "
        "[3, 32, 32], \"crop_pct\": 0.95, \"interpolation\": \"bicubic\", \"mean\": [0.5, 0.5, 0.5]"
        ", \"std\": [0.5, 0.5, 0.5]}, \"label_names\": [\"a\", \"b\", \"c\", \"d\", \"e\"]}",
        "{\"depths\": [1, 1], \"layer_type\": \"basic\", \"hidden_act\": \"relu\", \"id2label\": "
        "{\"0\": \"a\", \"1\": \"b\", \"2\": \"c\", \"3\": \"d\", \"4\": \"e\"}, "
        "\"downsample_in_bottleneck\": false, \"stem_stride\": 2, \"strides\": [1, 2]}",
    };
    const size_t size = strlen(configs[_i]);
    rn_file file;
    read_file(&file, files[0]);
    random_state = 0x2545f4914f6cdd1d + (uint64_t)_i;
    char *text = malloc(size);
    ck_assert_ptr_nonnull(text);
    rn_model_options options = {.config = text, .config_size = size};
    for (size_t cut = 0; cut <= size; cut++) {
        memcpy(text, configs[_i], size);
        options.config_size = cut;
        load(file.bytes, file.size, &options);
    }
    for (size_t n = 4 * mutations(); n > 0; n--) {
        memcpy(text, configs[_i], size);
        change_byte((uint8_t *)text, size);
        if (n % 3 == 0) change_piece((uint8_t *)text, size);
        load(file.bytes, file.size, &options);
    }
    free(text);
    rn_free(file.bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hostile");
    TCase *tests = tcase_create("hostile");
    tcase_set_timeout(tests, 600);
    tcase_add_loop_test(tests, survives_every_cut, 0, FILES);
    tcase_add_loop_test(tests, survives_changes, 0, FILES);
    tcase_add_loop_test(tests, survives_a_changed_config, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
