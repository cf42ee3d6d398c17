/* Blur: three running means over n = 2 radius + 1 pixels along each axis, close to a Gaussian of sigma = radius + 1/2.
 *
 * mean = (sum round(2^24 / n) + 2^23) >> 24; pixels beyond the edge are as those at the edge. Columns are blurred row
 * by row, so that the loops run along memory; rows likewise, after the picture is turned on its side.
 * Wells, Efficient synthesis of Gaussian filters by cascaded uniform filters, 1986. */
#include <string.h>

#include "vn_paint.h"

enum { PASSES = 3, TILE = 16 };

/* out (n,m): means of in over 2 radius + 1 rows; sum (m) */
VN_CLONES static void
mean_rows(uint8_t *VN_RESTRICT out, const uint8_t *VN_RESTRICT in, uint32_t *VN_RESTRICT sum, int64_t n, int64_t m,
          int64_t radius)
{
    uint32_t width = (uint32_t)(2 * radius + 1), factor = ((1u << 24) + width / 2) / width;
    memset(sum, 0, (size_t)m * sizeof *sum);
    for (int64_t d = -radius - 1; d < radius; d++) { /* one row behind the first window */
        const uint8_t *line = in + VN_MIN(VN_MAX(d, 0), n - 1) * m;
        for (int64_t j = 0; j < m; j++)
            sum[j] += line[j];
    }
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *comes = in + VN_MIN(i + radius, n - 1) * m, *goes = in + VN_MAX(i - radius - 1, 0) * m;
        uint8_t *to = out + i * m;
        for (int64_t j = 0; j < m; j++) {
            sum[j] += (uint32_t)comes[j] - (uint32_t)goes[j];
            to[j] = (uint8_t)((sum[j] * factor + (1u << 23)) >> 24);
        }
    }
}

/* out (w,h,3) of in (h,w,3) */
static void
turn(uint8_t *VN_RESTRICT out, const uint8_t *VN_RESTRICT in, int64_t h, int64_t w)
{
    for (int64_t y = 0; y < h; y += TILE)
        for (int64_t x = 0; x < w; x += TILE)
            for (int64_t i = y; i < VN_MIN(y + TILE, h); i++)
                for (int64_t j = x; j < VN_MIN(x + TILE, w); j++)
                    memcpy(out + (j * h + i) * 3, in + (i * w + j) * 3, 3);
}

void
vn_blur(uint8_t *rgb, int64_t h, int64_t w, int64_t radius, vn_arena *scratch)
{
    size_t mark = scratch->used;
    uint8_t *other = vn_arena_take(scratch, (size_t)(h * w * 3));
    uint32_t *sum = vn_arena_take(scratch, (size_t)(VN_MAX(h, w) * 3) * sizeof *sum);
    uint8_t *from = rgb, *to = other, *swap;
    for (int side = 0; side < 2; side++) {
        for (int pass = 0; pass < PASSES; pass++) {
            mean_rows(to, from, sum, side ? w : h, (side ? h : w) * 3, radius);
            swap = from, from = to, to = swap;
        }
        turn(to, from, side ? w : h, side ? h : w);
        swap = from, from = to, to = swap;
    }
    scratch->used = mark; /* an even number of steps: the result is in rgb */
}
