/* Reads the options from their four sources; see options.h. The table decides everything: nothing
 * here knows an option by name except PORT, --config and the choices checked at the end. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "nearest.h"
#include "resnet.h"

enum kind { TEXT, COUNT, LIST, FLAG };
enum source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_COMMAND };

struct row {
    enum kind kind;
    const char *name;
    size_t offset;
    intptr_t fallback; /* COUNT: the number; TEXT: the pointer */
    size_t least, most;
    const char *unit, *help;
};

static const struct row table[] = {
#define OPTION(kind, field, name, fallback, least, most, unit, help) \
    {kind, name, offsetof(struct options, field), (intptr_t)(fallback), least, most, unit, help},
#include "options.def"
#undef OPTION
};
#define ROWS (sizeof table / sizeof *table)

struct options_store {
    enum source source[ROWS];
    char **text; /* copies of the values that need one */
    size_t texts;
    size_t links;     /* variables that Kubernetes set */
    const char *link; /* one of them */
};

static const char prefix[] = "RESNETD_"; /* of variables */
enum { PREFIX = sizeof prefix - 1 };

static bool fail(struct options_error *error, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(struct options_error *error, int exit_code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->exit_code = exit_code;
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return false;
}

static void *field_of(struct options *options, const struct row *row)
{
    return (char *)options + row->offset;
}

static const void *field_at(const struct options *options, const struct row *row)
{
    return (const char *)options + row->offset;
}

static const struct row *find_row(const char *name, size_t length)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strlen(table[i].name) == length && !memcmp(table[i].name, name, length))
            return &table[i];
    return NULL;
}

/* A copy of the first `length` bytes that lives as long as the options. */
static const char *keep(struct options *options, const char *text, size_t length)
{
    struct options_store *store = options->store;
    char **texts = realloc(store->text, (store->texts + 1) * sizeof *texts);
    if (!texts) return NULL;
    store->text = texts;
    char *copy = strndup(text, length);
    if (copy) store->text[store->texts++] = copy;
    return copy;
}

static bool list_add(struct option_list *list, const char *item)
{
    const char **items = realloc(list->item, (list->count + 1) * sizeof *items);
    if (!items) return false;
    items[list->count++] = item;
    list->item = items;
    return true;
}

static bool parse_count(const struct row *row, const char *text, size_t *value)
{
    if (*text < '0' || *text > '9') return false;
    char *end;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    *value = (size_t)number;
    return !errno && !*end && number >= row->least && number <= row->most;
}

/* One value from one source; `place` names it in errors: "--port", "PORT", "file:3: port". */
static bool set(struct options *options, const struct row *row, const char *text,
                enum source source, const char *place, struct options_error *error)
{
    enum source *from = &options->store->source[row - table];
    if (*from > source) return true;
    void *field = field_of(options, row);
    const char *copy = keep(options, text, strlen(text));
    if (!copy) return fail(error, EX_OSERR, "%s: out of memory", place);
    if (row->kind == COUNT && !parse_count(row, text, field))
        return fail(error, EX_USAGE, "%s: '%.60s' is not a whole number from %zu to %zu", place,
                    text, row->least, row->most);
    if (row->kind == TEXT) *(const char **)field = copy;
    if (row->kind == FLAG) *(bool *)field = true;
    if (row->kind == LIST) {
        struct option_list *list = field;
        if (*from < source) list->count = 0;
        if (!list_add(list, copy)) return fail(error, EX_OSERR, "%s: out of memory", place);
    }
    *from = source;
    return true;
}

/* ---- words that are no option ---------------------------------------------------------------- */

/* Adds "; did you mean X?" where something is near. */
static bool fail_word(struct options_error *error, const char *text, const struct nearest *nearest,
                      const char *before)
{
    if (nearest->name)
        return fail(error, EX_USAGE, "%s; did you mean %s%s?", text, before, nearest->name);
    return fail(error, EX_USAGE, "%s (see --help)", text);
}

