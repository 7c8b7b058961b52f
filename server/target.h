/* The request target, read once: "/v2/models/a%2Db?top_k=3" -> path "/v2/models/a-b", one
 * parameter.
 *
 * Everything behind this sees one spelling of a path. No state: any thread. */
#ifndef SERVER_TARGET_H
#define SERVER_TARGET_H

#include <stdbool.h>
#include <stddef.h>

enum { TARGET_PARAMETERS = 16, TARGET_CAPTURES = 2, TARGET_CAPTURE_SIZE = 80 };

struct target_parameter {
    const char *name, *value;
};

/* One {name} of the router's template and the text that stood there, cut when it is very long. */
struct target_capture {
    const char *name; /* inside the template: ends with '}' */
    char value[TARGET_CAPTURE_SIZE];
};

struct target {
    char *text; /* owns path and query */
    const char *path;
    struct target_parameter query[TARGET_PARAMETERS];
    size_t queries;
    struct target_capture capture[TARGET_CAPTURES]; /* filled by the router */
    size_t captures;
};

/* Reads the target of a request line. Accepts the absolute form, where the path may be missing;
 * decodes %XX once; drops one slash at the end. Refuses, with the reason in *error: NUL and control
 * characters, encoded slashes, empty segments and those of one or two dots, broken escapes,
 * parameters given twice; or target_no_memory. *target is to be freed either way. */
bool target_parse(struct target *target, const char *raw, const char **error);
extern const char target_no_memory[];
void target_free(struct target *target);

/* NULL when there is none. */
const char *target_query(const struct target *target, const char *name);
const char *target_capture(const struct target *target, const char *name);

#endif
