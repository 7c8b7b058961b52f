/* Valid requests of every route and form, and what hostile hands make of them.
 *
 * Everything follows from a seed: the same seed and number give the same bytes. No state but the
 * templates, which are made once: any thread afterwards. */
#ifndef TESTS_HTTP_MUTATE_H
#define TESTS_HTTP_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MUTATE_SIDE = 8, MUTATE_PIXELS = MUTATE_SIDE * MUTATE_SIDE, MUTATE_MOST = 32768 };

struct hostile {
    size_t form; /* the template it began as */
    bool valid;  /* and still is */
    bool same;   /* asked twice it gets the same answer twice */
    char method[8];
    char target[300], headers[600]; /* "Name: value\r\n"... */
    bool chunked;
    size_t size;
    uint8_t body[MUTATE_MOST];
};

/* The templates, for a model `tiny` of 1x8x8 inputs and another one, `spare`. */
void mutate_init(void);
size_t mutate_forms(void);
const char *mutate_name(size_t form);
/* The template as it is. */
void mutate_valid(struct hostile *request, size_t form);
/* The input that all templates of `tiny` but the pictures hold once. */
const float *mutate_image(void);
void mutate_free(void);

/* Random numbers, the same everywhere. */
struct dice {
    uint64_t state;
};
size_t roll(struct dice *dice, size_t sides); /* 0 .. sides - 1 */

/* The request of that number. */
void mutate(struct hostile *request, struct dice *dice);

#endif
