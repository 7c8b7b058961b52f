/* Options: the order of the sources, every kind of value, every mistake named. */
#include "options.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "nearest.h"
#include "resnet.h"

#include "check_main.h"

static struct options options;
static struct options_error error;

#define READ(environment, ...) \
    read_from(environment, (const char *const[]){"resnetd", __VA_ARGS__, NULL})

/* main() is given strings that may be written to; these never are. */
static bool read_from(const char *const *environment, const char *const *argv)
{
    int argc = 0;
    while (argv[argc]) argc++;
    memset(&error, 0, sizeof error);
    return options_read(&options, argc, (char **)(uintptr_t)argv, (char **)(uintptr_t)environment,
                        &error);
}

static const char *const none[] = {NULL};

/* A config file of this text; the caller unlinks it. */
static char *config_file(const char *text)
{
    static char path[] = "/tmp/resnetd-options-XXXXXX", name[64];
    memcpy(name, path, sizeof path);
    const int fd = mkstemp(name);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return name;
}

START_TEST(defaults_come_from_the_table)
{
    ck_assert(READ(none, NULL));
    ck_assert_uint_eq(options.port, 8080);
    ck_assert_str_eq(options.host, "127.0.0.1");
    ck_assert_uint_eq(options.model.count, 0);
    ck_assert_ptr_null(options.isa);
    ck_assert(!options.check);
    options_free(&options);
}
END_TEST

START_TEST(a_command_line_may_join_values_or_not)
{
    ck_assert(
        READ(none, "--port", "0", "--max-batch=7", "--check", "--model", "a=/x", "--model=/y"));
    ck_assert_uint_eq(options.port, 0);
    ck_assert_uint_eq(options.max_batch, 7);
    ck_assert(options.check);
    ck_assert_uint_eq(options.model.count, 2);
    ck_assert_str_eq(options.model.item[0], "a=/x");
    ck_assert_str_eq(options.model.item[1], "/y");
    options_free(&options);
}
END_TEST

START_TEST(each_source_overrides_the_next)
{
    char *path = config_file("# comment\n\n port = 3 \nmax-batch=3\nthreads = 3\nmodel = /file\n");
    const char *environment[] = {"RESNETD_PORT=2",        "PORT=9",
                                 "RESNETD_MAX_BATCH=2",   "PATH=/bin",
                                 "RESNETD_MODEL=/e,b=/f", NULL};
    ck_assert_msg(READ(environment, "--port", "1", "--config", path), "%s", error.text);
    ck_assert_uint_eq(options.port, 1);
    ck_assert_uint_eq(options.max_batch, 2);
    ck_assert_uint_eq(options.threads, 3);
    ck_assert_uint_eq(options.workers, 0);
    ck_assert_uint_eq(options.model.count, 2);
    ck_assert_str_eq(options.model.item[0], "/e");
    ck_assert_str_eq(options.model.item[1], "b=/f");
    options_free(&options);
    unlink(path);
}
END_TEST

START_TEST(port_is_weaker_than_resnetd_port)
{
    const char *both[] = {"RESNETD_PORT=2", "PORT=9", NULL}, *one[] = {"PORT=9", NULL};
    ck_assert(READ(both, NULL));
    ck_assert_uint_eq(options.port, 2);
    options_free(&options);
    ck_assert(READ(one, NULL));
    ck_assert_uint_eq(options.port, 9);
    options_free(&options);
}
END_TEST

