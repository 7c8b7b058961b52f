/* The parts of a multipart/form-data body, one after the other. No state but the struct: any
 * thread, one at a time. */
#ifndef SERVER_INGEST_MULTIPART_H
#define SERVER_INGEST_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

enum { MULTIPART_BOUNDARY_SIZE = 71 }; /* with the NUL; RFC 2046 allows 70 characters */

/* The boundary of a Content-Type; false when it has none that is allowed. */
bool multipart_boundary(const char *content_type, char boundary[MULTIPART_BOUNDARY_SIZE]);

/* Bytes inside the body. */
struct multipart_text {
    const char *at;
    size_t size; /* 0: there is none */
};

struct multipart_part {
    struct multipart_text name;     /* of Content-Disposition */
    struct multipart_text type;     /* of Content-Type, without its parameters */
    struct multipart_text encoding; /* of Content-Transfer-Encoding or Content-Encoding */
    struct multipart_text content;
};

struct multipart {
    const char *bytes;
    size_t size;
    const char *boundary;
    const char *at; /* behind the last delimiter; NULL: none was read yet */
};

/* The next part. False: there is none; *problem is then NULL at the end of the form, else what is
 * wrong with it: a constant. */
bool multipart_next(struct multipart *form, struct multipart_part *part, const char **problem);

#endif
