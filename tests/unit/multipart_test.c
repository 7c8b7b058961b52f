/* Multipart forms: the boundary in a Content-Type, and the part that is found. */
#include "ingest/multipart.h"

#include <stdlib.h>
#include <string.h>

#include "check_main.h"

static const struct {
    const char *type, *boundary; /* NULL: none */
} types[] = {
    {"multipart/form-data; boundary=X", "X"},
    {"multipart/form-data;boundary=X", "X"},
    {"multipart/form-data;\tBoundary=X ; charset=utf-8", "X"},
    {"multipart/form-data; charset=utf-8; boundary=X", "X"},
    {"multipart/form-data; boundary=\"a b;'=\"; x=y", "a b;'="},
    {"multipart/form-data; x=\"; boundary=Y\"; boundary=X", "X"},
    {"multipart/form-data; flag; boundary=X", "X"},
    {"multipart/form-data; xboundary=Y; boundary=X", "X"},
    {"multipart/form-data; boundary=\"X", NULL},
    {"multipart/form-data; boundary=", NULL},
    {"multipart/form-data; boundary=\"\"", NULL},
    {"multipart/form-data; boundary", NULL},
    {"multipart/form-data;", NULL},
    {"multipart/form-data", NULL},
    {"multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890"
     "123456789",
     "0123456789012345678901234567890123456789012345678901234567890123456789"},
    {"multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890"
     "1234567890",
     NULL},
};

START_TEST(boundaries)
{
    char boundary[MULTIPART_BOUNDARY_SIZE] = "";
    const bool found = multipart_boundary(types[_i].type, boundary);
    ck_assert_int_eq(found, types[_i].boundary != NULL);
    if (found) ck_assert_str_eq(boundary, types[_i].boundary);
}
END_TEST

#define PART(name, content) \
    "--X\r\nContent-Disposition: form-data; " name "\r\nA: b\r\n\r\n" content "\r\n"
static const struct {
    const char *body, *part, *error;
} bodies[] = {
    {PART("name=\"data\"", "1") "--X--\r\n", "1", NULL},
    {PART("name=\"data\"", "1") "--X--", "1", NULL},
    {PART("name=\"file\"", "1") "--X--\r\n", "1", NULL},
    {PART("name=\"top_k\"", "3") PART("name=\"data\"", "1") "--X--\r\n", "1", NULL},
    {PART("name=\"a\"", "2") PART("filename=x; name=data", "1") "--X--\r\n", "1", NULL},
    {PART("name=\"data\"", "1") PART("name=\"data\"", "2") "--X--\r\n", "1", NULL},
    {PART("name=\"a\"", "1") PART("name=\"b\"", "2") "--X--\r\n", "1", NULL},
    {PART("filename=\"; name=data\"; name=a", "1") PART("name=\"data2\"", "2") "--X--", "1", NULL},
    {"preamble\r\n--X \r\n\r\n1\r\n--X--\r\nepilogue", "1", NULL},
    {"\r\n--X\r\nContent-Type: image/png\r\n\r\n\r\n--X--\r\n", "", NULL},
    {"--X\r\ncontent-disposition:form-data;NAME=data\r\n\r\n1\n--X\r\n2\r\n--X--", "1\n--X\r\n2",
     NULL},
    {PART("name=\"a\"", "1") "--X", "1", NULL},
    {"--X--\r\n", NULL, "no part in the body"},
    {"--X", NULL, "no part in the body"},
    {"--X\r\nA: b\r\n", NULL, "the headers of a part have no end"},
    {"--X\r\n\r\n1", NULL, "a part has no end"},
    {PART("name=\"a\"", "1") "--X\r\n\r\n1", NULL, "a part has no end"},
    {"--Y\r\n\r\n1\r\n--Y--", NULL, "the multipart boundary is not in the body"},
    {"", NULL, "the multipart boundary is not in the body"},
};

/* In memory of exactly its size. */
START_TEST(parts)
{
    const size_t size = strlen(bodies[_i].body);
    char *bytes = malloc(size ? size : 1);
    const char *part = NULL;
    size_t part_size = 0;
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, bodies[_i].body, size);
    const struct multipart form = {bytes, size, "X"};
    const char *error = multipart_find(&form, "data", &part, &part_size);
    if (bodies[_i].error) {
        ck_assert_ptr_nonnull(error);
        ck_assert_str_eq(error, bodies[_i].error);
    } else {
        ck_assert_msg(!error, "%s", error);
        ck_assert_uint_eq(part_size, strlen(bodies[_i].part));
        ck_assert_mem_eq(part, bodies[_i].part, part_size);
    }
    free(bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("multipart");
    TCase *tests = tcase_create("multipart");
    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, boundaries, 0, sizeof types / sizeof *types);
    tcase_add_loop_test(tests, parts, 0, sizeof bodies / sizeof *bodies);
    return run_suite(suite);
}
