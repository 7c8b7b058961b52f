/* Options of the subcommands, and how they write numbers and shapes. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "check_main.h"

#define ARGV(...)                            \
    (char *[])                               \
    {                                        \
        (char[]){"bench"}, __VA_ARGS__, NULL \
    }
#define WORD(text) \
    (char[])       \
    {              \
        text       \
    }

static struct {
    bool flag;
    size_t count;
    double seconds;
    const char *text;
} got;

static const struct cmd_option rows[] = {
    {"flag", "", CMD_FLAG, &got.flag, 0, 0, "a flag"},
    {"count", "N", CMD_SIZE, &got.count, 2, 100, "a count"},
    {"seconds", "S", CMD_SECONDS, &got.seconds, 0, 60, "a time"},
    {"text", "T", CMD_TEXT, &got.text, 0, 0, "a text"},
};

static void parse(int argc, char **argv)
{
    cmd_parse(cmd_find("bench"), argc, argv, rows, sizeof rows / sizeof *rows, 1);
}

START_TEST(values_and_operands_in_any_order)
{
    char **argv = ARGV(WORD("--count=7"), WORD("model"), WORD("--flag"), WORD("--seconds"),
                       WORD("0.5"), WORD("--text"), WORD("x"));
    parse(8, argv);
    ck_assert(got.flag && got.count == 7 && got.seconds == 0.5);
    ck_assert_str_eq(got.text, "x");
    ck_assert_str_eq(argv[optind], "model");
}
END_TEST

static const char *const wrong[][2] = {
    {"--count", "1"},   {"--count", "101"},    {"--count", "x"},    {"--count", "3x"},
    {"--count", "2.5"}, {"--count", "-3"},     {"--count", "nan"},  {"--count", ""},
    {"--seconds", "0"}, {"--seconds", "inf"},  {"--seconds", "61"}, {"--unknown", "1"},
    {"--flag=1", "m"},  {"--flag", "--count"},
};

START_TEST(wrong_values_are_usage_errors)
{
    char first[16], second[16], model[] = "model", name[] = "bench";
    snprintf(first, sizeof first, "%s", wrong[_i][0]);
    snprintf(second, sizeof second, "%s", wrong[_i][1]);
    parse(4, (char *[]){name, model, first, second, NULL});
}
END_TEST

START_TEST(a_missing_operand_is_a_usage_error)
{
    parse(2, ARGV(WORD("--flag")));
}
END_TEST

START_TEST(help_is_no_error)
{
    parse(2, ARGV(WORD("--help")));
}
END_TEST

START_TEST(a_missing_model_has_its_own_exit_code)
{
    cmd_load_model(cmd_find("inspect"), "/nonexistent/model.safetensors",
                   &(struct cmd_model_options){0});
}
END_TEST

START_TEST(a_file_that_is_no_model_is_a_data_error)
{
    cmd_load_model(cmd_find("inspect"), "/dev/null", &(struct cmd_model_options){0});
}
END_TEST

START_TEST(a_bad_input_size_is_a_usage_error)
{
    cmd_load_model(cmd_find("inspect"), "fashion-reslayer",
                   &(struct cmd_model_options){.input_size = "28x"});
}
END_TEST

START_TEST(a_builtin_model_is_found_by_its_name)
{
    rn_model *model =
        cmd_load_model(cmd_find("inspect"), "fashion-reslayer", &(struct cmd_model_options){0});
    ck_assert_uint_eq(rn_model_info_of(model)->output_size, 10);
    rn_model_release(model);
}
END_TEST

START_TEST(commands_are_found_by_name)
{
    ck_assert_uint_gt(cmd_count, 0);
    for (size_t i = 0; i < cmd_count; i++)
        ck_assert_ptr_eq(cmd_find(cmd_list[i].name), &cmd_list[i]);
    ck_assert_ptr_null(cmd_find("serve-all"));
}
END_TEST

START_TEST(numbers_are_grouped)
{
    char text[CMD_GROUPED];
    ck_assert_str_eq(cmd_grouped(0, text), "0");
    ck_assert_str_eq(cmd_grouped(999, text), "999");
    ck_assert_str_eq(cmd_grouped(1000, text), "1,000");
    ck_assert_str_eq(cmd_grouped(11689512, text), "11,689,512");
    ck_assert_str_eq(cmd_grouped(UINT64_MAX, text), "18,446,744,073,709,551,615");
}
END_TEST

START_TEST(shapes_of_features_are_one_number)
{
    char text[CMD_SHAPE];
    ck_assert_str_eq(cmd_shape((const size_t[]){3, 224, 7}, text), "3x224x7");
    ck_assert_str_eq(cmd_shape((const size_t[]){1000, 1, 1}, text), "1000");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cmd");
    TCase *tcase = tcase_create("cmd");
    tcase_add_test(tcase, values_and_operands_in_any_order);
    tcase_add_loop_exit_test(tcase, wrong_values_are_usage_errors, EX_USAGE, 0,
                             sizeof wrong / sizeof *wrong);
    tcase_add_exit_test(tcase, a_missing_operand_is_a_usage_error, EX_USAGE);
    tcase_add_exit_test(tcase, help_is_no_error, EX_OK);
    tcase_add_exit_test(tcase, a_missing_model_has_its_own_exit_code, EX_NOINPUT);
    tcase_add_exit_test(tcase, a_file_that_is_no_model_is_a_data_error, EX_DATAERR);
    tcase_add_exit_test(tcase, a_bad_input_size_is_a_usage_error, EX_USAGE);
    tcase_add_test(tcase, a_builtin_model_is_found_by_its_name);
    tcase_add_test(tcase, commands_are_found_by_name);
    tcase_add_test(tcase, numbers_are_grouped);
    tcase_add_test(tcase, shapes_of_features_are_one_number);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