static const char *nearest_option(struct nearest *nearest, const char *word, size_t length)
{
    nearest_begin(nearest, word, length);
    for (size_t i = 0; i < ROWS; i++) nearest_try(nearest, table[i].name);
    return nearest->name;
}

static bool fail_option(struct options_error *error, const char *argument)
{
    const char *name = argument + strspn(argument, "-");
    struct nearest nearest;
    char text[120];
    nearest_option(&nearest, name, strcspn(name, "="));
    snprintf(text, sizeof text, "no option %.80s", argument);
    return fail_word(error, text, &nearest, "--");
}

/* By its name, or as it is there. */
static bool is_model(const char *word)
{
    static const char *const ends[] = {".safetensors", ".pth", ".pt", ".bin", ".onnx", ".json"};
    const char *equals = strchr(word, '='), *path = equals ? equals + 1 : word;
    const size_t length = strlen(path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (length > strlen(ends[i]) && !strcmp(path + length - strlen(ends[i]), ends[i]))
            return true;
    return strchr(path, '/') || (*path && !access(path, F_OK));
}

static bool fail_argument(struct options_error *error, const char *argument)
{
    static const char *const commands[] = {
        "serve",
#define COMMAND(name, ...) name,
#include "cmd/commands.def"
#undef COMMAND
    };
    struct nearest nearest;
    char text[160];
    if (*argument == '-') return fail_option(error, argument);
    if (is_model(argument))
        return fail(error, EX_USAGE, "a model is named by its option: --model %.150s", argument);
    nearest_begin(&nearest, argument, strlen(argument));
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        nearest_try(&nearest, commands[i]);
    snprintf(text, sizeof text, "'%.80s' is neither a command nor an option", argument);
    if (nearest.name || !nearest_option(&nearest, argument, strlen(argument)))
        return fail_word(error, text, &nearest, "");
    return fail_word(error, text, &nearest, "--");
}

/* ---- the command line ------------------------------------------------------------------------ */

static bool read_command_line(struct options *options, int argc, char **argv,
                              struct options_error *error)
{
    for (int i = 1; i < argc; i++) {
        const char *argument = !strcmp(argv[i], "-h") ? "--help" : argv[i];
        if (strncmp(argument, "--", 2) || !argument[2]) return fail_argument(error, argument);
        const size_t length = strcspn(argument + 2, "=");
        const struct row *row = find_row(argument + 2, length);
        if (!row) return fail_option(error, argument);
        const bool joined = argument[2 + length] == '=';
        const char *value = "";
        if (joined && row->kind == FLAG)
            return fail(error, EX_USAGE, "--%s takes no value", row->name);
        if (joined) value = argument + 2 + length + 1;
        if (!joined && row->kind != FLAG && ++i >= argc)
            return fail(error, EX_USAGE, "--%s needs a value: %s", row->name, row->unit);
        if (!joined && row->kind != FLAG) value = argv[i];
        char place[80];
        snprintf(place, sizeof place, "--%s", row->name);
        if (!set(options, row, value, SOURCE_COMMAND, place, error)) return false;
    }
    return true;
}

/* ---- the environment ------------------------------------------------------------------------- */

static bool warn(struct options *options, struct options_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool warn(struct options *options, struct options_error *error, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *copy = keep(options, text, strlen(text));
    return (copy && list_add(&options->warnings, copy)) || fail(error, EX_OSERR, "out of memory");
}

/* "max-batch" and "RESNETD_MAX_BATCH" */
static bool is_variable_of(const struct row *row, const char *name, size_t length)
{
    if (length != PREFIX + strlen(row->name) || memcmp(name, prefix, PREFIX)) return false;
    for (size_t i = 0; row->name[i]; i++) {
        const char c = row->name[i];
        const char want = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        if (name[PREFIX + i] != want) return false;
    }
    return true;
}

/* A list in one variable: items between commas. */
static bool set_items(struct options *options, const struct row *row, const char *value,
                      const char *place, struct options_error *error)
{
    while (*value) {
        const size_t length = strcspn(value, ",");
        const char *item = keep(options, value, length);
        if (!item) return fail(error, EX_OSERR, "%s: out of memory", place);
        if (length && !set(options, row, item, SOURCE_ENVIRONMENT, place, error)) return false;
        value += length + (value[length] == ',');
    }
    return true;
}

/* "tcp://10.0.0.1:80" is what Kubernetes writes; where a file is named it is a mistake. */
static bool is_address(const struct row *row, const char *value)
{
    return strstr(value, "://") && !strstr(row->unit, "PATH") && !strstr(row->unit, "FILE");
}

static bool read_variable(struct options *options, const char *variable, const struct row *row,
                          struct options_error *error)
{
    const size_t length = strcspn(variable, "=");
    const char *value = variable + length + 1;
    char place[80];
    snprintf(place, sizeof place, "%.*s", (int)(length < 79 ? length : 79), variable);
    if (!*value) return true; /* set to nothing: as if not set */
    if (row->kind == FLAG)
        return warn(options, error, "%s: ignored, --%s is for the command line only", place,
                    row->name);
    if (is_address(row, value)) {
        options->store->link = variable;
        options->store->links++;
        return true;
    }
    if (row->kind == LIST) return set_items(options, row, value, place, error);
    return set(options, row, value, SOURCE_ENVIRONMENT, place, error);
}

/* Digits, then what Kubernetes has behind a port: "_TCP", "_TCP_ADDR". */
static bool is_port_of_service(const char *name, size_t length)
{
    static const char *const ends[] = {"", "_PROTO", "_PORT", "_ADDR"};
    static const char *const protocols[] = {"_TCP", "_UDP", "_SCTP"};
    const size_t digits = strspn(name, "0123456789");
    char want[16];
    for (size_t i = 0; digits && i < 3 * 4; i++) {
        snprintf(want, sizeof want, "%s%s", protocols[i / 4], ends[i % 4]);
        if (strlen(want) == length - digits && !memcmp(name + digits, want, length - digits))
            return true;
    }
    return false;
}

/* Whether Kubernetes sets the variable for a Service whose name begins with "resnetd":
 * RESNETD_SERVICE_HOST, RESNETD_CANARY_PORT_80_TCP_ADDR. */
static bool is_service_link(const char *variable)
{
    const size_t length = strcspn(variable, "=");
    const char *end = variable + length;
    for (const char *at = variable + PREFIX - 1; at < end; at++) {
        const size_t left = (size_t)(end - at);
        if (!strncmp(at, "_SERVICE_HOST=", 14) || !strncmp(at, "_SERVICE_PORT=", 14) ||
            !strncmp(at, "_SERVICE_PORT_", 14))
            return true;
        if (!strncmp(at, "_PORT=", 6) && strstr(end, "://")) return true;
        if (!strncmp(at, "_PORT_", 6) && is_port_of_service(at + 6, left - 6)) return true;
    }
    return false;
}

static bool read_unknown(struct options *options, const char *variable, struct options_error *error)
{
    const size_t length = strcspn(variable, "=");
    struct nearest nearest;
    char name[NEAREST_LONGEST + 1] = "";
    if (is_service_link(variable)) {
        if (!options->store->links++) options->store->link = variable;
        return true;
    }
    if (nearest_option(&nearest, variable + PREFIX, length - PREFIX))
        for (size_t i = 0; nearest.name[i]; i++)
            name[i] = nearest.name[i] == '-' ? '_' : (char)toupper((unsigned char)nearest.name[i]);
    return warn(options, error, "%.*s: ignored, no such option%s%s%s",
                (int)(length < 80 ? length : 80), variable,
                *name ? "; did you mean RESNETD_" : " (see --help)", name, *name ? "?" : "");
}

static bool read_prefixed(struct options *options, const char *variable,
                          struct options_error *error)
{
    for (size_t i = 0; i < ROWS; i++)
        if (is_variable_of(&table[i], variable, strcspn(variable, "=")))
            return read_variable(options, variable, &table[i], error);
    return read_unknown(options, variable, error);
}

static bool warn_of_links(struct options *options, struct options_error *error)
{
    const struct options_store *store = options->store;
    char more[40] = "";
    if (!store->links) return true;
    if (store->links > 1) snprintf(more, sizeof more, " and %zu more", store->links - 1);
    return warn(options, error,
                "%.80s%s: ignored, set by Kubernetes for a Service named resnetd; "
                "enableServiceLinks: false in the pod leaves them out",
                store->link, more);
}

/* PORT, which hosting platforms set, counts less than RESNETD_PORT: it is read first. */
static bool read_environment(struct options *options, char **environment,
                             struct options_error *error)
{
    for (char **v = environment; v && *v; v++)
        if (!strncmp(*v, "PORT=", 5) &&
            !read_variable(options, *v, find_row("port", strlen("port")), error))
            return false;
    for (char **v = environment; v && *v; v++)
        if (!strncmp(*v, prefix, PREFIX) && strchr(*v, '=') && !read_prefixed(options, *v, error))
            return false;
    return warn_of_links(options, error);
}

/* ---- the config file ------------------------------------------------------------------------- */

static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t length = strlen(text);
    while (length && strchr(" \t\r\n", text[length - 1])) text[--length] = '\0';
    return text;
}

static bool read_line(struct options *options, char *line, const char *place,
                      struct options_error *error)
{
    char *key = trim(line);
    if (!*key || *key == '#') return true;
    char *equals = strchr(key, '=');
    if (!equals) return fail(error, EX_USAGE, "%s: want `option = value`", place);
    *equals = '\0';
    key = trim(key);
    const struct row *row = find_row(key, strlen(key));
    if (!row) {
        struct nearest nearest;
        char text[220];
        snprintf(text, sizeof text, "%s: no option '%.60s'", place, key);
        nearest_option(&nearest, key, strlen(key));
        return fail_word(error, text, &nearest, "");
    }
    if (row->kind == FLAG)
        return fail(error, EX_USAGE, "%s: '%.60s' is for the command line only", place, key);
    char where[200];
    snprintf(where, sizeof where, "%s: %s", place, key);
    return set(options, row, trim(equals + 1), SOURCE_FILE, where, error);
}

static bool read_file(struct options *options, const char *path, struct options_error *error)
{
    FILE *file = fopen(path, "re");
    if (!file) return fail(error, EX_NOINPUT, "--config: %.150s: %s", path, strerror(errno));
    char *line = NULL;
    size_t capacity = 0, number = 0;
    bool good = true;
    while (good && getline(&line, &capacity, file) >= 0) {
        char place[120];
        snprintf(place, sizeof place, "%.90s:%zu", path, ++number);
        good = read_line(options, line, place, error);
    }
    free(line);
    if (good && ferror(file))
        good = fail(error, EX_NOINPUT, "--config: %.150s: cannot be read", path);
    fclose(file);
    return good;
}

static bool check_choice(const char *name, const char *value, const char *const *choice,
                         struct options_error *error)
{
    for (const char *const *c = choice; *c; c++)
        if (!strcmp(*c, value)) return true;
    char list[120] = "";
    size_t used = 0;
    for (const char *const *c = choice; *c && used < sizeof list; c++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                 c == choice ? ""
                                 : c[1]      ? ", "
                                             : " or ",
                                 *c);
    return fail(error, EX_USAGE, "--%s: no choice '%.40s', only %s", name, value, list);
}

static bool check_choices(const struct options *options, struct options_error *error)
{
    static const char *const level[] = {"error", "warning", "info", "debug", NULL};
    static const char *const format[] = {"logfmt", "json", NULL};
    static const char *const control[] = {"none", "explicit", NULL};
    static const char *const toggle[] = {"on", "off", NULL};
    return check_choice("model-control", options->model_control, control, error) &&
           check_choice("nv-metrics", options->nv_metrics, toggle, error) &&
           check_choice("log-level", options->log_level, level, error) &&
           check_choice("log-format", options->log_format, format, error) &&
           (!options->isa || check_choice("isa", options->isa, rn_isa_names(), error));
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Of a start that fails: what was asked for, as far as it can be known. */
static const char *log_format_of(const struct options *options, int argc, char **argv,
                                 char **environment)
{
    static const char option[] = "--log-format", variable[] = "RESNETD_LOG_FORMAT=";
    enum { OPTION = sizeof option - 1, VARIABLE = sizeof variable - 1 };
    const char *format = options->log_format;
    for (char **v = environment; v && *v; v++)
        if (!strncmp(*v, variable, VARIABLE)) format = *v + VARIABLE;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], option, OPTION)) continue;
        if (argv[i][OPTION] == '=') format = argv[i] + OPTION + 1;
        if (!argv[i][OPTION] && i + 1 < argc) format = argv[i + 1];
    }
    return format && !strcmp(format, "json") ? "json" : "logfmt";
}

