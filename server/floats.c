/* Memory for tensors; see floats.h. realloc() keeps no alignment, so growth copies. */
#include "floats.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN     ((size_t)64)
#define LEAST     ((size_t)64 << 10) /* smaller ones malloc() keeps by itself */
#define MOST      ((size_t)32 << 20) /* bytes that are kept: 53 images of 3x224x224 */
#define MOST_KEPT ((size_t)256)

/* In front of the floats. */
struct block {
    _Alignas(ALIGN) size_t size; /* bytes, this included */
};

static struct {
    pthread_mutex_t lock;
    struct block *block[MOST_KEPT]; /* the one that was given back last is the last */
    size_t count, bytes;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock. */
static struct block *take(size_t index)
{
    struct block *block = kept.block[index];
    kept.count--;
    kept.bytes -= block->size;
    memmove(&kept.block[index], &kept.block[index + 1], (kept.count - index) * sizeof *kept.block);
    return block;
}

static struct block *find(size_t size)
{
    struct block *block = NULL;
    pthread_mutex_lock(&kept.lock);
    for (size_t i = kept.count; i-- > 0 && !block;)
        if (kept.block[i]->size == size) block = take(i);
    pthread_mutex_unlock(&kept.lock);
    return block;
}

/* The oldest make room: they may have a size that nobody asks for any more. */
static void keep(struct block *block)
{
    pthread_mutex_lock(&kept.lock);
    while (kept.count == MOST_KEPT || (kept.count && kept.bytes + block->size > MOST))
        free(take(0));
    kept.block[kept.count++] = block;
    kept.bytes += block->size;
    pthread_mutex_unlock(&kept.lock);
}

float *floats_new(size_t count)
{
    if (count > (SIZE_MAX - 2 * ALIGN) / sizeof(float)) return NULL;
    const size_t size = sizeof(struct block) + (count * sizeof(float) + ALIGN - 1) / ALIGN * ALIGN;
    struct block *block = size < LEAST ? NULL : find(size);
    if (!block) block = aligned_alloc(ALIGN, size);
    if (!block) return NULL;
    block->size = size;
    return (float *)(block + 1);
}

static struct block *block_of(float *floats)
{
    return (struct block *)(void *)floats - 1;
}

void floats_delete(float *floats)
{
    if (!floats) return;
    struct block *block = block_of(floats);
    if (block->size < LEAST || block->size > MOST)
        free(block);
    else
        keep(block);
}

void floats_discard(float *floats)
{
    if (floats) free(block_of(floats));
}

size_t floats_kept(void)
{
    pthread_mutex_lock(&kept.lock);
    const size_t bytes = kept.bytes;
    pthread_mutex_unlock(&kept.lock);
    return bytes;
}

bool floats_reserve(struct floats *floats, size_t count, size_t most)
{
    if (count <= floats->capacity) return true;
    size_t room = floats->capacity > most / 2 ? most : 2 * floats->capacity;
    if (room < count) room = count;
    float *data = floats_new(room);
    if (!data) return false;
    if (floats->count) memcpy(data, floats->data, floats->count * sizeof(float));
    floats_delete(floats->data);
    floats->data = data;
    floats->capacity = room;
    return true;
}

void floats_free(struct floats *floats)
{
    floats_delete(floats->data);
    *floats = (struct floats){0};
}

/* Eight at a time, which compilers make one comparison of. */
size_t floats_not_finite(const float *data, size_t count)
{
    enum { STEP = 8 };
    const int32_t largest = 0x7f7fffff; /* the bits of FLT_MAX */
    size_t i = 0;
    for (; count - i >= STEP; i += STEP) {
        int32_t bits[STEP], beyond = 0;
        memcpy(bits, data + i, sizeof bits);
        for (size_t k = 0; k < STEP; k++) beyond |= (bits[k] & INT32_MAX) > largest;
        if (beyond) break;
    }
    while (i < count && isfinite(data[i])) i++;
    return i;
}
