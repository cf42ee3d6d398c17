/* Picks the table of the best instruction level that this CPU runs. The build says which levels it made. */
#include "vn_backend.h"

extern const vn_backend vn_baseline_backend;
#ifdef VN_HAS_AVX2
extern const vn_backend vn_avx2_backend;
#endif
#ifdef VN_HAS_AVX512
extern const vn_backend vn_avx512_backend;
#endif

const vn_backend *
vn_backend_at(int i)
{
    const vn_backend *table[4];
    int n = 0;
#ifdef VN_HAS_AVX512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
        table[n++] = &vn_avx512_backend;
#endif
#ifdef VN_HAS_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        table[n++] = &vn_avx2_backend;
#endif
    table[n++] = &vn_baseline_backend;
    return i >= 0 && i < n ? table[i] : NULL;
}

const vn_backend *
vn_backend_find(const char *name)
{
    const vn_backend *be;
    for (int i = 0; (be = vn_backend_at(i)) != NULL; i++)
        if (name == NULL || strcmp(be->name, name) == 0)
            return be;
    return NULL;
}
