/* Subcommands: one row each in commands.def, one file each in this folder.
 *
 * main.c looks the first argument up with cmd_find(). A command owns its process: it may print and
 * exit, and runs on the main thread. Exit codes are those of sysexits.h: EX_USAGE 64 for a bad
 * option, EX_DATAERR 65 for a model or input that can't be used, EX_NOINPUT 66 for a missing file.
 */
#ifndef SERVER_CMD_CMD_H
#define SERVER_CMD_CMD_H

#include <stddef.h>
#include <stdint.h>

#include "resnet.h"

struct cmd {
    const char *name;
    int (*run)(const struct cmd *self, int argc, char **argv); /* argv[0]: the command's name */
    const char *operands;
    const char *help;
};

extern const struct cmd cmd_list[];
extern const size_t cmd_count;

/* NULL when there is no such command. */
const struct cmd *cmd_find(const char *name);

#define COMMAND(name, function, operands, help) \
    int function(const struct cmd *self, int argc, char **argv);
#include "cmd/commands.def"
#undef COMMAND

/* ---- options: one row each, from which the parser and the help are made ---------------------- */

enum cmd_type {
    CMD_FLAG,    /* bool */
    CMD_SIZE,    /* size_t, min .. max */
    CMD_SECONDS, /* double, > 0, up to max */
    CMD_TEXT,    /* const char * */
};

struct cmd_option {
    const char *name; /* without the dashes */
    const char *arg;  /* what the help calls the argument; "" for a flag */
    enum cmd_type type;
    void *value; /* holds the default, gets what is given */
    size_t min, max;
    const char *help;
};

/* Parses argv, leaving argv[optind] .. as operands: at least `operands` of them. Exits with
 * EX_USAGE on a fault, and with success after --help. */
void cmd_parse(const struct cmd *self, int argc, char **argv, const struct cmd_option *option,
               size_t options, size_t operands);

/* ---- what commands share --------------------------------------------------------------------- */

/* What the options of a model-reading command are: give these rows a struct of this. */
struct cmd_model_options {
    const char *isa, *input_size;
};
#define CMD_MODEL_ROWS(options)                                                        \
    {"isa", "NAME", CMD_TEXT, &(options).isa, 0, 0, "highest instruction set to use"}, \
    {                                                                                  \
        "input-size", "HxW", CMD_TEXT, &(options).input_size, 0, 0,                    \
            "for networks that don't say theirs"                                       \
    }

/* Loads a file, a directory, or a built-in model by its name. Exits with a message on stderr and
 * the code above on failure. The caller releases it. */
rn_model *cmd_load_model(const struct cmd *self, const char *name,
                         const struct cmd_model_options *options);

/* "--batch" and such are the session's. Exits on failure. */
rn_session *cmd_open_session(const struct cmd *self, rn_model *model,
                             const rn_session_options *options);

/* Prints "resnetd COMMAND: text" on stderr and exits. */
_Noreturn void cmd_die(const char *command, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A whole file, for the caller to free(). Exits with EX_NOINPUT when it can't be read. */
void *cmd_read_file(const char *command, const char *path, size_t *size);

/* count * size bytes of zeros; exits when there is no memory. */
void *cmd_alloc(size_t count, size_t size);

/* 11689512 -> "11,689,512" */
#define CMD_GROUPED 28
const char *cmd_grouped(uint64_t number, char text[CMD_GROUPED]);

/* "3x224x224", or "1000" where H and W are 1. */
#define CMD_SHAPE 64
const char *cmd_shape(const size_t chw[3], char text[CMD_SHAPE]);

#endif
