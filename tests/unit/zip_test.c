/* The zip reader: archives of both sizes, and each way to be wrong. */
#include "check_main.h"

#include <string.h>

#include "formats/zip.h"
#include "zip_builder.h"

static rn_error fault;
static const uint8_t *opened; /* the archive that was opened last */

static rn_status open_zip(rn_zip *zip, const zip_builder *archive)
{
    fault = (rn_error){0};
    const rn_file file = {.bytes = archive->bytes, .size = archive->size};
    opened = archive->bytes;
    return rn_zip_open(zip, &file, &fault);
}

static void check_entry(const rn_zip *zip, const char *name, const char *data)
{
    const rn_zip_entry *entry = rn_zip_find(zip, name, strlen(name));
    ck_assert_msg(entry != NULL, "%s", name);
    ck_assert_uint_eq(entry->size, strlen(data));
    ck_assert_mem_eq(opened + entry->offset, data, strlen(data));
}

/* _i: 32-bit or 64-bit fields */
START_TEST(reads_entries)
{
    zip_builder archive = {.zip64 = _i == 1};
    rn_zip zip;
    zip_add(&archive, "b/two", "second", 6);
    zip_add(&archive, "a", "first", 5);
    zip_add(&archive, "b/empty", "", 0);
    zip_finish(&archive, "a comment");
    ck_assert_msg(open_zip(&zip, &archive) == RN_OK, "%s", fault.text);
    ck_assert(rn_zip_probe(archive.bytes, archive.size));
    ck_assert_uint_eq(zip.count, 3);
    check_entry(&zip, "a", "first");
    check_entry(&zip, "b/two", "second");
    check_entry(&zip, "b/empty", "");
    ck_assert_ptr_null(rn_zip_find(&zip, "b", 1));
    ck_assert_ptr_null(rn_zip_find(&zip, "b/twos", 6));
    ck_assert_ptr_null(rn_zip_find(&zip, "", 0));
    rn_zip_release(&zip);
    zip_free(&archive);
}
END_TEST

START_TEST(reads_an_empty_archive)
{
    zip_builder archive = {0};
    rn_zip zip;
    zip_finish(&archive, "");
    ck_assert_int_eq(open_zip(&zip, &archive), RN_OK);
    ck_assert_uint_eq(zip.count, 0);
    ck_assert_ptr_null(rn_zip_find(&zip, "a", 1));
    rn_zip_release(&zip);
    zip_free(&archive);
}
END_TEST

/* One entry wrong in one place; what the error must say. */
static const struct {
    zip_builder how;
    const char *says;
} wrong[] = {
    {{.flags = 1}, "entry bad: encrypted"},
    {{.method = 8}, "entry bad: compressed (method 8), not stored"},
    {{.offset_error = 1}, "entry bad: no local header at byte 37"},
    {{.offset_error = -36}, "entry bad: another name at byte 0"},
    {{.offset_error = 1 << 20}, "entry bad: no local header at byte"},
    {{.offset_error = INT64_MAX, .zip64 = true}, "entry bad: no local header at byte"},
    {{.size_error = 1}, "run into the directory"},
    {{.size_error = -1 - 5, .zip64 = true}, "run into the directory"},
    {{.size_error = INT64_MAX, .zip64 = true}, "run into the directory"},
    {{.local_name = "bed"}, "entry bad: another name at byte 36"},
    {{.local_name = "badder"}, "entry bad: another name at byte 36"},
};

START_TEST(refuses_wrong_entries)
{
    zip_builder archive = {.zip64 = wrong[_i].how.zip64};
    zip_add(&archive, "good", "ok", 2);
    const zip_builder how = wrong[_i].how;
    archive.flags = how.flags;
    archive.method = how.method;
    archive.size_error = how.size_error;
    archive.offset_error = how.offset_error;
    archive.local_name = how.local_name;
    zip_add(&archive, "bad", "data!", 5);
    zip_finish(&archive, "");
    rn_zip zip;
    ck_assert_int_eq(open_zip(&zip, &archive), RN_ERR_FORMAT);
    ck_assert_msg(strstr(fault.text, wrong[_i].says), "'%s' not in '%s'", wrong[_i].says,
                  fault.text);
    zip_free(&archive);
}
END_TEST

