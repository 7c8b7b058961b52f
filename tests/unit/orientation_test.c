/* The orientation in EXIF and XMP of all kinds; what PIL makes of each is the truth. 0: nothing is
 * said. */
#include "ingest/orientation.h"

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
    CASE(LITTLE("\1", "\6\0\0\0"), 0),   /* no number */
    CASE(LITTLE("\x08", "\6\0\0\0"), 6), /* signed */
    CASE(BIG("\x09", "\0\0\0\7"), 7),
    CASE(LITTLE("\6", "\5\0\0\0"), 5),
    CASE(LITTLE("\x08", "\xff\xff\0\0"), 1),
    CASE(LITTLE("\x10", "\6\0\0\0"), 0), /* no such type */
    CASE("Exif\0\0Exif\0\0" LITTLE("\3", "\3\0\0\0"), 3),
    CASE("II*\0\x08\0\0\0\2\0\x12\1\3\0\1\0\0\0\3\0\0\0\x12\1\3\0\1\0\0\0\5\0\0\0", 5),
    CASE("II*\0\x08\0\0\0\1\0\x12\1\3\0\3\0\0\0\x16\0\0\0\x06\0\1\0\1\0", 6),
    CASE("II*\0\x08\0\0\0\1\0\x12\1\3\0\3\0\0\0\x1b\0\0\0\x06\0\1\0\1\0", 0),
    CASE("II*\0\x08\0\0\0\1\0\x12\1\3\0\0\0\0\0\6\0\0\0", 0), /* no value */
    CASE(LITTLE("\3", "\0\0\0\0"), 1),
    CASE(LITTLE("\3", "\x09\0\0\0"), 1),
    CASE(LITTLE("\3", "\6\1\0\0"), 1),
    CASE("II*\0\x08\0\0\0\2\0\x0f\1\2\0\1\0\0\0x\0\0\0\x12\1\3\0\1\0\0\0\5\0\0\0", 5),
    CASE("II*\0\x08\0\0\0\2\0\x0f\1\2\0\1\0\0\0x\0\0\0\x12\1\3\0\1\0\0\0\5\0\0", 0), /* cut off */
    CASE("II*\0\x09\0\0\0\1\0\x12\1\3\0\1\0\0\0\5\0\0\0", 0),
    CASE("II*\0\xff\xff\xff\xff\1\0\x12\1\3\0\1\0\0\0\5\0\0\0", 0),
    CASE("IM*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\5\0\0\0", 0),
    CASE("II*\0\x08\0\0", 0),
    CASE("Exif\0\0", 0),
    CASE("", 0),
#undef CASE
};

/* In memory of exactly its size. */
START_TEST(orientations)
{
    const size_t size = cases[_i].size;
    uint8_t *exif = malloc(size ? size : 1);
    ck_assert_ptr_nonnull(exif);
    memcpy(exif, cases[_i].bytes, size);
    ck_assert_uint_eq(exif_orientation(exif, size), cases[_i].orientation);
    free(exif);
}
END_TEST

START_TEST(xmp_orientations)
{
    static const struct {
        const char *text;
        unsigned orientation;
    } texts[] = {
        {"<rdf:Description tiff:Orientation=\"6\"/>", 6},
        {"<rdf:Description tiff:Orientation='8'/>", 8},
        {"<tiff:Orientation>3</tiff:Orientation>", 3},
        {"<!-- tiff:Orientation --><tiff:Orientation>2<", 2},
        {"tiff:Orientation=\"0\" tiff:Orientation=\"5\"", 1},
        {"tiff:Orientation=\"x\" tiff:Orientation=\"5\"", 5},
        {"exif:Orientation=\"6\"", 0},
        {"tiff:Orientation=\"", 0},
        {"tiff:Orientation>", 0},
        {"tiff:Orientation", 0},
        {"tiff:Orientatio", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const size_t size = strlen(texts[i].text);
        uint8_t *xmp = malloc(size ? size : 1);
        ck_assert_ptr_nonnull(xmp);
        memcpy(xmp, texts[i].text, size);
        ck_assert_msg(xmp_orientation(xmp, size) == texts[i].orientation, "%s", texts[i].text);
        free(xmp);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("orientation");
    TCase *tests = tcase_create("orientation");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, xmp_orientations);
    tcase_add_loop_test(tests, orientations, 0, sizeof cases / sizeof *cases);
    return run_suite(suite);
}
