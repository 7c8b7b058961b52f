/* What the JSON forms of a body share: inside server/ingest/ only.
 *
 * All of them fill the ingest's error and return false when they don't find what they want; `place`
 * names it in the message. */
#ifndef SERVER_INGEST_JSON_FORM_H
#define SERVER_INGEST_JSON_FORM_H

#include "ingest/datatype.h"
#include "ingest/envelope.h"
#include "ingest/form.h"
#include "ingest/json_tensor.h"

/* ingest->state of a JSON form */
struct json_form {
    struct json_tensor *json;
    struct json_result parsed;
    struct envelope *envelope;
    const struct value *root; /* of the envelope */
    void *own;                /* of the one form; freed with this */
};

bool json_form_begin(struct ingest *ingest, const char *const *places);
bool json_form_feed(struct ingest *ingest, const void *bytes, size_t size);
/* Ends the text: `root` is then an object. */
bool json_form_end(struct ingest *ingest);
void json_form_release(struct ingest *ingest);

/* Fails at the first key of the object that is not in the list, which NULL ends; a null says
 * nothing, whatever its key. */
bool json_form_known(struct ingest *ingest, const struct value *object, const char *const *keys);
/* The parameters that may stand beside a tensor, as in the query: those of `keys` that are there.
 */
bool json_form_parameters(struct ingest *ingest, const struct value *root);
/* A whole number from `least` to `most`. */
bool json_form_whole(struct ingest *ingest, const struct value *value, const char *place,
                     double least, double most, uint64_t *out);
/* A string without control characters; text is left alone where there is no value. */
bool json_form_string(struct ingest *ingest, const struct value *value, const char *place,
                      char text[], size_t size);
/* The dimensions in an array of numbers. */
bool json_form_shape(struct ingest *ingest, const struct value *value, const char *place,
                     struct tensor *tensor);
/* The number array that stood where `value` is; the tensor's data is not set. */
bool json_form_array(struct ingest *ingest, const struct value *value, const char *place,
                     struct json_array *array);
/* Fails unless each number of the array, which json_form_array() has found, is one of the type. */
bool json_form_check_type(struct ingest *ingest, const struct value *value, const char *place,
                          enum datatype datatype);
/* Moves the floats of all number arrays to the result's tensor. */
void json_form_take(struct ingest *ingest);
/* Fails unless the tensor has as many floats as its shape says. */
bool json_form_check_count(struct ingest *ingest, const char *place, const struct tensor *tensor);

/* The places of number arrays in requests of the Open Inference Protocol, and of TF Serving. */
#define V2_PLACES "inputs[].data"
#define V1_PLACES "instances", "instances[].*"

/* Read the requests of those protocols: the result but for the floats. `binary` is the bytes that
 * the input has behind the JSON, 0 where its data is in the JSON. */
bool v2_json_read(struct ingest *ingest, const struct value *root, size_t *binary);
bool v1_json_read(struct ingest *ingest, const struct value *root);

#endif
