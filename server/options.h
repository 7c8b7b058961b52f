/* The daemon's options: one table (options.def), four sources.
 *
 * command line > environment (RESNETD_NAME, and PORT) > config file > default. A list given by one
 * source replaces the whole list of a lesser one. Read once at start, constant afterwards: any
 * thread. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct option_list {
    const char **item;
    size_t count;
};

#define OPTION_FIELD_TEXT  const char *
#define OPTION_FIELD_COUNT size_t
#define OPTION_FIELD_LIST  struct option_list
#define OPTION_FIELD_FLAG  bool

struct options {
#define OPTION(kind, field, ...) OPTION_FIELD_##kind field;
#include "options.def"
#undef OPTION
    struct option_list warnings; /* what was ignored, a line of text each */
    struct options_store *store; /* private: strings of the config file, and each option's source */
};

/* What went wrong, in one line that names the option and its source: "--port: ...". */
struct options_error {
    int exit_code; /* 64: bad option, 66: the config file can't be read, 71: no memory */
    char text[256];
    const char *log_format; /* that was asked for: "logfmt" or "json" */
};

/* argv[0] is skipped. environment: "NAME=value" strings, NULL-terminated, as `environ`. On failure
 * nothing is left to free. */
bool options_read(struct options *options, int argc, char **argv, char **environment,
                  struct options_error *error);
void options_free(struct options *options);

void options_help(FILE *file);
void options_print(const struct options *options, FILE *file);

#endif