bool options_read(struct options *options, int argc, char **argv, char **environment,
                  struct options_error *error)
{
    *options = (struct options){.store = calloc(1, sizeof *options->store)};
    error->log_format = "logfmt";
    if (!options->store) return fail(error, EX_OSERR, "out of memory");
    for (size_t i = 0; i < ROWS; i++) {
        void *field = field_of(options, &table[i]);
        if (table[i].kind == COUNT) *(size_t *)field = (size_t)table[i].fallback;
        if (table[i].kind == TEXT) *(const char **)field = (const char *)table[i].fallback;
    }
    if (read_command_line(options, argc, argv, error) &&
        read_environment(options, environment, error) &&
        (!options->config || read_file(options, options->config, error)) &&
        check_choices(options, error))
        return true;
    error->log_format = log_format_of(options, argc, argv, environment);
    options_free(options);
    return false;
}

void options_free(struct options *options)
{
    if (!options->store) return;
    for (size_t i = 0; i < ROWS; i++)
        if (table[i].kind == LIST) {
            struct option_list *list = field_of(options, &table[i]);
            free(list->item);
        }
    free(options->warnings.item);
    for (size_t i = 0; i < options->store->texts; i++) free(options->store->text[i]);
    free(options->store->text);
    free(options->store);
    *options = (struct options){0};
}