static void check_refused(zip_builder *archive, const char *says)
{
    rn_zip zip;
    ck_assert_int_eq(open_zip(&zip, archive), RN_ERR_FORMAT);
    ck_assert_msg(strstr(fault.text, says), "'%s' not in '%s'", says, fault.text);
    zip_free(archive);
}

START_TEST(refuses_names_twice)
{
    zip_builder archive = {0};
    zip_add(&archive, "same", "1", 1);
    zip_add(&archive, "same", "2", 1);
    zip_finish(&archive, "");
    check_refused(&archive, "entry same stands twice");
}
END_TEST

/* Three directory entries for the same bytes: what unfolds must not exceed the file. */
START_TEST(refuses_overlap)
{
    zip_builder archive = {0};
    char data[2000] = {0};
    zip_add(&archive, "one", data, sizeof data);
    const size_t entry = archive.directory_size;
    for (int i = 0; i < 2; i++) {
        memcpy(archive.directory + archive.directory_size, archive.directory, entry);
        archive.directory_size += entry;
        archive.entries++;
    }
    zip_finish(&archive, "");
    check_refused(&archive, "entry one: overlaps others");
}
END_TEST

START_TEST(refuses_wrong_directories)
{
    zip_builder archive = {0};
    zip_add(&archive, "one", "1", 1);
    archive.entries = 2;
    zip_finish(&archive, "");
    check_refused(&archive, "2 entries in a directory of 49 bytes");

    zip_add(&archive, "one", "1", 1);
    zip_add(&archive, "two", "2", 1);
    archive.entries = 1;
    zip_finish(&archive, "");
    check_refused(&archive, "1 entries end at byte");

    zip_add(&archive, "one", "1", 1);
    archive.directory[0] = 0;
    zip_finish(&archive, "");
    check_refused(&archive, "no directory entry at byte 34");

    zip_add(&archive, "one", "1", 1);
    archive.directory[30] = 1; /* one byte of extra field that isn't there */
    zip_finish(&archive, "");
    check_refused(&archive, "directory entry of 50 bytes at byte 34, 49 are left");
}
END_TEST

/* Every length and every changed byte of both kinds: an answer, and no access outside. */
START_TEST(survives_any_change)
{
    zip_builder archive = {.zip64 = _i == 1};
    zip_add(&archive, "b/two", "second", 6);
    zip_add(&archive, "a", "first", 5);
    zip_finish(&archive, "");
    rn_zip zip;
    for (size_t size = 0; size < archive.size; size++) {
        zip_builder cut = {0};
        zip_append(&cut, archive.bytes, size);
        cut.bytes = realloc(cut.bytes, size + !size);
        check_refused(&cut, size ? "zip: " : "is the file cut off?");
    }
    for (size_t i = 0; i < archive.size; i++) {
        const uint8_t original = archive.bytes[i];
        for (unsigned value = 0; value < 256; value++) {
            archive.bytes[i] = (uint8_t)value;
            const rn_status status = open_zip(&zip, &archive);
            ck_assert(status == RN_OK || (status == RN_ERR_FORMAT && fault.text[0]));
            rn_zip_release(&zip);
        }
        archive.bytes[i] = original;
    }
    zip_free(&archive);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zip");
    TCase *tests = tcase_create("zip");
    tcase_add_loop_test(tests, reads_entries, 0, 2);
    tcase_add_test(tests, reads_an_empty_archive);
    tcase_add_loop_test(tests, refuses_wrong_entries, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_test(tests, refuses_names_twice);
    tcase_add_test(tests, refuses_overlap);
    tcase_add_test(tests, refuses_wrong_directories);
    tcase_add_loop_test(tests, survives_any_change, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
