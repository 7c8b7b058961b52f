/* The name that was meant: of several, the one with the fewest typing mistakes. */
#ifndef SERVER_NEAREST_H
#define SERVER_NEAREST_H

#include <stddef.h>

enum { NEAREST_LONGEST = 64 }; /* bytes of a word or name; longer ones match nothing */

struct nearest {
    const char *name; /* so far; NULL: none is near */
    const char *word;
    size_t length, mistakes;
};

/* word: `length` bytes, which must live until the end. */
void nearest_begin(struct nearest *nearest, const char *word, size_t length);
/* A name that may have been meant. Near is what takes at most one letter in three to be added, left
 * out, changed, or exchanged with its neighbour; '_' and '-', 'A' and 'a' count as the same. */
void nearest_try(struct nearest *nearest, const char *name);

#endif
