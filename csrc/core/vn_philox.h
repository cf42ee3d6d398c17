/* Philox4x32-10 (Salmon et al., SC 2011): randomness as a function of (seed, row, draw, stream).
 *
 * Counter (draw, stream, row low, row high), key seed. The same bits for any thread count, batch split or device.
 * A stream is the number of its user and is never reused. */
#ifndef VN_PHILOX_H
#define VN_PHILOX_H

#include "vn_build.h"

typedef struct vn_philox4 {
    uint32_t x[4];
} vn_philox4;

/* Position of a row's sequence; every number taken moves draw on by one. */
typedef struct vn_rng {
    uint64_t seed, row;
    uint32_t draw, stream;
} vn_rng;

/* streams in use; generators of negatives have theirs in vn_registry.def */
enum { VN_STREAM_WEIGHTS = 1, VN_STREAM_ORDER = 2, VN_STREAM_AUGMENT = 3, VN_STREAM_SCENE = 4, VN_STREAM_BOOTSTRAP = 5,
       VN_STREAM_CAPTION = 6, VN_STREAM_POSITIVE = 7, VN_STREAM_NEIGHBOUR = 8 };

VN_HD static inline vn_philox4
vn_philox_block(vn_philox4 c, uint32_t key0, uint32_t key1)
{
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c.x[0], b = (uint64_t)0xCD9E8D57u * c.x[2];
        vn_philox4 n;
        n.x[0] = (uint32_t)(b >> 32) ^ c.x[1] ^ key0;
        n.x[1] = (uint32_t)b;
        n.x[2] = (uint32_t)(a >> 32) ^ c.x[3] ^ key1;
        n.x[3] = (uint32_t)a;
        c = n;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return c;
}

VN_HD static inline vn_philox4
vn_philox(uint64_t seed, uint64_t row, uint32_t draw, uint32_t stream)
{
    vn_philox4 c;
    c.x[0] = draw;
    c.x[1] = stream;
    c.x[2] = (uint32_t)row;
    c.x[3] = (uint32_t)(row >> 32);
    return vn_philox_block(c, (uint32_t)seed, (uint32_t)(seed >> 32));
}

VN_HD static inline uint32_t
vn_rng_next(vn_rng *r)
{
    return vn_philox(r->seed, r->row, r->draw++, r->stream).x[0];
}

/* in [0, n), n >= 1 */
VN_HD static inline int64_t
vn_rng_below(vn_rng *r, int64_t n)
{
    return (int64_t)(((uint64_t)vn_rng_next(r) * (uint64_t)n) >> 32);
}

/* in [0, 1), 24 bits */
VN_HD static inline float
vn_rng_uniform(vn_rng *r)
{
    return (float)(vn_rng_next(r) >> 8) * 5.9604644775390625e-8f;
}

#endif
