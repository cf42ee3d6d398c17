/* Pages of an arena, from the system. */
#define _GNU_SOURCE
#include "vn_arena.h"

#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <sys/mman.h>
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#endif

vn_status
vn_arena_reserve(vn_arena *a, size_t size, vn_error *error)
{
    memset(a, 0, sizeof *a);
    size = VN_MAX(size, (size_t)64);
#ifdef _WIN32
    a->base = calloc(1, size);
#else
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    a->base = pages == MAP_FAILED ? NULL : pages;
#endif
    if (a->base == NULL)
        return vn_fail(error, VN_ENOMEM, "no room for %zu bytes of weights or activations", size);
    a->size = size;
    return VN_OK;
}

void
vn_arena_large_pages(const vn_arena *a)
{
#ifdef MADV_HUGEPAGE
    madvise(a->base, a->size, MADV_HUGEPAGE);
#else
    (void)a;
#endif
}

void
vn_arena_release(vn_arena *a)
{
    if (a->base != NULL) {
#ifdef _WIN32
        free(a->base);
#else
        munmap(a->base, a->size);
#endif
    }
    memset(a, 0, sizeof *a);
}
