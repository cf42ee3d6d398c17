/* The only threads of the core. */
#ifndef VN_PARALLEL_H
#define VN_PARALLEL_H

#include "vn_build.h"

enum { VN_MAX_THREADS = 64 }; /* OpenBLAS keeps buffers for this many callers */

/* Calls body(arg, item, worker) once for each item in [0, items), in any order, on any thread. worker is in
 * [0, VN_MAX_THREADS) and only picks scratch: no result may depend on it. Nothing in body can fail. */
typedef void vn_parallel_body(void *arg, int64_t item, int worker);
void vn_parallel_for(int64_t items, vn_parallel_body *body, void *arg);

void vn_parallel_set_threads(int n); /* n < 1: the default again */
int vn_parallel_threads(void);
int vn_parallel_forked(void); /* 1 in a forked child, which runs serially */

#endif