static const struct {
    const char *argument[2], *variable;
    int exit_code;
    const char *text;
} mistakes[] = {
    {{"--nope"}, NULL, 64, "no option --nope (see --help)"},
    {{"--por", "1"}, NULL, 64, "no option --por; did you mean --port?"},
    {{"--max_batch=1"}, NULL, 64, "no option --max_batch=1; did you mean --max-batch?"},
    {{"-port", "1"}, NULL, 64, "no option -port; did you mean --port?"},
    {{"-x"}, NULL, 64, "no option -x (see --help)"},
    {{"srve"}, NULL, 64, "'srve' is neither a command nor an option; did you mean serve?"},
    {{"inspcet"}, NULL, 64, "'inspcet' is neither a command nor an option; did you mean inspect?"},
    {{"workers"},
     NULL,
     64,
     "'workers' is neither a command nor an option; did you mean --workers?"},
    {{"net.safetensors"}, NULL, 64, "a model is named by its option: --model net.safetensors"},
    {{"cats=net.onnx"}, NULL, 64, "a model is named by its option: --model cats=net.onnx"},
    {{"models/cats"}, NULL, 64, "a model is named by its option: --model models/cats"},
    {{"Makefile"}, NULL, 64, "a model is named by its option: --model Makefile"},
    {{"stray"}, NULL, 64, "'stray' is neither a command nor an option (see --help)"},
    {{"--port"}, NULL, 64, "--port needs a value: N"},
    {{"--check=1"}, NULL, 64, "--check takes no value"},
    {{"--port", "65536"}, NULL, 64, "--port: '65536' is not a whole number from 0 to 65535"},
    {{"--port", "-1"}, NULL, 64, "--port: '-1' is not a whole number from 0 to 65535"},
    {{"--port", "1e2"}, NULL, 64, "--port: '1e2' is not a whole number from 0 to 65535"},
    {{"--port", "99999999999999999999"},
     NULL,
     64,
     "--port: '99999999999999999999' is not a whole number from 0 to 65535"},
    {{NULL}, "RESNETD_PORT=x", 64, "RESNETD_PORT: 'x' is not a whole number from 0 to 65535"},
    {{NULL}, "PORT=x", 64, "PORT: 'x' is not a whole number from 0 to 65535"},
    {{"--log-level", "loud"},
     NULL,
     64,
     "--log-level: no choice 'loud', only error, warning, info or debug"},
    {{"--config", "/nonexistent/file"},
     NULL,
     66,
     "--config: /nonexistent/file: No such file or directory"},
};

START_TEST(a_mistake_is_named)
{
    const char *environment[] = {mistakes[_i].variable, NULL};
    ck_assert(!READ(environment, mistakes[_i].argument[0], mistakes[_i].argument[1]));
    ck_assert_str_eq(error.text, mistakes[_i].text);
    ck_assert_int_eq(error.exit_code, mistakes[_i].exit_code);
}
END_TEST

