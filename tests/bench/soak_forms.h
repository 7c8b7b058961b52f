/* The requests of the soak: one of each form that the daemon takes, for the model `m` of
 * SOAK_SIDE x SOAK_SIDE inputs, and for another one, `n`. Made once; constant afterwards. */
#ifndef TESTS_BENCH_SOAK_FORMS_H
#define TESTS_BENCH_SOAK_FORMS_H

#include <stdbool.h>
#include <stddef.h>

/* So large that it is the engine that has too much to do; ThreadSanitizer makes it slow enough. */
#if defined(__SANITIZE_THREAD__)
enum { SOAK_SIDE = 28 };
#define SOAK_SIDE_TEXT "28"
#else
enum { SOAK_SIDE = 56 };
#define SOAK_SIDE_TEXT "56"
#endif
enum { SOAK_PIXELS = SOAK_SIDE * SOAK_SIDE, SOAK_FORMS_MAX = 24 };

struct soak_form {
    const char *name;
    char *bytes; /* the whole request */
    size_t size;
    size_t head; /* bytes of its request line and headers */
    size_t
        samples; /* whose outputs alone, as floats, are the answer of the image; 0: it is another */
    bool deadline; /* it may never be in time, where a sanitizer makes it slow */
};

/* How many there are. Fails the test when a file is missing or memory. */
size_t soak_forms_make(struct soak_form form[SOAK_FORMS_MAX]);
void soak_forms_free(struct soak_form *form, size_t count);

/* The sample that all forms with `samples` hold. */
const float *soak_image(void);

#endif
