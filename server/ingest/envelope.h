/* The small JSON that is left of a body, as values to look at. The only user of jansson here:
 * nobody else sees its types. Values live until their root is freed. One thread at a time. */
#ifndef SERVER_INGEST_ENVELOPE_H
#define SERVER_INGEST_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

enum value_type { VALUE_NULL, VALUE_BOOL, VALUE_NUMBER, VALUE_STRING, VALUE_ARRAY, VALUE_OBJECT };

struct value;

/* NULL: the error is filled. The text must not be nested deeper than the stack allows. */
struct value *envelope_read(const char *text, size_t size, char *error, size_t error_size);
void envelope_free(struct value *root);

/* Every one of these takes NULL and values of another type: they answer NULL, 0 or false. */
enum value_type value_type(const struct value *value);
const struct value *value_member(const struct value *object, const char *key);
const struct value *value_element(const struct value *array, size_t index);
size_t value_size(const struct value *array_or_object);
/* The key behind `key`, the first one behind NULL; NULL at the end. */
const char *value_next_key(const struct value *object, const char *key);
double value_number(const struct value *number);
const char *value_string(const struct value *string, size_t *size);
bool value_is_true(const struct value *value);

#endif
