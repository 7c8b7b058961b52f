/* Memory for one JSON document, had before the document is read: inside base/json*.c only.
 *
 * Jansson 2.14 writes beyond a string's memory when an allocation fails while it reads. So none may
 * fail: a document's allocations come from an arena that is large enough for any document of such a
 * text. Allocations of jansson for others, on other threads or in the same program, are what they
 * were before. */
#ifndef RN_BASE_JSON_ARENA_H
#define RN_BASE_JSON_ARENA_H

#include "resnet.h"

typedef struct rn_json_arena rn_json_arena;

/* An arena for the document of the text. NULL and *err: no memory. */
rn_json_arena *rn_json_arena_new(const char *text, size_t size, rn_error *err);
/* From here on what jansson allocates and frees on this thread is the arena's; NULL: no arena's. */
void rn_json_arena_use(rn_json_arena *arena);
/* With all that is in it. Takes NULL. */
void rn_json_arena_free(rn_json_arena *arena);

/* Allocations so far, of all documents, for which there was no room: none, as tests see. */
size_t rn_json_arena_spilled(void);

#endif
