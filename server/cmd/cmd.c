#include "cmd/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "builtin.h"
#include "failure.h"
#include "isa.h"
#include "model.h"
#include "nearest.h"

const struct cmd cmd_list[] = {
#define COMMAND(name, function, operands, help) {name, function, operands, help},
#include "cmd/commands.def"
#undef COMMAND
};
const size_t cmd_count = sizeof cmd_list / sizeof *cmd_list;

const struct cmd *cmd_find(const char *name)
{
    for (size_t i = 0; i < cmd_count; i++)
        if (!strcmp(cmd_list[i].name, name)) return &cmd_list[i];
    return NULL;
}

void cmd_die(const char *command, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "resnetd %s: ", command);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(code);
}

void *cmd_alloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory) cmd_die("memory", EX_OSERR, "no room for %zu times %zu bytes", count, size);
    return memory;
}

void *cmd_read_file(const char *command, const char *path, size_t *size)
{
    size_t capacity = 0;
    char *bytes = NULL;
    FILE *file = fopen(path, "rb");
    if (!file) cmd_die(command, EX_NOINPUT, "%s: %s", path, strerror(errno));
    for (*size = 0; !feof(file);) {
        if (*size == capacity) {
            capacity = capacity ? 2 * capacity : 1 << 16;
            bytes = realloc(bytes, capacity);
            if (!bytes) cmd_die(command, EX_OSERR, "%s: no room for %zu bytes", path, capacity);
        }
        *size += fread(bytes + *size, 1, capacity - *size, file);
        if (ferror(file)) cmd_die(command, EX_NOINPUT, "%s: %s", path, strerror(errno));
    }
    fclose(file);
    return bytes;
}

/* ---- options --------------------------------------------------------------------------------- */

#define OPTIONS    16    /* rows a command may have */
#define CODE_HELP  0x100 /* getopt's code of --help; row i has CODE_FIRST + i */
#define CODE_FIRST 0x101

static void print_help(const struct cmd *self, const struct cmd_option *option, size_t options)
{
    printf("usage: resnetd %s [OPTION...]%s%s\n%s\n\n", self->name, *self->operands ? " " : "",
           self->operands, self->help);
    for (size_t i = 0; i < options; i++) {
        const int width = 22 - 3 - (int)strlen(option[i].name);
        printf("  --%s %-*s %s\n", option[i].name, width > 0 ? width : 0, option[i].arg,
               option[i].help);
    }
    printf("  --help %-*s print this\n", 22 - 7, "");
}

static void set_number(const struct cmd *self, const struct cmd_option *option, const char *text)
{
    char *end;
    errno = 0;
    const double number = strtod(text, &end);
    const bool whole = option->type == CMD_SECONDS || number == floor(number);
    const double min = option->type == CMD_SECONDS ? 1e-3 : (double)option->min;
    if (end == text || *end || errno || !whole || !(number >= min && number <= (double)option->max))
        cmd_die(self->name, EX_USAGE, "--%s %s: want a %s, %g to %zu", option->name, text,
                option->type == CMD_SECONDS ? "number of seconds" : "whole number", min,
                option->max);
    if (option->type == CMD_SECONDS)
        *(double *)option->value = number;
    else
        *(size_t *)option->value = (size_t)number;
}

static void set_option(const struct cmd *self, const struct cmd_option *option, const char *text)
{
    switch (option->type) {
    case CMD_FLAG: *(bool *)option->value = true; break;
    case CMD_TEXT: *(const char **)option->value = text; break;
    case CMD_SIZE:
    case CMD_SECONDS: set_number(self, option, text); break;
    }
}

static _Noreturn void fail_option(const struct cmd *self, const char *argument,
                                  const struct option *list)
{
    const char *name = argument + strspn(argument, "-");
    struct nearest nearest;
    nearest_begin(&nearest, name, strcspn(name, "="));
    for (; list->name; list++) nearest_try(&nearest, list->name);
    if (nearest.name)
        cmd_die(self->name, EX_USAGE, "no option %s; did you mean --%s?", argument, nearest.name);
    cmd_die(self->name, EX_USAGE, "no option %s (see --help)", argument);
}

void cmd_parse(const struct cmd *self, int argc, char **argv, const struct cmd_option *option,
               size_t options, size_t operands)
{
    struct option list[OPTIONS + 2] = {{"help", no_argument, NULL, CODE_HELP}};
    for (size_t i = 0; i < options && i < OPTIONS; i++)
        list[i + 1] = (struct option){option[i].name,
                                      option[i].type == CMD_FLAG ? no_argument : required_argument,
                                      NULL, CODE_FIRST + (int)i};
    opterr = 0;
    optind = 1;
    for (int code; (code = getopt_long(argc, argv, ":", list, NULL)) != -1;) {
        if (code == CODE_HELP) {
            print_help(self, option, options);
            exit(EX_OK);
        }
        if (code == ':') cmd_die(self->name, EX_USAGE, "%s needs a value", argv[optind - 1]);
        if (code < CODE_FIRST) fail_option(self, argv[optind - 1], list);
        set_option(self, &option[code - CODE_FIRST], optarg);
    }
    if ((size_t)(argc - optind) < operands)
        cmd_die(self->name, EX_USAGE, "usage: resnetd %s [OPTION...] %s", self->name,
                self->operands);
}

/* ---- models and text ------------------------------------------------------------------------- */

static rn_status load(rn_model **model, const char *name, const rn_model_options *options,
                      rn_error *err)
{
    struct builtin builtin;
    if (!access(name, F_OK) || !builtin_find(name, &builtin))
        return rn_model_load(model, name, options, err);
    return builtin_load(model, &builtin, options, err);
}

rn_model *cmd_load_model(const struct cmd *self, const char *name,
                         const struct cmd_model_options *options)
{
    rn_model *model = NULL;
    rn_error err = {0};
    isa_limit(options->isa);
    rn_model_options with_size = {.isa = options->isa};
    rn_status status = model_input_size(options->input_size, &with_size, &err);
    if (status == RN_OK) status = load(&model, name, &with_size, &err);
    if (status == RN_OK) return model;
    const bool unreadable = status == RN_ERR_IO && !access(name, F_OK);
    cmd_die(self->name, unreadable ? EX_DATAERR : failure_exit(status), "%s", err.text);
}

rn_session *cmd_open_session(const struct cmd *self, rn_model *model,
                             const rn_session_options *options)
{
    rn_error err;
    rn_session *session;
    if (rn_session_new(&session, model, options, &err) == RN_OK) return session;
    cmd_die(self->name, failure_exit(RN_ERR_MEMORY), "%s", err.text);
}

const char *cmd_grouped(uint64_t number, char text[CMD_GROUPED])
{
    char *at = text + CMD_GROUPED - 1;
    *at = 0;
    for (int digits = 0; digits == 0 || number; digits++, number /= 10) {
        if (digits && digits % 3 == 0) *--at = ',';
        *--at = (char)('0' + number % 10);
    }
    return at;
}

const char *cmd_shape(const size_t chw[3], char text[CMD_SHAPE])
{
    if (chw[1] == 1 && chw[2] == 1)
        snprintf(text, CMD_SHAPE, "%zu", chw[0]);
    else
        snprintf(text, CMD_SHAPE, "%zux%zux%zu", chw[0], chw[1], chw[2]);
    return text;
}
