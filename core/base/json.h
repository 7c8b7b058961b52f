/* JSON for the core (headers of weights files, config.json): the only jansson in it.
 *
 * A value is read-only and lives as long as its document. Getters answer "not there" for a missing
 * key and for NULL alike, so that chains need no checks. */
#ifndef RN_BASE_JSON_H
#define RN_BASE_JSON_H

#include "resnet.h"

typedef struct rn_json_document rn_json_document;
typedef struct rn_json rn_json;

/* Parses the whole text, refusing duplicate keys and trailing bytes; `what` names it in errors.
 * RN_ERR_MEMORY, or RN_ERR_FORMAT for what is no JSON. */
rn_status rn_json_parse(rn_json_document **out, const char *text, size_t size, const char *what,
                        rn_error *err);
void rn_json_free(rn_json_document *document); /* takes NULL */

/* The document's value; NULL for NULL. */
const rn_json *rn_json_root(const rn_json_document *document);

bool rn_json_is_object(const rn_json *value);
bool rn_json_is_array(const rn_json *value);
bool rn_json_is_null(const rn_json *value); /* JSON's null, or not there at all */

const rn_json *rn_json_get(const rn_json *object, const char *key);
const rn_json *rn_json_at(const rn_json *array, size_t index);
size_t rn_json_count(const rn_json *value); /* of an array or object; else 0 */

/* The object's members in the file's order: start with iterator NULL, ends with NULL. */
void *rn_json_next(const rn_json *object, void *iterator, const char **key, const rn_json **value);

const char *rn_json_string(const rn_json *value);     /* NULL: not a string */
bool rn_json_size(const rn_json *value, size_t *out); /* an integer >= 0 */
bool rn_json_number(const rn_json *value, double *out);
bool rn_json_bool(const rn_json *value, bool *out);

#endif
