/* The small JSON that is left of a body, as values to look at. The only user of jansson here:
 * nobody else sees its types. Values live until their envelope is freed. One thread at a time. */
#ifndef SERVER_INGEST_ENVELOPE_H
#define SERVER_INGEST_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "resnet.h"

enum value_type { VALUE_NULL, VALUE_BOOL, VALUE_NUMBER, VALUE_STRING, VALUE_ARRAY, VALUE_OBJECT };

struct envelope;
struct value;

/* RN_ERR_FORMAT, with the error filled, or RN_ERR_MEMORY. The text must not be nested deeper than
 * the stack allows. */
rn_status envelope_read(struct envelope **out, const char *text, size_t size, char *error,
                        size_t error_size);
void envelope_free(struct envelope *envelope);                      /* takes NULL */
const struct value *envelope_root(const struct envelope *envelope); /* NULL for NULL */

/* Allocations so far, of all envelopes, for which no room was had beforehand: none, as tests see.
 */
size_t envelope_spilled(void);

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
