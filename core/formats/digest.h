/* The digest that names a weights file's content, whatever it is called and wherever it lies. */
#ifndef RN_FORMATS_DIGEST_H
#define RN_FORMATS_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define RN_DIGEST_TEXT 65 /* 64 hex digits and the end */

/* SHA-256. */
void rn_digest(const uint8_t *bytes, size_t size, char text[RN_DIGEST_TEXT]);

#endif
