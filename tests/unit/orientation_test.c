/* The orientation in EXIF data of all kinds; what PIL's ImageOps.exif_transpose() makes of each is
 * the truth. */
#include "ingest/image_files.h"

#include <stdlib.h>
#include <string.h>

#include "check_main.h"

/* A header, then a directory of one entry; 0x0112 is the orientation. */
#define LITTLE(type, value) "II*\0\x08\0\0\0\1\0\x12\1" type "\0\1\0\0\0" value "\0\0\0\0"
#define BIG(type, value)    "MM\0*\0\0\0\x08\0\1\1\x12\0" type "\0\0\0\1" value "\0\0\0\0"

static const struct {
    const char *bytes;
    size_t size;
    unsigned orientation;
} cases[] = {
#define CASE(text, orientation)             \
    {                                       \
        text, sizeof(text) - 1, orientation \
    }
    CASE(LITTLE("\3", "\6\0\0\0"), 6),
    CASE(BIG("\3", "\0\6\0\0"), 6),
    CASE("Exif\0\0" LITTLE("\3", "\3\0\0\0"), 3),
    CASE("Exif\0\0" BIG("\3", "\0\x08\0\0"), 8),
    CASE(LITTLE("\4", "\6\0\0\0"), 6), /* four bytes where two are usual */
    CASE(BIG("\4", "\0\0\0\6"), 6),
    CASE(LITTLE("\4", "\6\0\1\0"), 1),
    CASE(LITTLE("\1", "\6\0\0\0"), 1), /* no number */
    CASE(LITTLE("\3", "\0\0\0\0"), 1),
    CASE(LITTLE("\3", "\x09\0\0\0"), 1),
    CASE(LITTLE("\3", "\6\1\0\0"), 1),
    CASE("II*\0\x08\0\0\0\2\0\x0f\1\2\0\1\0\0\0x\0\0\0\x12\1\3\0\1\0\0\0\5\0\0\0", 5),
    CASE("II*\0\x08\0\0\0\2\0\x0f\1\2\0\1\0\0\0x\0\0\0\x12\1\3\0\1\0\0\0\5\0\0", 1), /* cut off */
    CASE("II*\0\x09\0\0\0\1\0\x12\1\3\0\1\0\0\0\5\0\0\0", 1),
    CASE("II*\0\xff\xff\xff\xff\1\0\x12\1\3\0\1\0\0\0\5\0\0\0", 1),
    CASE("IM*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\5\0\0\0", 1),
    CASE("II*\0\x08\0\0", 1),
    CASE("Exif\0\0", 1),
    CASE("", 1),
#undef CASE
};

/* In memory of exactly its size. */
START_TEST(orientations)
{
    const size_t size = cases[_i].size;
    uint8_t *exif = malloc(size ? size : 1);
    ck_assert_ptr_nonnull(exif);
    memcpy(exif, cases[_i].bytes, size);
    ck_assert_uint_eq(image_orientation(exif, size), cases[_i].orientation);
    free(exif);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("orientation");
    TCase *tests = tcase_create("orientation");
    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, orientations, 0, sizeof cases / sizeof *cases);
    return run_suite(suite);
}