START_TEST(a_mistake_in_the_file_has_its_line)
{
    static const struct {
        const char *file, *text;
    } cases[] = {{"\nport 3\n", ":2: want `option = value`"},
                 {"prot = 3", ":1: no option 'prot'; did you mean port?"},
                 {"xyzzy = 3", ":1: no option 'xyzzy' (see --help)"},
                 {"check = 1", ":1: 'check' is for the command line only"},
                 {"#\n#\nport = x", ":3: port: 'x' is not a whole number from 0 to 65535"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = config_file(cases[i].file);
        ck_assert(!READ(none, "--config", path));
        ck_assert_uint_eq(strncmp(error.text, path, strlen(path)), 0);
        ck_assert_str_eq(error.text + strlen(path), cases[i].text);
        unlink(path);
    }
}
END_TEST

START_TEST(an_unknown_instruction_set_lists_them)
{
    char want[200] = "--isa: no choice 'mmx', only ";
    const char *const *isa = rn_isa_names();
    for (size_t i = 0; isa[i]; i++)
        snprintf(want + strlen(want), sizeof want - strlen(want), "%s%s",
                 i == 0       ? ""
                 : isa[i + 1] ? ", "
                              : " or ",
                 isa[i]);
    ck_assert(!READ(none, "--isa", "mmx"));
    ck_assert_str_eq(error.text, want);
}
END_TEST

/* ---- variables that are ignored -------------------------------------------------------------- */

static void expect_warnings(const char *const *environment, const char *const *want, size_t count)
{
    ck_assert_msg(READ(environment, NULL), "%s", error.text);
    ck_assert_uint_eq(options.warnings.count, count);
    for (size_t i = 0; i < count; i++) ck_assert_str_eq(options.warnings.item[i], want[i]);
}

START_TEST(variables_of_a_service_are_ignored)
{
    const char *links[] = {"RESNETD_SERVICE_HOST=10.96.0.9",
                           "RESNETD_SERVICE_PORT=80",
                           "RESNETD_SERVICE_PORT_HTTP=80",
                           "RESNETD_PORT=tcp://10.96.0.9:80",
                           "RESNETD_PORT_8080_TCP=tcp://10.96.0.9:80",
                           "RESNETD_PORT_8080_TCP_PROTO=tcp",
                           "RESNETD_PORT_8080_TCP_PORT=80",
                           "RESNETD_PORT_8080_TCP_ADDR=10.96.0.9",
                           "RESNETD_MY_APP_SERVICE_HOST=10.96.0.10",
                           "RESNETD_MY_APP_PORT=udp://10.96.0.10:80",
                           "RESNETD_MY_APP_PORT_53_UDP_ADDR=10.96.0.10",
                           "RESNETD_THREADS=3",
                           NULL};
    expect_warnings(links,
                    (const char *const[]){"RESNETD_PORT=tcp://10.96.0.9:80 and 10 more: ignored, "
                                          "set by Kubernetes for a Service named resnetd; "
                                          "enableServiceLinks: false in the pod leaves them out"},
                    1);
    ck_assert_uint_eq(options.port, 8080);
    ck_assert_uint_eq(options.threads, 3);
    options_free(&options);
    /* PORT, that a platform sets, counts then. */
    const char *both[] = {"RESNETD_PORT=tcp://10.96.0.9:80", "PORT=9", NULL};
    ck_assert(READ(both, NULL));
    ck_assert_uint_eq(options.port, 9);
    options_free(&options);
}
END_TEST

START_TEST(unknown_variables_are_ignored_and_said)
{
    const char *unknown[] = {"RESNETD_MAX_BACH=4",   "RESNETD_MAXBATCH=4", "RESNETD_XYZZY=1",
                             "RESNETD_PORT_HTTP=80", "RESNETD_CHECK=1",    "RESNETD_=1",
                             "RESNETDX=1",           "RESNETD_HELP=",      NULL};
    expect_warnings(
        unknown,
        (const char *const[]){
            "RESNETD_MAX_BACH: ignored, no such option; did you mean RESNETD_MAX_BATCH?",
            "RESNETD_MAXBATCH: ignored, no such option; did you mean RESNETD_MAX_BATCH?",
            "RESNETD_XYZZY: ignored, no such option (see --help)",
            "RESNETD_PORT_HTTP: ignored, no such option (see --help)",
            "RESNETD_CHECK: ignored, --check is for the command line only",
            "RESNETD_: ignored, no such option (see --help)"},
        6);
    ck_assert_uint_eq(options.max_batch, 16);
    options_free(&options);
}
END_TEST

/* A path with "://" in it is no Service: a model that is not there must not be left out. */
START_TEST(addresses_are_no_files)
{
    const char *environment[] = {"RESNETD_MODEL=s3://bucket/net", NULL};
    ck_assert(READ(environment, NULL));
    ck_assert_uint_eq(options.warnings.count, 0);
    ck_assert_str_eq(options.model.item[0], "s3://bucket/net");
    options_free(&options);
}
END_TEST

START_TEST(the_form_of_the_log_is_known_before_a_mistake)
{
    const char *json[] = {"RESNETD_LOG_FORMAT=json", NULL}, *wrong[] = {"RESNETD_PORT=x", NULL};
    char *path = config_file("log-format = json\nport = x\n");
    ck_assert(!READ(none, "--port", "x"));
    ck_assert_str_eq(error.log_format, "logfmt");
    ck_assert(!READ(none, "--port", "x", "--log-format", "json"));
    ck_assert_str_eq(error.log_format, "json");
    ck_assert(!READ(none, "--log-format=json", "--nope"));
    ck_assert_str_eq(error.log_format, "json");
    ck_assert(!READ(wrong, "--log-format=json"));
    ck_assert_str_eq(error.log_format, "json");
    ck_assert(!READ(json, "--nope"));
    ck_assert_str_eq(error.log_format, "json");
    ck_assert(!READ(json, "--log-format", "logfmt", "--nope"));
    ck_assert_str_eq(error.log_format, "logfmt");
    ck_assert(!READ(none, "--log-format", "xml"));
    ck_assert_str_eq(error.log_format, "logfmt");
    ck_assert(!READ(none, "--log-format"));
    ck_assert_str_eq(error.log_format, "logfmt");
    ck_assert(!READ(none, "--config", path));
    ck_assert_str_eq(error.log_format, "json");
    unlink(path);
}
END_TEST

START_TEST(the_nearest_name)
{
    static const struct {
        const char *word, *name;
    } cases[] = {{"port", "port"},
                 {"prot", "port"},
                 {"ports", "port"},
                 {"prt", "port"},
                 {"PORT", "port"},
                 {"max_batch", "max-batch"},
                 {"maxbatch", "max-batch"},
                 {"batch-max", NULL},
                 {"p", NULL},
                 {"", NULL},
                 {"trop", NULL},
                 {"max-batches-of-many", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nearest nearest;
        nearest_begin(&nearest, cases[i].word, strlen(cases[i].word));
        nearest_try(&nearest, "host");
        nearest_try(&nearest, "port");
        nearest_try(&nearest, "max-batch");
        if (cases[i].name)
            ck_assert_str_eq(nearest.name, cases[i].name);
        else
            ck_assert_msg(!nearest.name, "%s: %s", cases[i].word, nearest.name);
    }
    static char longest[1000];
    memset(longest, 'a', sizeof longest - 1);
    struct nearest nearest;
    nearest_begin(&nearest, longest, sizeof longest - 1);
    nearest_try(&nearest, longest);
    ck_assert_ptr_null(nearest.name);
    nearest_begin(&nearest, longest, NEAREST_LONGEST);
    nearest_try(&nearest, longest + sizeof longest - 1 - NEAREST_LONGEST);
    ck_assert_ptr_nonnull(nearest.name);
}
END_TEST

START_TEST(what_is_printed_can_be_read_again)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    ck_assert(
        READ(none, "--port", "81", "--model", "a=/x", "--model", "b=/y", "--log-format=json"));
    options_print(&options, memory);
    fclose(memory);
    options_free(&options);
    char *path = config_file(text);
    ck_assert_msg(READ(none, "--config", path), "%s", error.text);
    ck_assert_uint_eq(options.port, 81);
    ck_assert_str_eq(options.log_format, "json");
    ck_assert_uint_eq(options.model.count, 2);
    ck_assert_str_eq(options.model.item[1], "b=/y");
    options_free(&options);
    unlink(path);
    free(text);
}
END_TEST

START_TEST(help_names_every_option)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    options_help(memory);
    fclose(memory);
#define OPTION(kind, field, name, ...) ck_assert_ptr_nonnull(strstr(text, "  --" name));
#include "options.def"
#undef OPTION
    ck_assert_ptr_nonnull(strstr(text, "(default 8080; 0 to 65535)"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *tests = tcase_create("options");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, defaults_come_from_the_table);
    tcase_add_test(tests, a_command_line_may_join_values_or_not);
    tcase_add_test(tests, each_source_overrides_the_next);
    tcase_add_test(tests, port_is_weaker_than_resnetd_port);
    tcase_add_loop_test(tests, a_mistake_is_named, 0, sizeof mistakes / sizeof *mistakes);
    tcase_add_test(tests, a_mistake_in_the_file_has_its_line);
    tcase_add_test(tests, an_unknown_instruction_set_lists_them);
    tcase_add_test(tests, variables_of_a_service_are_ignored);
    tcase_add_test(tests, unknown_variables_are_ignored_and_said);
    tcase_add_test(tests, addresses_are_no_files);
    tcase_add_test(tests, the_form_of_the_log_is_known_before_a_mistake);
    tcase_add_test(tests, the_nearest_name);
    tcase_add_test(tests, what_is_printed_can_be_read_again);
    tcase_add_test(tests, help_names_every_option);
    return run_suite(suite);
}
