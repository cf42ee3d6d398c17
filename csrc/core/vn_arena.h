/* One block of memory, handed out front to back.
 *
 * An arena without a base only counts, so the same layout function first measures and then binds: sizes and
 * pointers cannot disagree. Pages are reserved, not touched: what a batch does not use costs no memory. */
#ifndef VN_ARENA_H
#define VN_ARENA_H

#include "vn_build.h"
#include "vn_status.h"

typedef struct vn_arena {
    unsigned char *base; /* NULL: count only */
    size_t used, size;
} vn_arena;

/* 64-byte aligned; NULL while counting or when the arena is too small. */
static inline void *
vn_arena_take(vn_arena *a, size_t bytes)
{
    size_t at = a->used;
    a->used = (at + bytes + 63) & ~(size_t)63;
    return a->base != NULL && a->used <= a->size ? a->base + at : NULL;
}

static inline float *
vn_arena_floats(vn_arena *a, int64_t count)
{
    return (float *)vn_arena_take(a, (size_t)count * sizeof(float));
}

/* Zeroed pages for size bytes; the caller releases them. */
vn_status vn_arena_reserve(vn_arena *a, size_t size, vn_error *error);
/* Asks for large pages, which serve what is swept as a whole; where little is touched they would take more room. */
void vn_arena_large_pages(const vn_arena *a);
void vn_arena_release(vn_arena *a);

#endif
