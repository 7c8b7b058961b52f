/* What a decoder gives depends on the file alone, never on what was in memory before: this program
 * runs itself with other fill bytes for new memory, and under valgrind where that is installed, and
 * compares digests of all pictures and of bodies of other forms, whole and cut. */
#include "ingest/image.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "ingest/ingest.h"

#define FOLDER "tests/golden/images"

enum { MOST = 1 << 20, SIDE = 24, CUTS = 5 };

static uint64_t digest = 14695981039346656037u; /* FNV-1a, 64 bits */

static void add(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++) digest = (digest ^ at[i]) * 1099511628211u;
}

static void add_text(const char *text)
{
    add(text, strlen(text));
}

/* ---- the child: decodes everything and prints the digest ------------------------------------- */

static const struct image_recipe recipes[] = {
    {3, SIDE, SIDE, {RN_FIT_COVER, 28, 28, RN_BICUBIC, {0.5f}, {1, 1, 1}, .orient = true}},
    {3, 64, 64, {RN_FIT_NONE, 1, 1, RN_NEAREST, {0}, {1, 1, 1}, .crop = RN_CROP_FLOOR}},
    {1, SIDE, 30, {RN_FIT_INSIDE, SIDE, 30, RN_LANCZOS, {0}, {1, 1, 1}, .orient = true}},
    {3, SIDE, 7, {RN_FIT_STRETCH, SIDE, 7, RN_BOX, {0}, {1, 1, 1}, .bgr = true}},
};

static void decode(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        const struct image_recipe *recipe = &recipes[i];
        const struct image_file file = {bytes, size, MOST, SIZE_MAX, NULL};
        const size_t count = recipe->channels * recipe->height * recipe->width;
        struct image_error error;
        float *chw = malloc(count * sizeof *chw);
        if (!chw) abort();
        if (image_read(&file, recipe, chw, &error))
            add(chw, count * sizeof *chw);
        else
            add_text(error.text);
        free(chw);
    }
}

static void ingest(enum ingest_form form, enum coding coding, const void *bytes, size_t size)
{
    const struct ingest_spec spec = {.form = form,
                                     .coding = coding,
                                     .max_size = MOST,
                                     .body_size = size,
                                     .json_size = SIZE_MAX,
                                     .sample_size = 4,
                                     .recipe = recipes[0],
                                     .max_pixels = MOST,
                                     .max_bytes = SIZE_MAX,
                                     .max_floats = MOST};
    struct ingest *body = ingest_new(&spec);
    if (!body) abort();
    const struct ingest_result *result =
        ingest_feed(body, bytes, size) ? ingest_finish(body) : NULL;
    if (result)
        add(result->tensor.data, result->tensor.count * sizeof(float));
    else
        add_text(ingest_error(body)->text);
    ingest_free(body);
}

/* Each file in each form, whole and cut: most are refused, and the reason is the same too. */
static void take_file(const char *folder, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) return;
    uint8_t *bytes = malloc(MOST);
    if (!bytes) abort();
    const size_t size = fread(bytes, 1, MOST, file);
    fclose(file);
    add_text(name);
    for (size_t cut = 0; cut < CUTS; cut++) {
        const size_t part = size - size * cut / CUTS;
        decode(bytes, part);
        ingest(INGEST_IMAGE, CODING_GZIP, bytes, part);
        for (int form = INGEST_JSON; form <= INGEST_RAW; form++)
            ingest((enum ingest_form)form, CODING_NONE, bytes, part);
    }
    free(bytes);
}

static int visible(const struct dirent *entry)
{
    return *entry->d_name != '.';
}

static size_t take_folder(const char *folder)
{
    struct dirent **entry;
    const int count = scandir(folder, &entry, visible, alphasort);
    if (count < 0) return 0;
    for (int i = 0; i < count; i++) {
        const char *name = entry[i]->d_name;
        if (!strstr(name, ".rgb") && !strstr(name, ".bin")) take_file(folder, name);
        free(entry[i]);
    }
    free(entry);
    return (size_t)count;
}

static int print_digest(void)
{
    static const char *const folders[] = {FOLDER,
                                          FOLDER "/oriented",
                                          FOLDER "/parts",
                                          "tests/fuzz/corpus/npy",
                                          "tests/fuzz/corpus/inflate",
                                          "tests/fuzz/corpus/body"};
    size_t files = 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) files += take_folder(folders[i]);
    printf("%zu files, digest %016llx\n", files, (unsigned long long)digest);
    return files >= 100 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the parent ------------------------------------------------------------------------------ */

enum { LINE = 200 };

/* The one line that `command` prints; fails with all of its output when it fails. */
static void run(const char *command, char line[LINE])
{
    char output[4000];
    FILE *pipe = popen(command, "r"); // NOLINT(cert-env33-c): the command is this file's own
    ck_assert_ptr_nonnull(pipe);
    const size_t size = fread(output, 1, sizeof output - 1, pipe);
    output[size] = '\0';
    const int status = pclose(pipe);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: %.1000s", command, output);
    snprintf(line, LINE, "%.*s", LINE - 1, output);
}

/* A fill byte of glibc's malloc(), and of AddressSanitizer's. */
static void run_filled(const char *self, unsigned byte, char line[LINE])
{
    char command[900];
    snprintf(command, sizeof command,
             "MALLOC_PERTURB_=%u "
             "ASAN_OPTIONS=$ASAN_OPTIONS:max_malloc_fill_size=100000000:malloc_fill_byte=%u "
             "'%s' --digest 2>&1",
             byte, byte, self);
    run(command, line);
}

static const char *program(void)
{
    static char path[400];
    const ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    ck_assert_int_gt(size, 0);
    return path;
}

START_TEST(old_memory_does_not_matter)
{
    char first[LINE], other[LINE];
    run_filled(program(), 85, first);
    run_filled(program(), 170, other);
    ck_assert_str_eq(first, other);
    run_filled(program(), 255, other);
    ck_assert_str_eq(first, other);
}
END_TEST

/* A sanitizer's runtime and valgrind exclude each other. */
static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return false;
#endif
}

/* The child prints what it computed, which valgrind complains of when a byte of it is undefined. */
START_TEST(valgrind_finds_nothing)
{
    char command[900], line[LINE];
    if (is_sanitized() || system("command -v valgrind >/dev/null") != 0) return; // NOLINT
    snprintf(command, sizeof command, "valgrind -q --error-exitcode=9 '%s' --digest 2>&1",
             program());
    run(command, line);
    ck_assert_ptr_nonnull(strstr(line, "digest"));
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--digest") == 0) return print_digest();
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 600);
    tcase_add_test(tests, old_memory_does_not_matter);
    tcase_add_test(tests, valgrind_finds_nothing);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
