/* A part of a range of things: tiles, blocks, rows, bands. */
#ifndef RN_KERNELS_BLOCKED_SPAN_H
#define RN_KERNELS_BLOCKED_SPAN_H

#include <stddef.h>

typedef struct {
    size_t begin, end;
} rn_span;

/* The index-th of `parts` parts whose sizes differ by one at most. */
static inline rn_span rn_span_part(size_t total, size_t parts, size_t index)
{
    return (rn_span){total * index / parts, total * (index + 1) / parts};
}

static inline size_t rn_span_size(rn_span span)
{
    return span.end - span.begin;
}

/* Empty at the end of `a` where they have nothing in common. */
static inline rn_span rn_span_common(rn_span a, rn_span b)
{
    const size_t end = a.end < b.end ? a.end : b.end;
    const size_t begin = a.begin > b.begin ? a.begin : b.begin;
    return begin < end ? (rn_span){begin, end} : (rn_span){a.end, a.end};
}

#endif
