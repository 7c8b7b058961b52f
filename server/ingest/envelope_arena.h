/* Memory for one envelope, had before it is read: inside envelope*.c only.
 *
 * Jansson 2.14 writes beyond a string's memory when an allocation fails while it reads. So none may
 * fail: an envelope's allocations come from an arena that is large enough for any envelope of such
 * a text. Allocations of jansson for others, on other threads or by the engine, are what they were
 * before: the engine does the same for the JSON of models, and neither knows of the other. */
#ifndef SERVER_INGEST_ENVELOPE_ARENA_H
#define SERVER_INGEST_ENVELOPE_ARENA_H

#include <stddef.h>

struct envelope_arena;

/* For the text. NULL: no memory. */
struct envelope_arena *envelope_arena_new(const char *text, size_t size);
/* From here on what jansson allocates and frees on this thread is the arena's; NULL: no arena's. */
void envelope_arena_use(struct envelope_arena *arena);
/* With all that is in it. Takes NULL. */
void envelope_arena_free(struct envelope_arena *arena);

#endif
