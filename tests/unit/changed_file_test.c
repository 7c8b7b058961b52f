/* Files that are cut, rewritten, replaced or removed while a model is loaded from them, at each
 * read that the load does: an error that names the file, never a signal, and never a model of old
 * and new bytes together. */
#include "check_main.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define FORMATS "tests/golden/formats/"
#define POINTS  6 /* reads at which each change is tried: the first, the last, and some between */

static const struct {
    const char *from;   /* what is copied: a file, or all files of a folder */
    const char *load;   /* what is loaded: a file of the copy, or "" for the folder */
    const char *victim; /* the file that is changed */
} cases[] = {
    {FORMATS "net.safetensors", "net.safetensors", "net.safetensors"},
    {FORMATS "net.pth", "net.pth", "net.pth"},
    {FORMATS "net-legacy.pth", "net-legacy.pth", "net-legacy.pth"},
    {FORMATS "typed-float16.pth", "typed-float16.pth", "typed-float16.pth"},
    {FORMATS "net.onnx", "net.onnx", "net.onnx"},
    {FORMATS "net-external/*", "", "model.onnx.data"},
    {FORMATS "net-external/*", "model.onnx", "model.onnx"},
    {FORMATS "net-shards/*", "", "model-00001-of-00002.safetensors"},
    {FORMATS "net-shards/*", "", "model.safetensors.index.json"},
    {FORMATS "net-hf/*", "", "config.json"},
    {FORMATS "net-hf/*", "", "model.safetensors"},
};
#define CASES (int)(sizeof cases / sizeof *cases)

static char folder[64], victim[192];

/* ---- the folder ------------------------------------------------------------------------------ */

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static uint8_t *read_file(const char *path, size_t *size)
{
    rn_file file;
    rn_error err;
    void (*const hook)(const char *, size_t) = rn_file_before_read;
    rn_file_before_read = NULL;
    ck_assert_msg(rn_file_open(&file, path, &err) == RN_OK, "%s", err.text);
    uint8_t *bytes = rn_file_read_new(&file, 0, file.size, &err);
    ck_assert_msg(bytes != NULL, "%s", err.text);
    *size = file.size;
    rn_file_close(&file);
    rn_file_before_read = hook;
    return bytes;
}

static void fill_folder(int index)
{
    glob_t found;
    char path[192];
    ck_assert_int_eq(glob(cases[index].from, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        size_t size;
        uint8_t *bytes = read_file(found.gl_pathv[i], &size);
        snprintf(path, sizeof path, "%s/%s", folder, strrchr(found.gl_pathv[i], '/') + 1);
        write_file(path, bytes, size);
        rn_free(bytes);
    }
    globfree(&found);
    snprintf(victim, sizeof victim, "%s/%s", folder, cases[index].victim);
}

static void empty_folder(void)
{
    glob_t found;
    char pattern[80];
    snprintf(pattern, sizeof pattern, "%s/*", folder);
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) unlink(found.gl_pathv[i]);
    globfree(&found);
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/resnetd-changed-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    rn_file_before_read = NULL;
    empty_folder();
    rmdir(folder);
}

/* ---- the changes ----------------------------------------------------------------------------- */

static void cut(void)
{
    struct stat info;
    ck_assert_int_eq(stat(victim, &info), 0);
    ck_assert_int_eq(truncate(victim, info.st_size / 2), 0);
}

/* As `cp new old` does it: cut to nothing, then written; here with every byte another one. */
static void rewrite(void)
{
    size_t size;
    uint8_t *bytes = read_file(victim, &size);
    for (size_t i = 0; i < size; i++) bytes[i] ^= 0x55;
    write_file(victim, bytes, size);
    rn_free(bytes);
}

/* In place, and as large as it was: only its last byte is another one. */
static void overwrite(void)
{
    uint8_t last;
    const int fd = open(victim, O_RDWR);
    const off_t place = lseek(fd, -1, SEEK_END);
    ck_assert_int_eq(pread(fd, &last, 1, place), 1);
    last ^= 1;
    ck_assert_int_eq(pwrite(fd, &last, 1, place), 1);
    close(fd);
}

/* By another file of the same bytes: what was loaded belongs to files that are no more there. */
static void replace(void)
{
    size_t size;
    char other[200];
    uint8_t *bytes = read_file(victim, &size);
    snprintf(other, sizeof other, "%s.new", victim);
    write_file(other, bytes, size);
    ck_assert_int_eq(rename(other, victim), 0);
    rn_free(bytes);
}

static void take_away(void)
{
    ck_assert_int_eq(unlink(victim), 0);
}

static void (*const changes[])(void) = {cut, rewrite, overwrite, replace, take_away};
#define CHANGES (sizeof changes / sizeof *changes)

/* ---- the loads ------------------------------------------------------------------------------- */

static struct {
    size_t reads, at;     /* so far; before which one the change comes */
    void (*change)(void); /* NULL: none */
    bool opened;          /* the victim has been read from */
    bool seen;            /* it had been when the change came */
} plan;

