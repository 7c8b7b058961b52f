/* Memory for one envelope; see envelope_arena.h. */
#include "ingest/envelope_arena.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "ingest/envelope.h"

#define ALIGN ((size_t)16)

/* What jansson 2.14 allocates, rounded up to ALIGN. What it frees in between, as an array's or a
 * buffer's memory that has become too small, is not had again: of doublings all together are twice
 * the last one. */
#define PER_BYTE    ((size_t)6)   /* the buffer of the text that is read; copies of strings */
#define PER_STRING  ((size_t)160) /* a value, or a member of an object with its key */
#define PER_OBJECT  ((size_t)224) /* itself and its first buckets */
#define PER_ARRAY   ((size_t)128) /* itself and its first elements */
#define PER_ELEMENT ((size_t)128) /* a number; a place in an array, or in the buckets */
#define PER_TEXT    ((size_t)4096)
#define MAX_DEPTH   ((size_t)2048) /* JSON_PARSER_MAX_DEPTH */

struct envelope_arena {
    size_t size, used; /* of `bytes` */
    _Alignas(ALIGN) uint8_t bytes[];
};

static _Thread_local struct envelope_arena *current;
static atomic_size_t spilled;
static json_malloc_t outer_malloc;
static json_free_t outer_free;

static void *allocate(size_t size)
{
    struct envelope_arena *a = current;
    if (a && size <= a->size - a->used) {
        void *memory = a->bytes + a->used;
        const size_t used = a->used + (size + ALIGN - 1) / ALIGN * ALIGN;
        a->used = used < a->size ? used : a->size;
        return memory;
    }
    if (a) atomic_fetch_add(&spilled, 1);
    return outer_malloc(size);
}

static void release(void *memory)
{
    const uintptr_t at = (uintptr_t)memory, begin = current ? (uintptr_t)current->bytes : 0;
    if (!current || at < begin || at - begin >= current->size) outer_free(memory);
}

/* Jansson's functions are those of the whole process: they are set before there are threads, and
 * whoever set others before goes on with those. */
__attribute__((constructor)) static void install(void)
{
    json_get_alloc_funcs(&outer_malloc, &outer_free);
    json_set_alloc_funcs(allocate, release);
}

/* What is in strings counts too, and only makes it more. An open bracket without its end fails once
 * there are MAX_DEPTH of them. */
static size_t bound(const char *text, size_t size)
{
    size_t quotes = 0, commas = 0, objects = 0, arrays = 0, ends = 0;
    for (size_t i = 0; i < size; i++) {
        quotes += text[i] == '"';
        commas += text[i] == ',';
        objects += text[i] == '{';
        arrays += text[i] == '[';
        ends += text[i] == '}' || text[i] == ']';
    }
    if (objects > MAX_DEPTH + ends) objects = MAX_DEPTH + ends;
    if (arrays > MAX_DEPTH + ends) arrays = MAX_DEPTH + ends;
    const size_t strings = quotes / 2 + 1, elements = commas + objects + arrays + 1;
    return PER_TEXT + PER_BYTE * size + PER_STRING * strings + PER_OBJECT * objects +
           PER_ARRAY * arrays + PER_ELEMENT * elements;
}

struct envelope_arena *envelope_arena_new(const char *text, size_t size)
{
    const size_t room = bound(text, size);
    struct envelope_arena *arena = malloc(sizeof *arena + room);
    if (!arena) return NULL;
    arena->size = room;
    arena->used = 0;
    return arena;
}

void envelope_arena_use(struct envelope_arena *arena)
{
    current = arena;
}

void envelope_arena_free(struct envelope_arena *arena)
{
    free(arena);
}

size_t envelope_spilled(void)
{
    return atomic_load(&spilled);
}
