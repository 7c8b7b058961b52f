/* Multipart forms: the boundary in a Content-Type, and each part with its headers. */
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
#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"

/* parts: "name:type:encoding:content|" for each, then what is wrong. */
static const struct {
    const char *body, *parts;
} bodies[] = {
    {PART("name=\"data\"", "1") "--X--\r\n", "data:::1|"},
    {PART("name=\"data\"", "1") "--X--", "data:::1|"},
    {PART("name=\"top_k\"", "3") PART("name=\"data\"", "1") "--X--\r\n", "top_k:::3|data:::1|"},
    {PART("name=\"a\"", "2") PART("filename=x; name=data", "1") "--X--\r\n", "a:::2|data:::1|"},
    {PART("filename=\"; name=data\"; name=a", "1") "--X--", "a:::1|"},
    {PART("filename=\"" LONG LONG LONG LONG "\"; name=a", "1") "--X--", "a:::1|"},
    {PART("filename=\"a", "1") "--X--", ":::1|"},
    {PART("name=\"\"", "") "--X--", ":::|"},
    {"preamble\r\n--X \r\n\r\n1\r\n--X--\r\nepilogue\r\n--X\r\n\r\n2", ":::1|"},
    {"\r\n--X\r\nContent-Type: image/png\r\n\r\n\r\n--X--\r\n", ":image/png::|"},
    {"--X\r\nContent-type:text/plain; charset=utf-8\r\n\r\n1\r\n--X--", ":text/plain::1|"},
    {"--X\r\nContent-Transfer-Encoding: base64\r\n\r\n1\r\n--X--", "::base64:1|"},
    {"--X\r\nContent-Encoding: gzip\r\n\r\n1\r\n--X--", "::gzip:1|"},
    {"--X\r\nContent-Transfer-Encoding: Binary\r\n\r\n1\r\n--X--", ":::1|"},
    {"--X\r\ncontent-disposition:form-data;NAME=data\r\n\r\n1\n--X\r\n2\r\n--X--",
     "data:::1\n--X\r\n2|"},
    {"--X--\r\n", ""},
    {"--X", "the form ends before its last boundary, which has -- behind it"},
    {PART("name=\"a\"", "1") "--X",
     "a:::1|the form ends before its last boundary, which has -- behind it"},
    {PART("name=\"a\"", "1") "--X-", "a:::1|something behind a boundary, in its line"},
    {"--X\r\nA: b\r\n", "the headers of a part have no end"},
    {"--X\r\nA: b\r\n" PART("name=data", "1") "--X--", "the headers of a part have no end"},
    {"--X y\r\n\r\n1\r\n--X--", "something behind a boundary, in its line"},
    {"--X\r\n\r\n1", "a part has no end"},
    {PART("name=\"a\"", "1") "--X\r\n\r\n1", "a:::1|a part has no end"},
    {"--Y\r\n\r\n1\r\n--Y--", "the multipart boundary is not in the body"},
    {"", "the multipart boundary is not in the body"},
};

static void add(char *text, const struct multipart_text *part, const char *behind)
{
    if (part->size) strncat(text, part->at, part->size);
    strcat(text, behind);
}

/* In memory of exactly its size. */
START_TEST(parts)
{
    const size_t size = strlen(bodies[_i].body);
    char *bytes = malloc(size ? size : 1), text[300] = "";
    const char *problem;
    struct multipart_part part;
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, bodies[_i].body, size);
    struct multipart form = {.bytes = bytes, .size = size, .boundary = "X"};
    while (multipart_next(&form, &part, &problem)) {
        add(text, &part.name, ":");
        add(text, &part.type, ":");
        add(text, &part.encoding, ":");
        add(text, &part.content, "|");
    }
    if (problem) strcat(text, problem);
    ck_assert_str_eq(text, bodies[_i].parts);
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
