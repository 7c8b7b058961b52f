/* One part of a multipart/form-data body, as `curl -F data=@file` sends it. No state. */
#ifndef SERVER_INGEST_MULTIPART_H
#define SERVER_INGEST_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

enum { MULTIPART_BOUNDARY_SIZE = 71 }; /* with the NUL; RFC 2046 allows 70 characters */

/* The boundary of a Content-Type; false when it has none that is allowed. */
bool multipart_boundary(const char *content_type, char boundary[MULTIPART_BOUNDARY_SIZE]);

struct multipart {
    const char *bytes;
    size_t size;
    const char *boundary;
};

/* Finds the content of the part with that name inside the body, or of the first part where none has
 * it. NULL when all is well, else what is wrong: a constant. */
const char *multipart_find(const struct multipart *body, const char *name, const char **part,
                           size_t *part_size);

#endif
