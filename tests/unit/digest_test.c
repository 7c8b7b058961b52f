/* SHA-256 of small files, and of large ones beside the rest of the loading. */
#include "check_main.h"

#include <stdlib.h>
#include <string.h>

#include "formats/digest.h"

static const struct {
    size_t size;
    const char *text;
} known[] = {
    {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {3, "cb1ad2119d8fafb69566510ee712661f9f14b83385006ef92aec47f523a38358"},
    {3000000, "9f04168ec3b8181af6c8408f8976680df5d524d68ded7ea37e78d856a9404cf7"},
};

/* Bytes that are all the letter A. */
START_TEST(digests_bytes)
{
    rn_digest digest;
    uint8_t *bytes = malloc(known[_i].size + 1);
    memset(bytes, 'A', known[_i].size);
    const rn_file file = {.bytes = bytes, .size = known[_i].size};
    rn_digest_start(&digest, &file);
    ck_assert_int_eq(rn_digest_finish(&digest, NULL), RN_OK);
    ck_assert_str_eq(digest.text, known[_i].text);
    free(bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *tests = tcase_create("digest");
    tcase_add_loop_test(tests, digests_bytes, 0, (int)(sizeof known / sizeof known[0]));
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
