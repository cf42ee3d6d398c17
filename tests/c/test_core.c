/* Philox's published answers, arenas, parallel loops, messages. */
#include <string.h>

#include "../../csrc/core/vn_arena.h"
#include "../../csrc/core/vn_parallel.h"
#include "../../csrc/core/vn_philox.h"
#include "check.h"

static void
test_philox(void)
{
    vn_philox4 a = vn_philox(0, 0, 0, 0), b = vn_philox(UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX);
    CHECK(a.x[0] == 0x6627E8D5 && a.x[1] == 0xE169C58D && a.x[2] == 0xBC57AC4C && a.x[3] == 0x9B00DBD8);
    CHECK(b.x[0] == 0x408F276D && b.x[1] == 0x41C83B0E && b.x[2] == 0xA20BC7C6 && b.x[3] == 0x6D5451FD);
    vn_rng r = {1, 2, 0, 3};
    for (int i = 0; i < 1000; i++) {
        int64_t n = vn_rng_below(&r, 7);
        float u = vn_rng_uniform(&r);
        CHECK(n >= 0 && n < 7 && u >= 0.0f && u < 1.0f);
    }
    CHECK(r.draw == 2000);
}

static void
test_arena(void)
{
    vn_error error;
    vn_arena count = {NULL, 0, 0}, a;
    CHECK(vn_arena_take(&count, 1) == NULL && count.used == 64);
    CHECK(vn_arena_floats(&count, 17) == NULL && count.used == 192);
    CHECK(vn_arena_reserve(&a, count.used, &error) == VN_OK);
    unsigned char *p = vn_arena_take(&a, 1);
    float *x = vn_arena_floats(&a, 17);
    CHECK(p != NULL && x != NULL && (uintptr_t)x % 64 == 0 && (unsigned char *)x == p + 64);
    for (int i = 0; i < 17; i++)
        CHECK(x[i] == 0.0f);
    CHECK(vn_arena_take(&a, 1) == NULL);
    vn_arena_release(&a);
    CHECK(a.base == NULL);
    CHECK(vn_arena_reserve(&a, SIZE_MAX / 2, &error) == VN_ENOMEM && strstr(error.text, "no room") != NULL);
}

static void
mark(void *arg, int64_t item, int worker)
{
    int *seen = arg;
    seen[item] += 1 + 1000 * (worker < 0 || worker >= VN_MAX_THREADS);
}

static void
test_parallel(void)
{
    for (int threads = 1; threads <= 7; threads += 3) {
        int *seen = fresh(1001 * sizeof *seen);
        memset(seen, 0, 1001 * sizeof *seen);
        vn_parallel_set_threads(threads);
        CHECK(vn_parallel_threads() == threads);
        vn_parallel_for(1001, mark, seen);
        vn_parallel_for(0, mark, seen);
        for (int i = 0; i < 1001; i++)
            CHECK(seen[i] == 1);
        free(seen);
    }
    vn_parallel_set_threads(100000);
    CHECK(vn_parallel_threads() == VN_MAX_THREADS);
    vn_parallel_set_threads(2);
}

int
main(void)
{
    vn_error error;
    test_philox();
    test_arena();
    test_parallel();
    CHECK(vn_fail(&error, VN_ESHAPE, "%0500d", 1) == VN_ESHAPE && strlen(error.text) == sizeof error.text - 1);
    return failures != 0;
}
