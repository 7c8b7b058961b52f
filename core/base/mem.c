#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/size.h"

/* From here on memory is asked for in huge pages: weights and arenas are written once, and a page
 * fault for each 4 KiB would take longer than that. */
#define LARGE     ((size_t)8 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

static atomic_size_t allocations;

void *rn_alloc(size_t count, size_t size, rn_error *err)
{
    size_t bytes, padded;
    if (!rn_size_mul(count, size, &bytes) || !rn_size_add(bytes, HUGE_PAGE, &padded)) {
        rn_fail(err, RN_ERR_MEMORY, "out of memory: %zu elements of %zu bytes", count, size);
        return NULL;
    }
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    const size_t align = bytes >= LARGE ? HUGE_PAGE : RN_ALIGN;
    void *memory = aligned_alloc(align, rn_round_up(rn_max(bytes, 1), align));
    if (!memory)
        rn_fail_memory(err, bytes);
    else if (align == HUGE_PAGE)
        madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

void *rn_alloc_zero(size_t count, size_t size, rn_error *err)
{
    void *memory = rn_alloc(count, size, err);
    if (memory) memset(memory, 0, count * size);
    return memory;
}

char *rn_strndup(const char *text, size_t size, rn_error *err)
{
    char *copy = rn_alloc(size + 1, 1, err);
    if (!copy) return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *rn_strdup(const char *text, rn_error *err)
{
    return rn_strndup(text, strlen(text), err);
}

void rn_free(const void *memory)
{
    free((void *)(uintptr_t)memory);
}

void *rn_grow(void *array, size_t count, size_t *capacity, size_t size, rn_error *err)
{
    if (count < *capacity) return array;
    const size_t wanted = *capacity ? *capacity * 2 : 16;
    void *larger = rn_alloc(wanted, size, err);
    if (!larger) return NULL;
    if (count) memcpy(larger, array, count * size);
    rn_free(array);
    *capacity = wanted;
    return larger;
}

size_t rn_alloc_count(void)
{
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}