static void before_read(const char *path, size_t offset)
{
    (void)offset;
    if (strcmp(path, victim) == 0) plan.opened = true;
    if (plan.reads++ != plan.at || !plan.change) return;
    plan.seen = plan.opened;
    plan.change();
}

static rn_status load(int index, char digest[65], rn_error *err)
{
    char path[192];
    rn_model *model = NULL;
    const char *name = cases[index].load;
    snprintf(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);
    *err = (rn_error){0};
    plan.reads = 0;
    plan.opened = plan.seen = false;
    rn_file_before_read = before_read;
    const rn_status status = rn_model_load(&model, path, NULL, err);
    rn_file_before_read = NULL;
    if (status == RN_OK) snprintf(digest, 65, "%s", rn_model_info_of(model)->digest);
    rn_model_release(model);
    return status;
}

/* A change before the victim was opened is none: then what is there is loaded, or refused. */
static void try_change(int index, size_t at, void (*change)(void), const char *want)
{
    char digest[65];
    rn_error err;
    fill_folder(index);
    plan.at = at;
    plan.change = change;
    const rn_status status = load(index, digest, &err);
    plan.change = NULL;
    if (plan.seen)
        ck_assert_msg(status == RN_ERR_IO && strstr(err.text, "while it was read") &&
                          strstr(err.text, cases[index].victim),
                      "read %zu: %s", at, status == RN_OK ? "it was not seen" : err.text);
    if (status == RN_OK && change == replace) ck_assert_str_eq(digest, want);
    empty_folder();
}

START_TEST(a_change_is_an_error)
{
    char digest[65];
    rn_error err;
    fill_folder(_i);
    plan.change = NULL;
    ck_assert_msg(load(_i, digest, &err) == RN_OK, "%s", err.text);
    const size_t reads = plan.reads, points = reads < POINTS ? reads : POINTS;
    ck_assert_uint_gt(reads, 2);
    empty_folder();
    for (size_t c = 0; c < CHANGES; c++)
        for (size_t i = 0; i < points; i++)
            try_change(_i, i * (reads - 1) / (points - 1), changes[c], digest);
}
END_TEST

/* Between two reads of the same bytes, and with its times set back: the checksums see it. */
START_TEST(bytes_are_the_same_for_every_reader)
{
    rn_file file;
    rn_error err;
    uint8_t first[16], again[16];
    fill_folder(0);
    ck_assert_int_eq(rn_file_open(&file, victim, &err), RN_OK);
    ck_assert_int_eq(rn_file_read(&file, file.size - 16, 16, first, &err), RN_OK);
    ck_assert_int_eq(rn_file_read(&file, file.size - 16, 16, again, &err), RN_OK);
    ck_assert_mem_eq(first, again, sizeof first);
    overwrite();
    ck_assert_int_eq(rn_file_read(&file, file.size - 300, 16, again, &err), RN_ERR_IO);
    ck_assert_msg(strstr(err.text, "net.safetensors: it was changed while it was read"), "%s",
                  err.text);
    rn_file_close(&file);
}
END_TEST

/* What was not there when the model was read is none of its files. */
START_TEST(a_config_that_comes_later_is_an_error)
{
    char digest[65], path[192];
    rn_error err;
    fill_folder(0);
    snprintf(path, sizeof path, "%s/config.json", folder);
    snprintf(victim, sizeof victim, "%s", path);
    plan.at = 1;
    plan.change = NULL;
    ck_assert_int_eq(load(0, digest, &err), RN_OK);
    write_file(path, "{}", 2);
    ck_assert_int_eq(load(0, digest, &err), RN_OK);
    plan.change = take_away;
    ck_assert_int_eq(load(0, digest, &err), RN_ERR_IO);
    plan.change = NULL;
    ck_assert_int_eq(load(0, digest, &err), RN_OK);
}
END_TEST

/* Each read is checked against the size, whatever the caller asks for. */
START_TEST(reads_stay_inside)
{
    rn_file file;
    rn_error err;
    uint8_t byte;
    fill_folder(0);
    ck_assert_int_eq(rn_file_open(&file, victim, &err), RN_OK);
    ck_assert_int_eq(rn_file_read(&file, file.size, 0, &byte, &err), RN_OK);
    ck_assert_int_eq(rn_file_read(&file, file.size, 1, &byte, &err), RN_ERR_IO);
    ck_assert_int_eq(rn_file_read(&file, SIZE_MAX, 2, &byte, &err), RN_ERR_IO);
    ck_assert_int_eq(rn_file_read(&file, 1, SIZE_MAX, &byte, &err), RN_ERR_IO);
    rn_file_close(&file);
    ck_assert_int_eq(rn_file_open(&file, folder, &err), RN_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "not a regular file"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("changed files");
    TCase *tests = tcase_create("changed files");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, a_change_is_an_error, 0, CASES);
    tcase_add_test(tests, bytes_are_the_same_for_every_reader);
    tcase_add_test(tests, a_config_that_comes_later_is_an_error);
    tcase_add_test(tests, reads_stay_inside);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
