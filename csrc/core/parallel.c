/* Threads: OpenMP, whose pragmas stand in this file alone. */
#define _GNU_SOURCE
#include "vn_parallel.h"

#include <stdatomic.h>
#include <stdlib.h>

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __linux__
#include <sched.h>
#include <stdio.h>
#endif
#ifndef _WIN32
#include <pthread.h>
#endif

static atomic_int threads; /* 0: not chosen */
static atomic_int forked;

#ifndef _WIN32
/* libgomp's workers do not survive fork: the next parallel region of the child would wait for them forever. */
static void
child(void)
{
    atomic_store(&forked, 1);
}

__attribute__((constructor)) static void
watch_fork(void)
{
    pthread_atfork(NULL, NULL, child);
}
#endif

/* Physical cores among those that the process may use: one sibling of each core counts. */
static int
default_threads(void)
{
    int n = 1;
#ifdef _OPENMP
    n = omp_get_max_threads(); /* respects OMP_NUM_THREADS and the affinity mask */
#ifdef __linux__
    cpu_set_t mask;
    if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
        int cores = 0;
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            char path[96];
            int first = cpu;
            if (!CPU_ISSET(cpu, &mask))
                continue;
            snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
            FILE *f = fopen(path, "r");
            if (f != NULL) {
                if (fscanf(f, "%d", &first) != 1)
                    first = cpu;
                fclose(f);
            }
            if (first == cpu || !CPU_ISSET(first, &mask))
                cores++;
        }
        n = VN_MIN(n, VN_MAX(cores, 1));
    }
#endif
#endif
    return VN_MAX(1, VN_MIN(n, VN_MAX_THREADS));
}

void
vn_parallel_set_threads(int n)
{
    atomic_store(&threads, n < 1 ? default_threads() : VN_MIN(n, VN_MAX_THREADS));
}

int
vn_parallel_threads(void)
{
    int n = atomic_load(&threads);
    if (n == 0) {
        n = default_threads();
        atomic_store(&threads, n);
    }
    return atomic_load(&forked) ? 1 : n;
}

int
vn_parallel_forked(void)
{
    return atomic_load(&forked);
}

void
vn_parallel_for(int64_t items, vn_parallel_body *body, void *arg)
{
    int n = (int)VN_MIN(items, (int64_t)vn_parallel_threads());
#ifdef _OPENMP
    if (n > 1 && !omp_in_parallel()) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(n)
        for (int64_t i = 0; i < items; i++)
            body(arg, i, omp_get_thread_num());
        return;
    }
#endif
    (void)n;
    for (int64_t i = 0; i < items; i++)
        body(arg, i, 0);
}