/* The help text, broken at words into lines of up to 70 bytes behind a margin. */
static void print_wrapped(const char *text, FILE *file)
{
    while (*text) {
        size_t length = strlen(text);
        if (length > 70)
            for (length = 70; length > 1 && text[length] != ' ';) length--;
        fprintf(file, "        %.*s\n", (int)length, text);
        text += length;
        while (*text == ' ') text++;
    }
}

void options_help(FILE *file)
{
    for (size_t i = 0; i < ROWS; i++) {
        fprintf(file, "  --%s%s%s\n", table[i].name, *table[i].unit ? " " : "", table[i].unit);
        print_wrapped(table[i].help, file);
        if (table[i].kind == COUNT)
            fprintf(file, "        (default %zu; %zu to %zu)\n", (size_t)table[i].fallback,
                    table[i].least, table[i].most);
        else if (table[i].kind == TEXT && table[i].fallback)
            fprintf(file, "        (default %s)\n", (const char *)table[i].fallback);
    }
}

void options_print(const struct options *options, FILE *file)
{
    for (size_t i = 0; i < ROWS; i++) {
        const void *field = field_at(options, &table[i]);
        const char *name = table[i].name;
        if (table[i].kind == COUNT) fprintf(file, "%s = %zu\n", name, *(const size_t *)field);
        if (table[i].kind == TEXT && *(const char *const *)field)
            fprintf(file, "%s = %s\n", name, *(const char *const *)field);
        const struct option_list *list = field;
        for (size_t k = 0; table[i].kind == LIST && k < list->count; k++)
            fprintf(file, "%s = %s\n", name, list->item[k]);
    }
}
