/* The memory that a JSON document is given beforehand is enough for any text of its size: jansson
 * never asks for more while it reads, in the engine's half nor in the server's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_arena.h"
#include "ingest/envelope.h"

#include "check_main.h"

enum { COUNT = 5000, ROOM = 1 << 20 };

/* begin, COUNT times repeat with commas between, end; %zu in it is the number of the copy. */
static const struct {
    const char *begin, *repeat, *end;
} texts[] = {
    {"[", "{}", "]"},
    {"[", "[]", "]"},
    {"[", "1", "]"},
    {"[", "\"\"", "]"},
    {"[", "[[]]", "]"},
    {"[", "{\"\":0}", "]"},
    {"[", "\"a string that is longer than the others, and of one length\"", "]"},
    {"[", "\"\\u00e9\\u00e9\\u00e9\\u00e9\"", "]"},
    {"[", "1.5e300", "]"},
    {"[", "true", "]"},
    {"{", "\"%zu\":0", "}"},
    {"{", "\"%zu\":{\"shape\":[1,1],\"data_offsets\":[0,4],\"dtype\":\"F32\"}", "}"},
    {"{\"x\":[", "{\"name\":\"input\",\"parameters\":{\"classification\":3}}", "]}"},
    {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "{}", "]]]]]]]]]]]]]]]]]]]]]]]]]]]]"},
};

static char *make_text(int i, size_t count)
{
    char *text = malloc(ROOM);
    ck_assert_ptr_nonnull(text);
    size_t used = (size_t)snprintf(text, ROOM, "%s", texts[i].begin);
    const char *number = strstr(texts[i].repeat, "%zu");
    for (size_t k = 0; k < count; k++) {
        const int before = number ? (int)(number - texts[i].repeat) : 0;
        if (k) text[used++] = ',';
        used += number ? (size_t)snprintf(text + used, ROOM - used, "%.*s%zu%s", before,
                                          texts[i].repeat, k, number + 3)
                       : (size_t)snprintf(text + used, ROOM - used, "%s", texts[i].repeat);
        ck_assert_uint_lt(used, ROOM - 200);
    }
    snprintf(text + used, ROOM - used, "%s", texts[i].end);
    return text;
}

static void read_both(const char *text, bool good)
{
    rn_json_document *document = NULL;
    struct envelope *envelope = NULL;
    rn_error err;
    char error[200];
    const rn_status status = rn_json_parse(&document, text, strlen(text), "text", &err);
    ck_assert_msg(status == (good ? RN_OK : RN_ERR_FORMAT), "%.60s: %d", text, status);
    const rn_status other = envelope_read(&envelope, text, strlen(text), error, sizeof error);
    ck_assert_msg(other == (good ? RN_OK : RN_ERR_FORMAT), "%.60s: %d", text, other);
    ck_assert_int_eq(rn_json_root(document) != NULL, good);
    ck_assert_int_eq(envelope_root(envelope) != NULL, good);
    rn_json_free(document);
    envelope_free(envelope);
    ck_assert_msg(rn_json_arena_spilled() == 0 && envelope_spilled() == 0, "%.60s: %zu, %zu", text,
                  rn_json_arena_spilled(), envelope_spilled());
}

START_TEST(every_text_has_room)
{
    for (size_t count = 1; count <= COUNT; count = count * 3 + 1) {
        char *text = make_text(_i, count);
        read_both(text, true);
        text[strlen(text) - 1] = '\0'; /* its last bracket */
        read_both(text, false);
        free(text);
    }
}
END_TEST

/* One string, of all sizes about those at which a buffer grows. */
START_TEST(a_long_string_has_room)
{
    static char text[5000];
    for (size_t size = 0; size < sizeof text - 8; size++) {
        memset(text, 'x', sizeof text);
        memcpy(text, "[\"", 2);
        memcpy(text + 2 + size, "\"]", 3);
        read_both(text, true);
    }
}
END_TEST

/* Two documents at a time, and a value of one outlives the other. */
START_TEST(documents_are_apart)
{
    static const char first[] = "{\"a\":\"one\"}", second[] = "{\"a\":\"two\"}";
    rn_json_document *one, *two;
    rn_error err;
    ck_assert_int_eq(rn_json_parse(&one, first, strlen(first), "one", &err), RN_OK);
    ck_assert_int_eq(rn_json_parse(&two, second, strlen(second), "two", &err), RN_OK);
    const char *text = rn_json_string(rn_json_get(rn_json_root(two), "a"));
    ck_assert_str_eq(rn_json_string(rn_json_get(rn_json_root(one), "a")), "one");
    rn_json_free(one);
    ck_assert_str_eq(text, "two");
    rn_json_free(two);
    rn_json_free(NULL);
    ck_assert_ptr_null(rn_json_root(NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json memory");
    TCase *tcase = tcase_create("json memory");
    tcase_add_loop_test(tcase, every_text_has_room, 0, sizeof texts / sizeof *texts);
    tcase_add_test(tcase, a_long_string_has_room);
    tcase_add_test(tcase, documents_are_apart);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
