/* What every file may assume of the compiler. */
#ifndef VN_BUILD_H
#define VN_BUILD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#define VN_HD __host__ __device__
#else
#define VN_HD
#endif

#ifdef __cplusplus
#define VN_RESTRICT __restrict__
#else
#define VN_RESTRICT restrict
#endif

/* Before a function of integer loops: they are equal on every processor, so the loader may pick the fastest copy. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define VN_CLONES __attribute__((target_clones("default", "avx2")))
#else
#define VN_CLONES
#endif

/* Backend files are compiled once per instruction level; the build sets VN_LEVEL to its name. */
#define VN_JOIN_(a, b, c) a##b##_##c
#define VN_JOIN(a, b, c) VN_JOIN_(a, b, c)
#ifdef VN_LEVEL
#define VN_FN(name) VN_JOIN(vn_, VN_LEVEL, name)
#define VN_STRING_(x) #x
#define VN_STRING(x) VN_STRING_(x)
#define VN_LEVEL_NAME VN_STRING(VN_LEVEL)
#endif

#define VN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define VN_MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
