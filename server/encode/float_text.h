/* float32 to the shortest decimal that reads back as the same float32, in JSON's grammar, whether
 * it is read as a float32 or as a double that is then rounded.
 *
 * Of the shortest ones it is the nearest to the float. No locale, no state: any thread. */
#ifndef SERVER_ENCODE_FLOAT_TEXT_H
#define SERVER_ENCODE_FLOAT_TEXT_H

#include <stddef.h>

#define FLOAT_TEXT_SIZE 24 /* more than any text takes: "-1.17549435e-38" */

/* A finite value; writes no NUL. Returns the bytes written, less than FLOAT_TEXT_SIZE. */
size_t float_text(float value, char out[FLOAT_TEXT_SIZE]);

/* "1,-2.5,3": `count` values; out has room for count * FLOAT_TEXT_SIZE. Returns the bytes written.
 */
size_t float_texts(const float *values, size_t count, char *out);

#endif
